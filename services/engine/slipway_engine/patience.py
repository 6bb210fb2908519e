"""Work that must not be left half-way when a task is canceled: it is waited for, cancel or not.

A thread can't be stopped at all: canceling the wait for one would let it write on behind everybody's back.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def uninterrupted(work: Awaitable[T]) -> T:
    """Run to the end and forget a cancel that came meanwhile: it came too late."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return task.result()


async def completed(work: Awaitable[T]) -> T:
    """Run to the end, and only then obey a cancel that came meanwhile."""
    task = asyncio.ensure_future(work)
    canceled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            canceled = True
    result = task.result()
    if canceled:
        raise asyncio.CancelledError
    return result


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call in a thread, and wait for its end also when canceled."""
    return await completed(asyncio.to_thread(function, *args, **kwargs))
