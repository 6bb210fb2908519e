"""Fences: the highest (fence, delivery) that touched a service, kept where the effect is.

Invariant: under the lock of a service only the holder of its highest fence changes anything. An engine that slept
through its lease finds a higher one there when it wakes, and stops, although it could ask nobody.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from slipway_engine.problems import Fenced
from slipway_errors import Unavailable
from slipway_workloads.records import Record, read, write_bytes

LOCK_SECONDS = 20.0


class Mark(Record, frozen=True, kw_only=True, order=True):
    """What stands in the file. A newer task has a higher fence, a newer delivery of the same task a higher delivery."""

    fence: int = 0
    delivery: int = 0
    task_id: str = ""
    engine_id: str = ""

    @property
    def number(self) -> tuple[int, int]:
        return (self.fence, self.delivery)


def may_claim(held: Mark, wanted: Mark) -> bool:
    """A higher number may; the same one only for whom it belongs to already."""
    return wanted.number > held.number or wanted == held


class Fence:
    """One task's right to change one service."""

    def __init__(self, path: Path, mark: Mark) -> None:
        self._path = path
        self.mark = mark

    async def claim(self, delivery: int | None = None) -> None:
        """Take the service over from everything older; Fenced when something newer has it.

        `delivery`: the same task came again, to this same engine.
        """
        if delivery is not None:
            self.mark = msgspec.structs.replace(self.mark, delivery=delivery)
        async with _locked(self._path):
            held = read(self._path, Mark) or Mark()
            if not may_claim(held, self.mark):
                raise _lost(held)
            await asyncio.to_thread(write_bytes, self._path, msgspec.json.encode(self.mark))

    async def check(self) -> None:
        """Fenced when something newer has taken the service over."""
        self._compare()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Nobody can take the service over inside this block: keep it short, and put each switch into it."""
        async with _locked(self._path):
            self._compare()
            yield

    def _compare(self) -> None:
        held = read(self._path, Mark) or Mark()
        if held != self.mark:
            raise _lost(held)


def _lost(held: Mark) -> Fenced:
    return Fenced(
        f"A newer task (fence {held.fence}, delivery {held.delivery}) has taken this service over; nothing was changed."
    )


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _lock(lock, path)
        yield
    finally:
        os.close(lock)


async def _lock(lock: int, path: Path) -> None:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise Unavailable(f"Another engine holds the lock of service {path.name}.") from None
            await asyncio.sleep(0.02)
