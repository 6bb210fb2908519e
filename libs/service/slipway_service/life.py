"""The life of one process: open in order, close in reverse, loops that must not die unseen.

On stopping: loops see `stopping` and finish what they have in hand, meanwhile everything is told (`begin_stop` of what
was entered, `on_stop` callbacks; in reverse order), then what was entered is closed in reverse. Each phase has a limit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger()


class Life:
    """Handed to `serve`: what it opens and starts belongs to this."""

    def __init__(self, stop_seconds: float = 20.0, worker: int | None = None) -> None:
        """`stop_seconds` limits each phase of the end. `worker` is the number of a worker that shares its port."""
        self.stopping = asyncio.Event()
        self.served = asyncio.Event()
        self.failed = False
        self.worker = worker
        self._stop_seconds = stop_seconds
        self._stack = AsyncExitStack()
        self._loops: set[asyncio.Task[Any]] = set()
        self._on_stop: list[Callable[[], Awaitable[None]]] = []

    @property
    def ready(self) -> bool:
        """Everything is open and nothing is ending."""
        return self.served.is_set() and not self.stopping.is_set()

    @property
    def shares_port(self) -> bool:
        """Other workers of this service listen on the same port (SO_REUSEPORT)."""
        return self.worker is not None

    async def enter(self, context_manager: AbstractAsyncContextManager[T]) -> T:
        """Open something; it is closed at the end, in reverse order. What has a `begin_stop()` is told first."""
        resource = await self._stack.enter_async_context(context_manager)
        begin_stop = getattr(resource, "begin_stop", None)
        if begin_stop is not None:
            self.on_stop(begin_stop)
        return resource

    def spawn(self, coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start a loop. It should end when `stopping` is set; should it end with an error, the process ends."""
        task = asyncio.create_task(coroutine, name=name)
        self._loops.add(task)
        task.add_done_callback(self._loop_ended)
        return task

    def on_stop(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call this when stopping, before anything is closed; the last one given first."""
        self._on_stop.append(callback)

    def _loop_ended(self, task: asyncio.Task[Any]) -> None:
        self._loops.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        log.error("loop died", loop=task.get_name(), exc_info=task.exception())
        self.failed = True
        self.stopping.set()

    async def live(self, serve: Callable[["Life"], Awaitable[None]]) -> None:
        """Open everything, stay until `stopping` is set, and close everything."""
        try:
            opening: asyncio.Future[None] = asyncio.ensure_future(serve(self))
            await self._until_stopped_or_done(opening)
            self.served.set()
            await self.stopping.wait()
        finally:
            self.stopping.set()
            await self._end()

    async def _until_stopped_or_done(self, opening: "asyncio.Future[None]") -> None:
        stop: asyncio.Future[Any] = asyncio.ensure_future(self.stopping.wait())
        waited: set[asyncio.Future[Any]] = {opening, stop}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            if not opening.done():
                opening.cancel()
                await asyncio.wait({opening}, timeout=self._stop_seconds)
        if opening.done() and not opening.cancelled():
            opening.result()

    async def _end(self) -> None:
        for callback in reversed(self._on_stop):
            await self._limited("telling", callback())
        if self._loops:
            await asyncio.wait(set(self._loops), timeout=self._stop_seconds)
        for task in set(self._loops):
            log.warning("loop cut off", loop=task.get_name())
            task.cancel()
        if self._loops:
            await asyncio.wait(set(self._loops), timeout=self._stop_seconds)
        await self._limited("closing", self._stack.aclose())

    async def _limited(self, phase: str, work: Awaitable[Any]) -> None:
        try:
            await asyncio.wait_for(work, self._stop_seconds)
        except Exception:
            log.exception("stopping went wrong", phase=phase)
            self.failed = True
