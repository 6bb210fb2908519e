"""Orders about tasks: cancel, and cancel by force. Heard live; the last one is read back after every reconnect.

Invariant: an order given while the engine was away is obeyed as soon as it is back, and before a task begins.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from slipway_bus import Bus
from slipway_contracts.tasks import ORDERED, Order
from slipway_errors import Fault

ASK_SECONDS = 3.0
log = structlog.get_logger()


class Orders:
    """What was ordered about the tasks in hand."""

    def __init__(self, bus: Bus, cluster_id: str) -> None:
        self._bus = bus
        self._cluster_id = cluster_id
        self._obey: Callable[[Order], None] = lambda order: None

    async def listen(self, obey: Callable[[Order], None]) -> None:
        """Call `obey` for each order from now on. The same order may come more than once."""
        self._obey = obey
        await self._bus.subscribe(ORDERED, self._heard, cluster_id=self._cluster_id)

    async def last(self, task_id: str) -> Order | None:
        """The last order about a task; None when there is none, or nobody to ask: then it comes with the reconnect."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                stored = await self._bus.last(ORDERED, cluster_id=self._cluster_id, task_id=task_id)
        except (Fault, TimeoutError) as error:
            log.warning("orders can't be read", reason=str(error), task_id=task_id)
            return None
        return stored.message if stored else None

    async def read_back(self, task_ids: Iterable[str]) -> None:
        """Obey what was ordered while nobody listened."""
        for task_id in task_ids:
            order = await self.last(task_id)
            if order is not None:
                self._obey(order)

    def _heard(self, order: Order, subject: str, headers: object) -> None:
        self._obey(order)
