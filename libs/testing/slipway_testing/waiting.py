"""Waiting for a condition, never for a time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    condition: Callable[[], T | Awaitable[T]], timeout_seconds: float = 10.0, every_seconds: float = 0.02
) -> T:
    """Call the condition until it is true, and return what it gave. An AssertionError counts as not yet."""
    until = time.monotonic() + timeout_seconds
    while True:
        failure: AssertionError | None = None
        value: T | None = None
        try:
            outcome = condition()
            value = await outcome if inspect.isawaitable(outcome) else outcome
        except AssertionError as error:
            failure = error
        if failure is None and value:
            return value
        if time.monotonic() >= until:
            raise failure or AssertionError(f"still {value!r} after {timeout_seconds} s")
        await asyncio.sleep(every_seconds)
