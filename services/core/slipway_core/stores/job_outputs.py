"""What jobs left behind for others, and the keys that it travels under on its way here."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class JobOutputRow(msgspec.Struct, frozen=True, kw_only=True):
    service_id: str
    name: str
    is_secret: bool
    value: str | None = None
    ciphertext: bytes | None = None
    data_key_id: str | None = None
    description: str = ""
    updated_at: datetime


class ReplyKey(msgspec.Struct, frozen=True, kw_only=True):
    """The private half of the key that a task's outputs are sealed for."""

    task_id: str
    service_id: str
    data_key_id: str
    ciphertext: bytes


ADD = """
    INSERT INTO job_outputs (service_id, name, is_secret, value, ciphertext, data_key_id, description, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
CLEAR = "DELETE FROM job_outputs WHERE service_id = $1"
OF_ENVIRONMENT = """
    SELECT o.* FROM job_outputs o JOIN services s ON s.id = o.service_id WHERE s.environment_id = $1
    ORDER BY o.service_id, o.name
"""
GIVING = """
    SELECT DISTINCT o.service_id FROM job_outputs o JOIN services s ON s.id = o.service_id
    WHERE s.environment_id = ANY($1::uuid[])
"""
ADD_KEY = "INSERT INTO reply_keys (task_id, service_id, data_key_id, ciphertext) VALUES ($1, $2, $3, $4)"
DROP_OLDER = "DELETE FROM reply_keys WHERE service_id = $1"
TAKE_KEY = "DELETE FROM reply_keys WHERE task_id = $1 RETURNING *"


class JobOutputs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def replace(self, service_id: str, outputs: Iterable[JobOutputRow]) -> None:
        """What its last run left, and nothing of the runs before."""
        await self._connection.execute(CLEAR, service_id)
        await self._connection.executemany(
            ADD,
            [
                (o.service_id, o.name, o.is_secret, o.value, o.ciphertext, o.data_key_id, o.description, o.updated_at)
                for o in outputs
            ],
        )

    async def of_environment(self, environment_id: str) -> list[JobOutputRow]:
        return rows.many(await self._connection.fetch(OF_ENVIRONMENT, environment_id), JobOutputRow)

    async def giving(self, environment_ids: Sequence[str]) -> frozenset[str]:
        """The jobs that have left something."""
        return frozenset(str(row["service_id"]) for row in await self._connection.fetch(GIVING, list(environment_ids)))

    async def add_key(self, key: ReplyKey) -> None:
        """For the next run; those of runs that never ended are no longer needed."""
        await self._connection.execute(DROP_OLDER, key.service_id)
        await self._connection.execute(ADD_KEY, key.task_id, key.service_id, key.data_key_id, key.ciphertext)

    async def take_key(self, task_id: str) -> ReplyKey | None:
        """The key, which nobody gets a second time."""
        return rows.one(await self._connection.fetchrow(TAKE_KEY, task_id), ReplyKey)
