"""Sending what just fired, beside the firing of the next batch.

Only a short cut: everything lies in the outbox until the stream has it, and whatever is not sent here the relay sends.
"""

import asyncio

import structlog

from slipway_errors import Fault
from slipway_scheduler.app import Scheduler
from slipway_scheduler.stores.news import Told

HELD_SECONDS = 3.0
"""The relay leaves to us for so long what we said we would send."""
MOST_AT_ONCE = 4
log = structlog.get_logger()


class Sending:
    """The batches that one replica sends at this moment."""

    def __init__(self, app: Scheduler) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def held_seconds(self) -> float:
        """How long the relay is to leave a new batch to us: not at all when we couldn't send it."""
        bus = self._app.bus
        return HELD_SECONDS if bus and bus.connected and len(self._tasks) < MOST_AT_ONCE else 0

    def start(self, told: list[Told]) -> None:
        """Send a batch, and take it out of the outbox once the stream has it."""
        task = asyncio.create_task(self._send(told))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def room(self) -> None:
        """Wait until one more batch can be sent."""
        while len(self._tasks) >= MOST_AT_ONCE:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def end(self) -> None:
        """Wait for what is being sent."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _send(self, told: list[Told]) -> None:
        assert self._app.bus is not None
        futures = []
        try:
            for one in told:
                futures.append(await self._app.bus.publish_soon(one.subject, one.payload, id=one.id))
        except Fault as fault:
            log.warning("the relay sends the rest", reason=fault.detail, code=fault.code)
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        kept = [one.sequence for one, outcome in zip(told, outcomes, strict=False) if isinstance(outcome, int)]
        try:
            async with self._app.work() as work:
                await work.news.sent(kept)
        except Fault as fault:
            log.warning("the relay sends again", reason=fault.detail, code=fault.code)
