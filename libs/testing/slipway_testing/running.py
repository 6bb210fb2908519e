"""A service inside the test's own process, opened and ended as `run` does it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from slipway_service import Life

S = TypeVar("S")


@asynccontextmanager
async def started(
    serve: Callable[[S, Life], Awaitable[None]], settings: S, timeout_seconds: float = 20.0, stop_seconds: float = 5.0
) -> AsyncIterator[Life]:
    """`async with started(serve, Settings(…)) as life:` the service is ready; a loop that died fails the test."""
    life = Life(stop_seconds)
    task = asyncio.create_task(life.live(lambda life: serve(settings, life)), name="service under test")
    ready = asyncio.create_task(life.served.wait())
    try:
        waited: set[asyncio.Task[Any]] = {task, ready}
        await asyncio.wait(waited, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        assert life.ready, "the service did not get ready"
        yield life
    finally:
        ready.cancel()
        life.stopping.set()
        await asyncio.wait({task}, timeout=5 * stop_seconds)
        assert task.done(), "the service did not end"
        task.result()
    assert not life.failed, "a loop of the service died, or it did not end in time"
