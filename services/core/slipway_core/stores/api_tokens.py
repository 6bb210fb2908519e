"""API tokens of organizations: shown once, kept as a hash."""

from datetime import datetime

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_postgres import Connection, constraint_faults


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    organization_id: str
    name: str
    description: str
    role: str
    hash: str
    created_by: str | None
    creator_name: str | None = None
    role_name: str | None = None
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


ADD = """
    INSERT INTO api_tokens (id, organization_id, name, description, role, hash, created_by, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING *
"""
LIST = """
    SELECT t.*, u.email AS creator_name, r.name AS role_name
    FROM api_tokens t LEFT JOIN users u ON u.id = t.created_by LEFT JOIN roles r ON r.id::text = t.role
    WHERE t.organization_id = $1
      AND ($2::text IS NULL OR t.name ILIKE '%' || $2 || '%') AND ($3::text IS NULL OR u.email ILIKE '%' || $3 || '%')
    ORDER BY t.id
"""
DELETE = "DELETE FROM api_tokens WHERE id = $1 AND organization_id = $2 RETURNING *"


class ApiTokens:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self,
        id: str,
        organization_id: str,
        name: str,
        description: str,
        role: str,
        hash: str,
        created_by: str | None,
        expires_at: datetime | None = None,
    ) -> ApiToken:
        with constraint_faults({"api_tokens_name": lambda: NameTaken("name", name, "an API token")}):
            row = await self._connection.fetchrow(
                ADD, id, organization_id, name, description, role, hash, created_by, expires_at
            )
        return rows.sure(row, ApiToken)

    async def all(self, organization_id: str, name: str | None = None, creator: str | None = None) -> list[ApiToken]:
        return rows.many(await self._connection.fetch(LIST, organization_id, name, creator), ApiToken)

    async def delete(self, id: str, organization_id: str) -> ApiToken | None:
        return rows.one(await self._connection.fetchrow(DELETE, id, organization_id), ApiToken)
