"""Who is who at an OpenID Connect provider, and logins there that were begun."""

from datetime import datetime

from slipway_core.problems import IdentityTaken
from slipway_postgres import Connection, constraint_faults

USER_OF = """
    UPDATE identities SET last_login_at = $3 WHERE issuer = $1 AND subject = $2 RETURNING user_id::text
"""
ADD = """
    INSERT INTO identities (issuer, subject, user_id, email, last_login_at) VALUES ($1, $2, $3, $4, $5)
"""
BEGIN = "INSERT INTO login_attempts (state_hash, return_to, expires_at) VALUES ($1, $2, $3)"
FORGET = "DELETE FROM login_attempts WHERE expires_at < $1"
END = "DELETE FROM login_attempts WHERE state_hash = $1 AND expires_at > $2 RETURNING return_to"


class Identities:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def user_of(self, issuer: str, subject: str, now: datetime) -> str | None:
        """The id of the user that somebody at an issuer is; noted as a login."""
        found: str | None = await self._connection.fetchval(USER_OF, issuer, subject, now)
        return found

    async def add(self, issuer: str, subject: str, user_id: str, email: str, now: datetime) -> None:
        """From now on this is the same person; IdentityTaken when one of the two belongs to somebody else."""
        with constraint_faults({"identities_pkey": IdentityTaken, "identities_user": IdentityTaken}):
            await self._connection.execute(ADD, issuer, subject, user_id, email, now)

    async def begin_login(self, state_hash: str, return_to: str, expires_at: datetime, now: datetime) -> None:
        await self._connection.execute(FORGET, now)
        await self._connection.execute(BEGIN, state_hash, return_to, expires_at)

    async def end_login(self, state_hash: str, now: datetime) -> str | None:
        """Where the login wanted to go; None when it was never begun, took too long, or was ended before."""
        found: str | None = await self._connection.fetchval(END, state_hash, now)
        return found
