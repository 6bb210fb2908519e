"""The relay: publishes what lies in the outbox, then deletes it. Any number may run; each aggregate keeps its order.

Who holds the lock on an aggregate's first row owns that aggregate for a batch. Within one aggregate each message waits
for the acknowledgement of the one before, different aggregates go side by side. A crash between publishing and
deleting publishes again under the same message id.
"""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Protocol

import asyncpg
import msgspec
import structlog

from slipway_errors import Fault, Kind
from slipway_postgres.connections import Connection, Pool
from slipway_postgres.constraints import NO_CONNECTION, is_lost

AGGREGATES_PER_BATCH = 128
ROWS_PER_BATCH = 2048
POLL_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 5.0
log = structlog.get_logger()

# A head is an aggregate's oldest row. The second of two relays skips heads that the first has locked, and with them the
# whole aggregate; a head whose last attempt was refused is left alone until its time comes, others go on.
CLAIM = """
    WITH heads AS (
        SELECT head.aggregate FROM outbox AS head
        WHERE head.retry_at <= now()
          AND NOT EXISTS (
              SELECT FROM outbox AS earlier
              WHERE earlier.aggregate = head.aggregate AND earlier.sequence < head.sequence
          )
        ORDER BY head.sequence
        LIMIT $1
        FOR UPDATE SKIP LOCKED
    )
    SELECT aggregate FROM heads
"""
# A statement of its own, after the locks: its snapshot sees what the former owner of the aggregate deleted.
READ = """
    SELECT news.* FROM unnest($1::text[]) AS owned (aggregate)
    CROSS JOIN LATERAL (
        SELECT sequence, id, aggregate, subject, payload, headers FROM outbox
        WHERE outbox.aggregate = owned.aggregate ORDER BY sequence LIMIT $2
    ) AS news
    ORDER BY news.aggregate, news.sequence
"""
DELETE = "DELETE FROM outbox WHERE sequence = ANY($1::bigint[])"
REFUSED = """
    UPDATE outbox
    SET attempts = attempts + 1, problem = $2,
        retry_at = now() + least(60, 2 ^ least(attempts, 6)) * interval '1 second'
    WHERE sequence = $1
"""


class Publisher(Protocol):
    """What the relay needs of a bus: publish, and return after the durable acknowledgement."""

    async def publish_raw(
        self, subject: str, data: bytes, *, id: str | None = None, headers: Mapping[str, str] | None = None
    ) -> int: ...


async def relay(pool: Pool, bus: Publisher, stopping: asyncio.Event) -> None:
    """Publish what comes into the outbox until `stopping`; servers that are away are waited for."""
    pause = 0.1
    while not stopping.is_set():
        try:
            async with pool.acquire(timeout=LONGEST_PAUSE_SECONDS) as connection:
                pause = 0.1
                await _relay_with(connection, bus, stopping)
        except Fault as fault:
            log.warning("outbox waits", reason=fault.detail, code=fault.code)
        except NO_CONNECTION as error:
            if not is_lost(error):
                raise
            log.warning("outbox waits", reason=str(error) or type(error).__name__)
        await _pause(stopping, pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


async def _relay_with(connection: Connection, bus: Publisher, stopping: asyncio.Event) -> None:
    wake = asyncio.Event()

    def notified(*_details: object) -> None:
        wake.set()

    await connection.add_listener("outbox", notified)
    try:
        while not stopping.is_set():
            wake.clear()
            if await relay_batch(connection, bus) == 0:
                await _wait_for_any(wake, stopping)
    finally:
        if not connection.is_closed():
            await connection.remove_listener("outbox", notified)


async def relay_batch(connection: Connection, bus: Publisher) -> int:
    """Publish one batch; the number of messages that went out. A bus that is away raises after what did is deleted."""
    trouble: BaseException | None = None
    async with connection.transaction():
        aggregates = [row["aggregate"] for row in await connection.fetch(CLAIM, AGGREGATES_PER_BATCH)]
        if not aggregates:
            return 0
        rows = await connection.fetch(READ, aggregates, max(ROWS_PER_BATCH // len(aggregates), 4))
        outcomes = await asyncio.gather(*(_publish_in_order(bus, group) for group in _by_aggregate(rows)))
        done = [sequence for outcome in outcomes for sequence in outcome.published]
        await connection.execute(DELETE, done)
        for outcome in outcomes:
            if outcome.refused is not None:
                log.error("outbox message refused", outbox_sequence=outcome.refused, reason=outcome.problem)
                await connection.execute(REFUSED, outcome.refused, outcome.problem)
            trouble = trouble or outcome.trouble
    if trouble is not None:
        raise trouble
    return len(done)


class _Outcome(msgspec.Struct):
    published: list[int] = []
    refused: int | None = None
    problem: str = ""
    trouble: BaseException | None = None
    """The bus is away: nothing is wrong with the message."""


def _by_aggregate(rows: Iterable["asyncpg.Record"]) -> list[list["asyncpg.Record"]]:
    return [list(group) for _, group in groupby(rows, key=lambda row: row["aggregate"])]


async def _publish_in_order(bus: Publisher, rows: list["asyncpg.Record"]) -> _Outcome:
    outcome = _Outcome()
    for row in rows:
        try:
            await _publish(bus, row)
        except Fault as fault:
            if fault.kind in (Kind.UNAVAILABLE, Kind.BUSY):
                outcome.trouble = fault
            else:
                outcome.refused, outcome.problem = row["sequence"], fault.detail
            break
        except Exception as error:
            outcome.refused, outcome.problem = row["sequence"], repr(error)
            break
        outcome.published.append(row["sequence"])
    return outcome


async def _publish(bus: Publisher, row: "asyncpg.Record") -> None:
    headers = msgspec.json.decode(row["headers"], type=dict[str, str])
    await bus.publish_raw(row["subject"], row["payload"], id=row["id"], headers=headers)


async def _wait_for_any(wake: asyncio.Event, stopping: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (wake, stopping)]
    try:
        await asyncio.wait(waits, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
