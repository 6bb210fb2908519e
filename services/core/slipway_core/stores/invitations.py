"""Invitations into organizations: for one e-mail address, for a while."""

from datetime import datetime

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_postgres import Connection, constraint_faults


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    organization_id: str
    email: str
    role: str
    token_hash: str
    inviter_id: str | None
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    organization_name: str = ""
    inviter: str = ""


ADD = """
    INSERT INTO invitations (id, organization_id, email, role, token_hash, inviter_id, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
DROP_EXPIRED = "DELETE FROM invitations WHERE organization_id = $1 AND lower(email) = lower($2) AND expires_at < now()"
LIST = """
    SELECT i.*, o.name AS organization_name, coalesce(u.email, '') AS inviter
    FROM invitations i JOIN organizations o ON o.id = i.organization_id LEFT JOIN users u ON u.id = i.inviter_id
    WHERE i.organization_id = $1 AND ($2::uuid IS NULL OR i.id = $2) ORDER BY i.id
"""
DELETE = "DELETE FROM invitations WHERE id = $1"
WAITS = "SELECT EXISTS (SELECT FROM invitations WHERE lower(email) = lower($1) AND expires_at > $2)"
TAKE = "SELECT id FROM invitations WHERE id = $1 FOR UPDATE"


class Invitations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self,
        id: str,
        organization_id: str,
        email: str,
        role: str,
        token_hash: str,
        inviter_id: str | None,
        expires_at: datetime,
    ) -> None:
        await self._connection.execute(DROP_EXPIRED, organization_id, email)
        with constraint_faults({"invitations_email": lambda: NameTaken("email", email, "an invitation")}):
            await self._connection.execute(ADD, id, organization_id, email, role, token_hash, inviter_id, expires_at)

    async def all(self, organization_id: str) -> list[Invitation]:
        return rows.many(await self._connection.fetch(LIST, organization_id, None), Invitation)

    async def get(self, organization_id: str, id: str, lock: bool = False) -> Invitation | None:
        if lock:
            await self._connection.execute(TAKE, id)
        return rows.one(await self._connection.fetchrow(LIST, organization_id, id), Invitation)

    async def waits_for(self, email: str, now: datetime) -> bool:
        """Whether any organization waits for somebody with this address."""
        return bool(await self._connection.fetchval(WAITS, email, now))

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE, id)
