"""Custom roles: their permissions per cluster and per project and mode lie in `config`."""

from datetime import datetime
from typing import Any

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_core.stores.organizations import Used
from slipway_postgres import Connection, constraint_faults


class Role(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    organization_id: str
    name: str
    config: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime


ADD = "INSERT INTO roles (id, organization_id, name, config) VALUES ($1, $2, $3, $4) RETURNING *"
GET = "SELECT * FROM roles WHERE id = $1 AND organization_id = $2 FOR UPDATE"
LIST = "SELECT * FROM roles WHERE organization_id = $1 ORDER BY id"
UPDATE = """
    UPDATE roles SET name = $2, config = $3, version = version + 1, updated_at = now() WHERE id = $1 RETURNING *
"""
DELETE = "DELETE FROM roles WHERE id = $1"
USED_BY = """
    SELECT 'member' AS kind, u.id, u.email AS name
    FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.organization_id = $1 AND m.role = $2
    UNION ALL
    SELECT 'api_token', id, name FROM api_tokens WHERE organization_id = $1 AND role = $2
    ORDER BY name LIMIT 101
"""


class Roles:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, id: str, organization_id: str, name: str, config: dict[str, Any]) -> Role:
        with constraint_faults({"roles_name": lambda: NameTaken("name", name, "a role")}):
            row = await self._connection.fetchrow(ADD, id, organization_id, name, rows.to_json(config))
        return rows.sure(row, Role)

    async def lock(self, id: str, organization_id: str) -> Role | None:
        return rows.one(await self._connection.fetchrow(GET, id, organization_id), Role)

    async def all(self, organization_id: str) -> list[Role]:
        return rows.many(await self._connection.fetch(LIST, organization_id), Role)

    async def update(self, id: str, name: str, config: dict[str, Any]) -> Role:
        with constraint_faults({"roles_name": lambda: NameTaken("name", name, "a role")}):
            return rows.sure(await self._connection.fetchrow(UPDATE, id, name, rows.to_json(config)), Role)

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE, id)

    async def used_by(self, organization_id: str, id: str) -> list[Used]:
        return rows.many(await self._connection.fetch(USED_BY, organization_id, id), Used)
