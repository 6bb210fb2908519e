"""Where things stand, kept for a while: places hardly change, and a read should not wait for another service."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from slipway_contracts.places import LOCATE, Locate, Place
from slipway_errors import NotFound

Locating = Callable[[str, str], Awaitable[Place | None]]
KEPT = 50_000
KEPT_SECONDS = 10.0
"""The mode of an environment can change, and rights may hang on it."""


class CachedLocate:
    """A locate function that remembers what was found; what wasn't is asked again."""

    def __init__(self, locate: Locating, kept: int = KEPT, kept_seconds: float = KEPT_SECONDS) -> None:
        self._locate = locate
        self._kept = kept
        self._seconds = kept_seconds
        self._places: dict[tuple[str, str], tuple[Place, float]] = {}

    async def __call__(self, kind: str, id: str, /) -> Place | None:
        known = self._places.get((kind, id))
        now = time.monotonic()
        if known is not None and now - known[1] < self._seconds:
            return known[0]
        place = await self._locate(kind, id)
        if place is None or not place.found:
            self._places.pop((kind, id), None)
            return None
        if len(self._places) >= self._kept:
            self._places.clear()
        self._places[kind, id] = (place, now)
        return place

    def forget(self, kind: str, id: str) -> None:
        """Ask anew next time."""
        self._places.pop((kind, id), None)


class Asking(Protocol):
    """What is needed of a bus."""

    async def request(
        self, topic: Any, message: Any, reply: type[Any], timeout_seconds: float = 5.0, **ids: str
    ) -> Any: ...


def remote_locate(bus: Asking) -> CachedLocate:
    """A locate function for edges: asks core over the bus, and remembers."""

    async def locate(kind: str, id: str) -> Place | None:
        try:
            place: Place = await bus.request(LOCATE, Locate(kind=kind, id=id), Place, timeout_seconds=3.0)
        except NotFound:
            return None
        return place if place.found else None

    return CachedLocate(locate)
