"""Logins outside: container registries, Git tokens, cloud credentials. Their secrets are kept by envelope."""

from datetime import datetime
from typing import Any

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_postgres import Connection, constraint_faults


class OutsideAccess(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    organization_id: str
    sort: str
    """registry, git_token, credentials."""
    kind: str
    name: str
    config: dict[str, Any]
    data_key_id: str | None
    ciphertext: bytes | None
    version: int
    created_at: datetime
    updated_at: datetime
    services: int = 0
    """How many services use it."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A service that uses one."""

    project_id: str
    project_name: str
    environment_id: str
    environment_name: str
    service_id: str
    service_name: str
    kind: str
    config: dict[str, Any]


ADD = """
    INSERT INTO outside_accesses (id, organization_id, sort, kind, name, config, data_key_id, ciphertext)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING *
"""
GET = "SELECT * FROM outside_accesses WHERE id = $1 AND organization_id = $2 AND sort = $3"
LOCK = "SELECT * FROM outside_accesses WHERE id = $1 AND organization_id = $2 AND sort = $3 FOR UPDATE"
MANY = "SELECT * FROM outside_accesses WHERE id = ANY($1::uuid[])"
LIST = """
    SELECT a.*, (
        SELECT count(*) FROM services s
            JOIN environments e ON e.id = s.environment_id JOIN projects p ON p.id = e.project_id
        WHERE p.organization_id = a.organization_id AND a.id::text IN (
            s.config ->> 'registry_id', s.config #>> '{source,image,registry_id}',
            s.config #>> '{git_repository,git_token_id}', s.config #>> '{source,docker,git_repository,git_token_id}')
    ) AS services
    FROM outside_accesses a
    WHERE a.organization_id = $1 AND a.sort = $2 AND ($3::text IS NULL OR a.kind = $3) ORDER BY a.id
"""
USERS = """
    SELECT p.id AS project_id, p.name AS project_name, e.id AS environment_id, e.name AS environment_name,
        s.id AS service_id, s.name AS service_name, s.kind, s.config
    FROM services s JOIN environments e ON e.id = s.environment_id JOIN projects p ON p.id = e.project_id
    WHERE p.organization_id = $1 AND $2::text IN (
        s.config ->> 'registry_id', s.config #>> '{source,image,registry_id}',
        s.config #>> '{git_repository,git_token_id}', s.config #>> '{source,docker,git_repository,git_token_id}')
    ORDER BY s.id
"""
UPDATE = """
    UPDATE outside_accesses SET kind = $2, name = $3, config = $4, data_key_id = $5, ciphertext = $6,
        version = version + 1, updated_at = now()
    WHERE id = $1 RETURNING *
"""
DELETE = "DELETE FROM outside_accesses WHERE id = $1"


class OutsideAccesses:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self,
        id: str,
        organization_id: str,
        sort: str,
        kind: str,
        name: str,
        config: dict[str, Any],
        data_key_id: str | None,
        ciphertext: bytes | None,
    ) -> OutsideAccess:
        with constraint_faults({"outside_accesses_name": lambda: NameTaken("name", name, "one")}):
            row = await self._connection.fetchrow(
                ADD, id, organization_id, sort, kind, name, rows.to_json(config), data_key_id, ciphertext
            )
        return rows.sure(row, OutsideAccess)

    async def get(self, id: str, organization_id: str, sort: str, lock: bool = False) -> OutsideAccess | None:
        row = await self._connection.fetchrow(LOCK if lock else GET, id, organization_id, sort)
        return rows.one(row, OutsideAccess)

    async def many(self, ids: set[str]) -> dict[str, OutsideAccess]:
        """Those of these that there are, by id."""
        found = rows.many(await self._connection.fetch(MANY, list(ids)), OutsideAccess) if ids else []
        return {one.id: one for one in found}

    async def all(self, organization_id: str, sort: str, kind: str | None = None) -> list[OutsideAccess]:
        return rows.many(await self._connection.fetch(LIST, organization_id, sort, kind), OutsideAccess)

    async def users(self, organization_id: str, id: str) -> list[User]:
        """The services that use one."""
        return rows.many(await self._connection.fetch(USERS, organization_id, id), User)

    async def update(
        self,
        id: str,
        kind: str,
        name: str,
        config: dict[str, Any],
        data_key_id: str | None,
        ciphertext: bytes | None,
    ) -> OutsideAccess:
        with constraint_faults({"outside_accesses_name": lambda: NameTaken("name", name, "one")}):
            row = await self._connection.fetchrow(UPDATE, id, kind, name, rows.to_json(config), data_key_id, ciphertext)
        return rows.sure(row, OutsideAccess)

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE, id)
