"""Group commit: what comes in while a batch is handled becomes the next batch.

Callers wait for their own message's outcome, so acknowledging stays per message; the work is done once per batch.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
M = TypeVar("M")


class Gathered(Generic[A, M]):
    """Calls `handle(app, messages)` with everything that waits, one batch at a time.

    When a batch fails its messages are handled one by one, so that one bad message spoils no other.
    """

    def __init__(self, handle: Callable[[A, Sequence[M]], Awaitable[None]], most: int = 256) -> None:
        self._handle = handle
        self._most = most
        self._waiting: list[tuple[M, asyncio.Future[None]]] = []
        self._turn = asyncio.Lock()

    async def __call__(self, app: A, message: M) -> None:
        """Returns when the message has been handled, raises what its handling raised."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, done))
        try:
            async with self._turn:
                if not done.done():
                    await self._run(app)
            await done
        finally:
            self._waiting = [other for other in self._waiting if other[1] is not done]
            if done.done() and not done.cancelled():
                done.exception()

    async def _run(self, app: A) -> None:
        # They stay in the list until they are handled: should this caller be cancelled, the next in turn takes them.
        batch = self._waiting[: self._most]
        await self._try(app, batch)
        handled = {id(done) for _, done in batch}
        self._waiting = [entry for entry in self._waiting if id(entry[1]) not in handled]

    async def _try(self, app: A, batch: list[tuple[M, asyncio.Future[None]]]) -> None:
        try:
            await self._handle(app, [message for message, _ in batch])
        except Exception:
            for message, done in batch:
                await self._alone(app, message, done)
            return
        for _, done in batch:
            if not done.done():
                done.set_result(None)

    async def _alone(self, app: A, message: M, done: "asyncio.Future[None]") -> None:
        try:
            await self._handle(app, [message])
        except Exception as error:
            if not done.done():
                done.set_exception(error)
            return
        if not done.done():
            done.set_result(None)
