"""Writes the delivery log, in batches, beside the deliveries: with the database away they are answered all the same.

What can't be written is kept up to a limit; beyond it the oldest go, counted.
"""

import asyncio
import contextlib
from collections import deque
from datetime import UTC, datetime, timedelta

import structlog

from slipway_errors import Fault, Unavailable
from slipway_postgres import Pool, check_schema, pool, reading
from slipway_webhooks.stores.deliveries import Deliveries, Logged

HELD = 20_000
BATCH = 500
GATHER_SECONDS = 0.25
RETRY_SECONDS = 1.0
CLEAN_SECONDS = 600.0
CLEANED_AT_ONCE = 5000
PACKAGE = "slipway_webhooks"
log = structlog.get_logger()


class DeliveryLog:
    """`note` never waits; `run` writes."""

    def __init__(self, url: str, keep_days: int) -> None:
        self._url = url
        self._keep = timedelta(days=keep_days)
        self._held: deque[Logged] = deque()
        self._noted = asyncio.Event()
        self._pool: Pool | None = None
        self.dropped = 0

    @property
    def pool(self) -> Pool:
        """The database; Unavailable while it can't be reached."""
        if self._pool is None:
            raise Unavailable("The delivery log is away.")
        return self._pool

    def note(self, entry: Logged) -> None:
        """Have it written soon."""
        if len(self._held) >= HELD:
            self._held.popleft()
            self.dropped += 1
        self._held.append(entry)
        self._noted.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Write until `stopping`, and what is left then."""
        while not stopping.is_set():
            try:
                async with pool(self._url, "webhooks", max_size=4) as opened:
                    await check_schema(opened, PACKAGE)
                    self._pool = opened
                    await self._write_until(stopping)
            except Unavailable as fault:
                log.warning("delivery log waits", reason=fault.detail, held=len(self._held))
                await _first(RETRY_SECONDS, stopping)
            finally:
                self._pool = None

    async def _write_until(self, stopping: asyncio.Event) -> None:
        clean_at = 0.0
        while not (stopping.is_set() and not self._held):
            now = asyncio.get_running_loop().time()
            if now >= clean_at:
                clean_at = now + CLEAN_SECONDS
                await self._clean()
            await self._write()
            if not stopping.is_set():
                await _first(CLEAN_SECONDS, stopping, self._noted)
                await _first(GATHER_SECONDS, stopping)

    async def _write(self) -> None:
        self._noted.clear()
        while self._held:
            batch = [self._held.popleft() for _ in range(min(BATCH, len(self._held)))]
            try:
                async with reading(self.pool) as connection:
                    await Deliveries(connection).add(batch)
            except Unavailable:
                self._held.extendleft(reversed(batch))
                raise
            except Fault as fault:
                log.error("deliveries not logged", count=len(batch), reason=fault.detail)
                self.dropped += len(batch)

    async def _clean(self) -> None:
        async with reading(self.pool) as connection:
            while await Deliveries(connection).remove_old(datetime.now(UTC) - self._keep, CLEANED_AT_ONCE):
                pass


async def _first(seconds: float, *events: asyncio.Event) -> None:
    """Wait for one of the events, or for so long."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*waits, return_exceptions=True)
