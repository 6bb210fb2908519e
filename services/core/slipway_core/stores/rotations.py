"""Rows that hold something encrypted, and their move from retired data keys to the present ones.

Every column that names a data key has a part here (a test compares them with the schema). Rows are taken under a lock
that others don't wait for, so that writers are held up by a batch at most.
"""

from dataclasses import dataclass

import msgspec

from slipway_contracts.base import uuid7
from slipway_core.stores import rows
from slipway_postgres import Connection


@dataclass(frozen=True)
class Part:
    """One table with ciphertexts."""

    table: str
    key_column: str
    prefix: str
    """Ciphertexts are bound to `<prefix>/<bound id>`."""
    take: str
    """($1 retired data keys, $2 how many, $3 all but these) → id, bound_id, data_key_id, texts; locked."""
    put: str
    """($1 id, $2 data key, $3 texts)"""


PARTS = (
    Part(
        "variables",
        "data_key_id",
        "variables",
        """
        SELECT id::text, id::text AS bound_id, data_key_id, ARRAY[ciphertext] AS texts FROM variables
        WHERE data_key_id = ANY($1::uuid[]) AND id <> ALL($3::uuid[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        "UPDATE variables SET data_key_id = $2, ciphertext = ($3::bytea[])[1] WHERE id = $1::uuid",
    ),
    Part(
        "git_links",
        "data_key_id",
        "git_links",
        """
        SELECT id::text, id::text AS bound_id, data_key_id, ARRAY[secret_ciphertext, previous_ciphertext] AS texts
        FROM git_links WHERE data_key_id = ANY($1::uuid[]) AND id <> ALL($3::uuid[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        """
        UPDATE git_links SET data_key_id = $2, secret_ciphertext = ($3::bytea[])[1],
            previous_ciphertext = ($3::bytea[])[2]
        WHERE id = $1::uuid
        """,
    ),
    Part(
        "outside_accesses",
        "data_key_id",
        "outside_accesses",
        """
        SELECT id::text, id::text AS bound_id, data_key_id, ARRAY[ciphertext] AS texts FROM outside_accesses
        WHERE data_key_id = ANY($1::uuid[]) AND id <> ALL($3::uuid[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        "UPDATE outside_accesses SET data_key_id = $2, ciphertext = ($3::bytea[])[1] WHERE id = $1::uuid",
    ),
    Part(
        "deployment_steps",
        "snapshot_key_id",
        "deployment_steps",
        """
        SELECT id::text, id::text AS bound_id, snapshot_key_id AS data_key_id, ARRAY[snapshot] AS texts
        FROM deployment_steps WHERE snapshot_key_id = ANY($1::uuid[]) AND id <> ALL($3::uuid[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        "UPDATE deployment_steps SET snapshot_key_id = $2, snapshot = ($3::bytea[])[1] WHERE id = $1::uuid",
    ),
    Part(
        "releases",
        "snapshot_key_id",
        "deployment_steps",
        """
        SELECT id::text, step_id::text AS bound_id, snapshot_key_id AS data_key_id, ARRAY[snapshot] AS texts
        FROM releases WHERE snapshot_key_id = ANY($1::uuid[]) AND id <> ALL($3::uuid[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        "UPDATE releases SET snapshot_key_id = $2, snapshot = ($3::bytea[])[1] WHERE id = $1::uuid",
    ),
    Part(
        "database_accesses",
        "data_key_id",
        "database_accesses",
        """
        SELECT service_id::text AS id, service_id::text AS bound_id, data_key_id, ARRAY[ciphertext] AS texts
        FROM database_accesses
        WHERE data_key_id = ANY($1::uuid[]) AND service_id::text <> ALL($3::text[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        "UPDATE database_accesses SET data_key_id = $2, ciphertext = ($3::bytea[])[1] WHERE service_id::text = $1",
    ),
    Part(
        "job_outputs",
        "data_key_id",
        "job_outputs",
        """
        SELECT service_id || '/' || name AS id, service_id || '/' || name AS bound_id, data_key_id,
            ARRAY[ciphertext] AS texts
        FROM job_outputs
        WHERE data_key_id = ANY($1::uuid[]) AND service_id || '/' || name <> ALL($3::text[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        "UPDATE job_outputs SET data_key_id = $2, ciphertext = ($3::bytea[])[1] WHERE service_id || '/' || name = $1",
    ),
    Part(
        "reply_keys",
        "data_key_id",
        "reply_keys",
        """
        SELECT task_id::text AS id, task_id::text AS bound_id, data_key_id, ARRAY[ciphertext] AS texts FROM reply_keys
        WHERE data_key_id = ANY($1::uuid[]) AND task_id::text <> ALL($3::text[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        "UPDATE reply_keys SET data_key_id = $2, ciphertext = ($3::bytea[])[1] WHERE task_id::text = $1",
    ),
    Part(
        "signing_keys",
        "data_key_id",
        "signing_keys",
        """
        SELECT kid AS id, kid AS bound_id, data_key_id, ARRAY[private_ciphertext] AS texts FROM signing_keys
        WHERE data_key_id = ANY($1::uuid[]) AND kid <> ALL($3::text[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        "UPDATE signing_keys SET data_key_id = $2, private_ciphertext = ($3::bytea[])[1] WHERE kid = $1",
    ),
    Part(
        "database_accesses",
        "data_key_id",
        "database_accesses",
        """
        SELECT service_id::text AS id, service_id::text AS bound_id, data_key_id, ARRAY[ciphertext] AS texts
        FROM database_accesses WHERE data_key_id = ANY($1::uuid[]) AND service_id <> ALL($3::uuid[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        "UPDATE database_accesses SET data_key_id = $2, ciphertext = ($3::bytea[])[1] WHERE service_id = $1::uuid",
    ),
    Part(
        "job_outputs",
        "data_key_id",
        "job_outputs",
        """
        SELECT service_id || '/' || name AS id, service_id || '/' || name AS bound_id, data_key_id,
            ARRAY[ciphertext] AS texts
        FROM job_outputs WHERE data_key_id = ANY($1::uuid[]) AND service_id || '/' || name <> ALL($3::text[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        """
        UPDATE job_outputs SET data_key_id = $2, ciphertext = ($3::bytea[])[1]
        WHERE service_id = split_part($1, '/', 1)::uuid AND name = substr($1, strpos($1, '/') + 1)
        """,
    ),
    Part(
        "reply_keys",
        "data_key_id",
        "reply_keys",
        """
        SELECT task_id::text AS id, task_id::text AS bound_id, data_key_id, ARRAY[ciphertext] AS texts
        FROM reply_keys WHERE data_key_id = ANY($1::uuid[]) AND task_id <> ALL($3::uuid[])
        LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        "UPDATE reply_keys SET data_key_id = $2, ciphertext = ($3::bytea[])[1] WHERE task_id = $1::uuid",
    ),
)


class Encrypted(msgspec.Struct, frozen=True, kw_only=True):
    """A row with what is encrypted in it."""

    id: str
    bound_id: str
    data_key_id: str
    texts: tuple[bytes | None, ...]


class OwnedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A data key and whose it is (None: the platform's)."""

    id: str
    organization_id: str | None
    wrapped: bytes


BEGIN = "INSERT INTO key_rotations (id) VALUES ($1) ON CONFLICT ((true)) WHERE ended_at IS NULL DO NOTHING"
OPEN = "SELECT id, started_at FROM key_rotations WHERE ended_at IS NULL"
END = "UPDATE key_rotations SET ended_at = now() WHERE id = $1"
DUE = """
    SELECT k.id, k.organization_id, k.wrapped FROM data_keys k
    WHERE k.retired_at IS NULL AND k.created_at < (SELECT started_at FROM key_rotations WHERE ended_at IS NULL)
    ORDER BY k.id
"""
RETIRE = "UPDATE data_keys SET retired_at = now() WHERE id = $1 AND retired_at IS NULL RETURNING id"
RETIRED = "SELECT id, organization_id, wrapped FROM data_keys WHERE retired_at IS NOT NULL"
TOUCH = "UPDATE data_keys SET retired_at = now() WHERE id = ANY($1::uuid[])"
# Who read a row just before it was moved may still look for its old key.
FORGET = """
    DELETE FROM data_keys k WHERE k.retired_at < now() - interval '1 hour'
        AND NOT EXISTS (SELECT FROM variables WHERE data_key_id = k.id)
        AND NOT EXISTS (SELECT FROM git_links WHERE data_key_id = k.id)
        AND NOT EXISTS (SELECT FROM outside_accesses WHERE data_key_id = k.id)
        AND NOT EXISTS (SELECT FROM deployment_steps WHERE snapshot_key_id = k.id)
        AND NOT EXISTS (SELECT FROM releases WHERE snapshot_key_id = k.id)
        AND NOT EXISTS (SELECT FROM database_accesses WHERE data_key_id = k.id)
        AND NOT EXISTS (SELECT FROM job_outputs WHERE data_key_id = k.id)
        AND NOT EXISTS (SELECT FROM reply_keys WHERE data_key_id = k.id)
        AND NOT EXISTS (SELECT FROM signing_keys WHERE data_key_id = k.id)
        AND NOT EXISTS (SELECT FROM database_accesses WHERE data_key_id = k.id)
        AND NOT EXISTS (SELECT FROM job_outputs WHERE data_key_id = k.id)
        AND NOT EXISTS (SELECT FROM reply_keys WHERE data_key_id = k.id)
    RETURNING k.id
"""
HARDER = "LOCK TABLE data_keys IN SHARE ROW EXCLUSIVE MODE"
EVERY = "SELECT id, organization_id, wrapped FROM data_keys ORDER BY id"
REWRAP = "UPDATE data_keys SET wrapped = $3 WHERE id = $1 AND wrapped = $2"


class Rotations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin(self) -> str:
        """The rotation that is under way, or a new one."""
        await self._connection.execute(BEGIN, uuid7())
        row = await self._connection.fetchrow(OPEN)
        assert row is not None
        return str(row["id"])

    async def end(self, id: str) -> None:
        await self._connection.execute(END, id)

    async def due(self) -> list[OwnedKey]:
        """Present data keys that are older than the rotation under way."""
        return rows.many(await self._connection.fetch(DUE), OwnedKey)

    async def retire(self, id: str) -> bool:
        """Nothing is encrypted with this key any more; False when somebody else retired it."""
        return await self._connection.fetchval(RETIRE, id) is not None

    async def retired(self) -> dict[str, OwnedKey]:
        found = rows.many(await self._connection.fetch(RETIRED), OwnedKey)
        return {key.id: key for key in found}

    async def take(self, part: Part, keys: list[str], limit: int, but: list[str]) -> list[Encrypted]:
        """Some rows that were written with these keys, locked; those that others hold are left out."""
        found = await self._connection.fetch(part.take, keys, limit, but)
        return [msgspec.convert({**dict(row), "data_key_id": str(row["data_key_id"])}, Encrypted) for row in found]

    async def put(self, part: Part, moved: list[tuple[str, str, list[bytes | None]]]) -> None:
        """(id, data key, texts) of rows that were taken."""
        await self._connection.executemany(part.put, moved)

    async def is_used(self, part: Part, keys: list[str], but: list[str]) -> bool:
        """Whether any row was written with one of these keys, also one that somebody holds now."""
        return bool(await self._connection.fetch(part.take.replace("FOR UPDATE SKIP LOCKED", ""), keys, 1, but))

    async def touch(self, keys: list[str]) -> None:
        """These keys were needed until now."""
        await self._connection.execute(TOUCH, keys)

    async def forget(self) -> int:
        """Remove retired keys that nothing was written with; how many."""
        return len(await self._connection.fetch(FORGET))

    async def lock(self) -> None:
        """No data key is wrapped or stored by others until the end of this transaction."""
        await self._connection.execute(HARDER)

    async def every(self) -> list[OwnedKey]:
        return rows.many(await self._connection.fetch(EVERY), OwnedKey)

    async def rewrapped(self, key: OwnedKey, wrapped: bytes) -> None:
        await self._connection.execute(REWRAP, key.id, key.wrapped, wrapped)
