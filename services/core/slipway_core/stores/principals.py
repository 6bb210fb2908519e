"""Who may do what, as the bucket `access` holds it: read from users, members, roles and tokens."""

from datetime import datetime
from typing import Any

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A membership or a token's role, with the permissions of a custom one."""

    organization_id: str
    role: str
    role_config: dict[str, Any] = {}


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    version: int
    revoked_before: datetime | None = None
    ended_sessions: dict[str, datetime] = {}
    expires_at: datetime | None = None


USER = "SELECT id, email AS name, version, revoked_before, ended_sessions FROM users WHERE id = $1"
USER_GRANTS = """
    SELECT m.organization_id, m.role, coalesce(r.config, '{}') AS role_config
    FROM memberships m LEFT JOIN roles r ON r.id::text = m.role WHERE m.user_id = $1 ORDER BY m.organization_id
"""
TOKEN = "SELECT id, name, 1::bigint AS version, expires_at FROM api_tokens WHERE hash = $1"  # noqa: S105
TOKEN_GRANTS = """
    SELECT t.organization_id, t.role, coalesce(r.config, '{}') AS role_config
    FROM api_tokens t LEFT JOIN roles r ON r.id::text = t.role WHERE t.hash = $1
"""  # noqa: S105 (a statement)
KEY = "SELECT public_pem FROM signing_keys WHERE kid = $1 AND retired_at IS NULL"


class Principals:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def user(self, id: str) -> tuple[Principal, list[Granted]] | None:
        found = rows.one(await self._connection.fetchrow(USER, id), Principal)
        if found is None:
            return None
        return found, rows.many(await self._connection.fetch(USER_GRANTS, id), Granted)

    async def token(self, hash: str) -> tuple[Principal, list[Granted]] | None:
        found = rows.one(await self._connection.fetchrow(TOKEN, hash), Principal)
        if found is None:
            return None
        return found, rows.many(await self._connection.fetch(TOKEN_GRANTS, hash), Granted)

    async def public_key(self, kid: str) -> str | None:
        found: str | None = await self._connection.fetchval(KEY, kid)
        return found
