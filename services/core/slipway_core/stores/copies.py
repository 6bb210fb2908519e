"""What must be copied into a bucket: a row says which key, the value is read from the tables when it is done.

Rows are only added and removed, so nobody who changes something waits for the bus.
"""

from collections.abc import Iterable, Sequence

import asyncpg
import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    bucket: str
    key: str
    last_id: int


ADD = "INSERT INTO copies (bucket, key) SELECT $1, unnest($2::text[])"
NOTIFY = "SELECT pg_notify('copies', '')"
EVERYTHING = """
    INSERT INTO copies (bucket, key)
    SELECT 'access', 'user.' || id FROM users
    UNION ALL SELECT 'access', 'token.' || hash FROM api_tokens
    UNION ALL SELECT 'access', 'key.' || kid FROM signing_keys
    UNION ALL SELECT 'git-links', id::text FROM git_links
    UNION ALL SELECT 'clusters', id::text FROM clusters
"""
WAITING = """
    SELECT bucket, key, max(id) AS last_id FROM copies GROUP BY bucket, key ORDER BY max(id) LIMIT $1
"""
CLAIM = "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || '/' || $2, 511902))"
DONE = "DELETE FROM copies WHERE bucket = $1 AND key = $2 AND id <= $3"
USER_IDS = "SELECT user_id AS id FROM memberships WHERE organization_id = $1"
TOKEN_HASHES = "SELECT hash FROM api_tokens WHERE organization_id = $1"  # noqa: S105 (a statement)
ROLE_USERS = "SELECT user_id AS id FROM memberships WHERE organization_id = $1 AND role = $2"
ROLE_HASHES = "SELECT hash FROM api_tokens WHERE organization_id = $1 AND role = $2"
ALL_ACCESS = """
    SELECT 'user.' || id AS key FROM users
    UNION ALL SELECT 'token.' || hash FROM api_tokens
    UNION ALL SELECT 'key.' || kid FROM signing_keys WHERE retired_at IS NULL
"""


class Copies:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, bucket: str, keys: Iterable[str]) -> None:
        """These keys have changed."""
        listed: Sequence[str] = list(keys)
        if listed:
            await self._connection.execute(ADD, bucket, listed)
            await self._connection.execute(NOTIFY)

    async def of_organization(self, organization_id: str) -> None:
        """Everybody's access to an organization has changed."""
        users = await self._connection.fetch(USER_IDS, organization_id)
        hashes = await self._connection.fetch(TOKEN_HASHES, organization_id)
        await self.add("access", _keys(users, hashes))

    async def of_role(self, organization_id: str, role: str) -> None:
        """What a role allows has changed."""
        users = await self._connection.fetch(ROLE_USERS, organization_id, role)
        hashes = await self._connection.fetch(ROLE_HASHES, organization_id, role)
        await self.add("access", _keys(users, hashes))

    async def all_access(self) -> list[str]:
        """Every key that the bucket `access` should have."""
        return [row["key"] for row in await self._connection.fetch(ALL_ACCESS)]

    async def everything(self) -> None:
        """Copy all there is once more."""
        await self._connection.execute(EVERYTHING)
        await self._connection.execute(NOTIFY)

    async def waiting(self, limit: int = 200) -> list[Copy]:
        return rows.many(await self._connection.fetch(WAITING, limit), Copy)

    async def claim(self, copy: Copy) -> bool:
        """Whether this transaction is the one that makes this copy."""
        return bool(await self._connection.fetchval(CLAIM, copy.bucket, copy.key))

    async def done(self, copy: Copy) -> None:
        await self._connection.execute(DONE, copy.bucket, copy.key, copy.last_id)


def _keys(users: Iterable[asyncpg.Record], hashes: Iterable[asyncpg.Record]) -> list[str]:
    return [f"user.{row['id']}" for row in users] + [f"token.{row['hash']}" for row in hashes]
