"""Organizations, and who belongs to them in which role."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    config: dict[str, Any]
    owner_id: str | None = None
    version: int
    created_at: datetime
    updated_at: datetime


class Member(msgspec.Struct, frozen=True, kw_only=True):
    user_id: str
    email: str
    config: dict[str, Any]
    role: str
    created_at: datetime
    updated_at: datetime


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """Something that stands in the way of a deletion."""

    kind: str
    id: str
    name: str


ADD = "INSERT INTO organizations (id, name, config) VALUES ($1, $2, $3) RETURNING *"
LIST = """
    SELECT o.*, (SELECT m.user_id FROM memberships m WHERE m.organization_id = o.id AND m.role = 'owner' LIMIT 1)
        AS owner_id
    FROM organizations o WHERE o.id = ANY($1::uuid[]) ORDER BY o.id
"""
LOCK = "SELECT id FROM organizations WHERE id = $1 FOR UPDATE"
UPDATE = """
    UPDATE organizations SET name = $2, config = $3, version = version + 1, updated_at = now() WHERE id = $1
    RETURNING *
"""
DELETE = "DELETE FROM organizations WHERE id = $1"
USED_BY = """
    SELECT 'project' AS kind, id, name FROM projects WHERE organization_id = $1
    UNION ALL SELECT 'cluster', id, name FROM clusters WHERE organization_id = $1
    ORDER BY name LIMIT 101
"""
ADD_MEMBER = """
    INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, $3)
    ON CONFLICT (organization_id, user_id) DO UPDATE SET role = excluded.role, updated_at = now()
"""
MEMBERS = """
    SELECT m.user_id, u.email, u.config, m.role, m.created_at, m.updated_at
    FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.organization_id = $1 ORDER BY m.created_at, u.id
"""
MEMBER = """
    SELECT m.user_id, u.email, u.config, m.role, m.created_at, m.updated_at
    FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.organization_id = $1 AND m.user_id = $2
    FOR UPDATE OF m
"""
SET_ROLE = "UPDATE memberships SET role = $3, updated_at = now() WHERE organization_id = $1 AND user_id = $2"
REMOVE_MEMBER = "DELETE FROM memberships WHERE organization_id = $1 AND user_id = $2"
OF_USER = "SELECT organization_id FROM memberships WHERE user_id = $1"


class Organizations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, id: str, name: str, config: dict[str, Any]) -> Organization:
        return rows.sure(await self._connection.fetchrow(ADD, id, name, rows.to_json(config)), Organization)

    async def all(self, ids: Sequence[str]) -> list[Organization]:
        return rows.many(await self._connection.fetch(LIST, ids), Organization)

    async def get(self, id: str, lock: bool = False) -> Organization | None:
        if lock:
            await self._connection.execute(LOCK, id)
        found = await self.all([id])
        return found[0] if found else None

    async def update(self, id: str, name: str, config: dict[str, Any]) -> Organization:
        return rows.sure(await self._connection.fetchrow(UPDATE, id, name, rows.to_json(config)), Organization)

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE, id)

    async def used_by(self, id: str) -> list[Used]:
        return rows.many(await self._connection.fetch(USED_BY, id), Used)


class Members:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, organization_id: str, user_id: str, role: str) -> None:
        """Make somebody a member, or change the role."""
        await self._connection.execute(ADD_MEMBER, organization_id, user_id, role)

    async def all(self, organization_id: str) -> list[Member]:
        return rows.many(await self._connection.fetch(MEMBERS, organization_id), Member)

    async def lock(self, organization_id: str, user_id: str) -> Member | None:
        return rows.one(await self._connection.fetchrow(MEMBER, organization_id, user_id), Member)

    async def set_role(self, organization_id: str, user_id: str, role: str) -> None:
        await self._connection.execute(SET_ROLE, organization_id, user_id, role)

    async def remove(self, organization_id: str, user_id: str) -> None:
        await self._connection.execute(REMOVE_MEMBER, organization_id, user_id)

    async def organizations_of(self, user_id: str) -> list[str]:
        return [str(row["organization_id"]) for row in await self._connection.fetch(OF_USER, user_id)]
