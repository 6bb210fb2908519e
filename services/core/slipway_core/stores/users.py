"""People: one row each, whatever organizations they belong to."""

from datetime import datetime
from typing import Any

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class User(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    email: str
    password_hash: str
    email_proven: bool = False
    """The address is known to be theirs."""
    revoked_before: datetime | None
    ended_sessions: dict[str, datetime] = {}
    config: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime


ADD = """
    INSERT INTO users (id, email, password_hash, config, email_proven) VALUES ($1, $2, $3, $4, $5) RETURNING *
"""
GET = "SELECT * FROM users WHERE id = $1"
BY_EMAIL = "SELECT * FROM users WHERE lower(email) = lower($1)"
CONFIGURE = """
    UPDATE users SET config = config || $2::jsonb, version = version + 1, updated_at = now() WHERE id = $1 RETURNING *
"""
END_SESSION = """
    UPDATE users SET version = version + 1, ended_sessions = jsonb_build_object($2::text, $3::timestamptz) || coalesce(
        (SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(ended_sessions) WHERE value::timestamptz > now()),
        '{}')
    WHERE id = $1
"""
END_SESSIONS = "UPDATE users SET revoked_before = $2, version = version + 1 WHERE id = $1"
SET_PASSWORD = """
    UPDATE users SET password_hash = $2, revoked_before = $3, version = version + 1, updated_at = now() WHERE id = $1
"""  # noqa: S105 (a statement)


TAKE_OVER = """
    UPDATE users SET email_proven = true, password_hash = '', revoked_before = $2, version = version + 1,
        updated_at = now()
    WHERE id = $1
"""
PROVE = "UPDATE users SET email_proven = true WHERE id = $1"


class Users:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self, id: str, email: str, password_hash: str, config: dict[str, Any], *, email_proven: bool = False
    ) -> User:
        """`email_proven`: the address is known to be theirs, not just what somebody else typed."""
        row = await self._connection.fetchrow(ADD, id, email, password_hash, rows.to_json(config), email_proven)
        return rows.sure(row, User)

    async def get(self, id: str) -> User | None:
        return rows.one(await self._connection.fetchrow(GET, id), User)

    async def by_email(self, email: str) -> User | None:
        return rows.one(await self._connection.fetchrow(BY_EMAIL, email), User)

    async def configure(self, id: str, changes: dict[str, Any]) -> User:
        """Change what a user says of themselves."""
        return rows.sure(await self._connection.fetchrow(CONFIGURE, id, rows.to_json(changes)), User)

    async def end_session(self, id: str, session_id: str, expires_at: datetime) -> None:
        """This one login is void."""
        await self._connection.execute(END_SESSION, id, session_id, expires_at)

    async def end_sessions(self, id: str, before: datetime) -> None:
        """Logins from before this moment are void."""
        await self._connection.execute(END_SESSIONS, id, before)

    async def set_password(self, id: str, password_hash: str, now: datetime) -> None:
        """A new password ends all sessions."""
        await self._connection.execute(SET_PASSWORD, id, password_hash, now)

    async def take_over(self, id: str, now: datetime) -> None:
        """The address is proven to be somebody's who did not set the password: it ends, and so do all logins."""
        await self._connection.execute(TAKE_OVER, id, now)

    async def prove(self, id: str) -> None:
        """The address is known to be theirs."""
        await self._connection.execute(PROVE, id)
