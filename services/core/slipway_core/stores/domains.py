"""Custom domains and deployment restrictions of services."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_postgres import Connection, constraint_faults


class CustomDomain(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    service_id: str
    domain: str
    created_at: datetime
    updated_at: datetime


class Restriction(msgspec.Struct, frozen=True, kw_only=True):
    """Which paths of a commit make a push deploy."""

    id: str
    service_id: str
    mode: str
    """MATCH, EXCLUDE."""
    type: str
    value: str
    created_at: datetime
    updated_at: datetime


ADD = "INSERT INTO custom_domains (id, service_id, domain) VALUES ($1, $2, $3) RETURNING *"
GET = "SELECT * FROM custom_domains WHERE id = $1 AND service_id = $2"
LIST = "SELECT * FROM custom_domains WHERE service_id = $1 ORDER BY id"
OF_ENVIRONMENTS = """
    SELECT d.* FROM custom_domains d JOIN services s ON s.id = d.service_id
    WHERE s.environment_id = ANY($1::uuid[]) ORDER BY d.id
"""
RENAME = "UPDATE custom_domains SET domain = $2, updated_at = now() WHERE id = $1 RETURNING *"
DELETE = "DELETE FROM custom_domains WHERE id = $1"
ADD_RESTRICTION = """
    INSERT INTO deployment_restrictions (id, service_id, mode, type, value) VALUES ($1, $2, $3, $4, $5) RETURNING *
"""
RESTRICTION = "SELECT * FROM deployment_restrictions WHERE id = $1 AND service_id = $2"
RESTRICTIONS = "SELECT * FROM deployment_restrictions WHERE service_id = ANY($1::uuid[]) ORDER BY id"
CHANGE_RESTRICTION = """
    UPDATE deployment_restrictions SET mode = $2, type = $3, value = $4, updated_at = now() WHERE id = $1 RETURNING *
"""
DELETE_RESTRICTION = "DELETE FROM deployment_restrictions WHERE id = $1"


class CustomDomains:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, id: str, service_id: str, domain: str) -> CustomDomain:
        with constraint_faults({"custom_domains_domain": lambda: NameTaken("domain", domain, "a domain")}):
            return rows.sure(await self._connection.fetchrow(ADD, id, service_id, domain), CustomDomain)

    async def get(self, id: str, service_id: str) -> CustomDomain | None:
        return rows.one(await self._connection.fetchrow(GET, id, service_id), CustomDomain)

    async def all(self, service_id: str) -> list[CustomDomain]:
        return rows.many(await self._connection.fetch(LIST, service_id), CustomDomain)

    async def of_environments(self, environment_ids: Iterable[str]) -> dict[str, list[str]]:
        """Domains by service."""
        found: dict[str, list[str]] = {}
        for one in rows.many(await self._connection.fetch(OF_ENVIRONMENTS, list(environment_ids)), CustomDomain):
            found.setdefault(one.service_id, []).append(one.domain)
        return found

    async def rename(self, id: str, domain: str) -> CustomDomain:
        with constraint_faults({"custom_domains_domain": lambda: NameTaken("domain", domain, "a domain")}):
            return rows.sure(await self._connection.fetchrow(RENAME, id, domain), CustomDomain)

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE, id)


class Restrictions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, id: str, service_id: str, mode: str, type: str, value: str) -> Restriction:
        with constraint_faults({"deployment_restrictions_value": lambda: NameTaken("value", value, "a restriction")}):
            row = await self._connection.fetchrow(ADD_RESTRICTION, id, service_id, mode, type, value)
        return rows.sure(row, Restriction)

    async def get(self, id: str, service_id: str) -> Restriction | None:
        return rows.one(await self._connection.fetchrow(RESTRICTION, id, service_id), Restriction)

    async def of_services(self, ids: list[str]) -> list[Restriction]:
        return rows.many(await self._connection.fetch(RESTRICTIONS, ids), Restriction)

    async def change(self, id: str, mode: str, type: str, value: str) -> Restriction:
        with constraint_faults({"deployment_restrictions_value": lambda: NameTaken("value", value, "a restriction")}):
            row = await self._connection.fetchrow(CHANGE_RESTRICTION, id, mode, type, value)
        return rows.sure(row, Restriction)

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE_RESTRICTION, id)
