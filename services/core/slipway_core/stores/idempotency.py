"""Answers to requests that carried an Idempotency-Key: the same request again gets the same answer."""

from datetime import datetime

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: str
    answer: bytes | None
    created_at: datetime


BEGIN = """
    INSERT INTO idempotency (principal_id, key, fingerprint) VALUES ($1, $2, $3)
    ON CONFLICT (principal_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, created_at = now(), answer = NULL
        WHERE idempotency.created_at < now() - interval '1 day'
            OR (idempotency.answer IS NULL AND idempotency.created_at < now() - interval '2 minutes')
    RETURNING key
"""
GET = "SELECT fingerprint, answer, created_at FROM idempotency WHERE principal_id = $1 AND key = $2"
END = "UPDATE idempotency SET answer = $3 WHERE principal_id = $1 AND key = $2"
FORGET = "DELETE FROM idempotency WHERE principal_id = $1 AND key = $2"
PRUNE = "DELETE FROM idempotency WHERE created_at < now() - interval '1 day'"


class Idempotency:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin(self, principal_id: str, key: str, fingerprint: str) -> bool:
        """True for the first time; False when the key was used before (see `get`)."""
        return await self._connection.fetchval(BEGIN, principal_id, key, fingerprint) is not None

    async def get(self, principal_id: str, key: str) -> Kept | None:
        return rows.one(await self._connection.fetchrow(GET, principal_id, key), Kept)

    async def end(self, principal_id: str, key: str, answer: bytes) -> None:
        await self._connection.execute(END, principal_id, key, answer)

    async def forget(self, principal_id: str, key: str) -> None:
        """The request failed: it may be sent again."""
        await self._connection.execute(FORGET, principal_id, key)

    async def prune(self) -> None:
        await self._connection.execute(PRUNE)
