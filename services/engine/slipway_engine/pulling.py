"""Pulls tasks and keeps those in hand: as many as there are slots, each once.

Invariant: a task that is in hand and comes again is not begun twice, and a message that can't be read as a task is
not lost: it stays with the bus and is told in the log.
"""

import asyncio
import contextlib
from typing import Any

import msgspec
import structlog

from slipway_bus import Delivery
from slipway_contracts.streams import TASKS
from slipway_contracts.tasks import Order, Task
from slipway_engine.app import Engine
from slipway_engine.executing import Execution
from slipway_errors import Fault

PULL_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 5.0
UNREADABLE_SECONDS = 60.0
log = structlog.get_logger()


class Pulling:
    """The loop and the tasks in hand."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._slots = engine.settings.build_slots + engine.settings.deploys + engine.settings.runs
        self._in_hand: dict[str, tuple[Execution, asyncio.Task[None]]] = {}
        self._ended = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Pull until `stopping`; then let what is in hand go on for a while, and leave the rest."""
        stop: asyncio.Future[Any] = asyncio.ensure_future(stopping.wait())
        pause = 0.2
        try:
            while not stopping.is_set():
                try:
                    await self._turn(stop)
                    pause = 0.2
                except Fault as fault:
                    log.warning("no tasks", reason=fault.detail)
                    await asyncio.wait({stop}, timeout=pause)
                    pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
        finally:
            stop.cancel()
            await self._finish()

    def obey(self, order: Order) -> None:
        """An order about a task; one that is not in hand is looked up when it begins."""
        if order.task_id in self._in_hand:
            log.info("ordered", task_id=order.task_id, forced=order.forced)
            self._in_hand[order.task_id][0].obey(order)

    async def watch_reconnects(self, stopping: asyncio.Event) -> None:
        """After each reconnect ask what was ordered meanwhile."""
        connections = self._engine.bus.connections
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await stopping.wait()
            if self._engine.bus.connections != connections:
                connections = self._engine.bus.connections
                await self._engine.orders.read_back(list(self._in_hand))

    async def _turn(self, stop: asyncio.Future[Any]) -> None:
        free = self._slots - len(self._in_hand)
        if free <= 0:
            self._ended.clear()
            ended: asyncio.Future[Any] = asyncio.ensure_future(self._ended.wait())
            await asyncio.wait([ended, stop], return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            return
        pulling = asyncio.ensure_future(
            self._engine.bus.pull(TASKS.name, self._engine.settings.cluster_id, free, PULL_SECONDS)
        )
        either: list[asyncio.Future[Any]] = [pulling, stop]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not pulling.done():
            pulling.cancel()
            await asyncio.wait({pulling})
        if not pulling.cancelled():
            for delivery in pulling.result():
                await self._take(delivery)

    async def _take(self, delivery: Delivery) -> None:
        try:
            task = delivery.decode(Task)
            execution = Execution(self._engine, task, delivery)
        except (msgspec.DecodeError, ValueError) as error:
            log.error("unreadable task", sequence=delivery.sequence, reason=str(error))
            await delivery.nak(UNREADABLE_SECONDS)
            return
        if task.id in self._in_hand:
            await self._in_hand[task.id][0].adopt(delivery)
            return
        log.info("task", task_id=task.id, kind=task.kind, service_id=task.service_id, delivery=delivery.deliveries)
        running = asyncio.create_task(execution.run(), name=f"task {task.id}")
        self._in_hand[task.id] = (execution, running)
        running.add_done_callback(lambda _: self._done(task.id))

    def _done(self, task_id: str) -> None:
        self._in_hand.pop(task_id, None)
        self._ended.set()

    async def _finish(self) -> None:
        """On the way out: most tasks are done in a moment; the others are continued by the next engine."""
        running = {task for _, task in self._in_hand.values()}
        if not running:
            return
        await asyncio.wait(running, timeout=self._engine.settings.stop_seconds / 4)
        for execution, _ in list(self._in_hand.values()):
            execution.leave()
        await asyncio.wait(running, timeout=self._engine.settings.stop_seconds / 2)
