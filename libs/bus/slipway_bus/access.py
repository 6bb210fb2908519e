"""Keeps an edge's copy of who may do what fed from the bucket `access`, for as long as the process lives."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from slipway_bus.connection import Bus
from slipway_bus.tables import LOADED, Table, follow
from slipway_contracts.access import ACCESS, AccessEntry
from slipway_security.access import AccessCopy


class Living(Protocol):
    """What is needed of `slipway_service.Life`."""

    stopping: asyncio.Event

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> Any: ...


async def follow_access(bus: Bus, life: Living) -> AccessCopy:
    """A copy that is fed from now on. It denies until it is loaded: `await copy.wait_ready()` before serving."""
    copy = AccessCopy()
    table = await bus.table(ACCESS)
    life.spawn(_feed(copy, table, life.stopping), name="access")
    return copy


async def _feed(copy: AccessCopy, table: Table[AccessEntry], stopping: asyncio.Event) -> None:
    def apply(key: str, entry: AccessEntry | None) -> None:
        if key == LOADED:
            copy.loaded()
        else:
            copy.apply(key, entry)

    await follow(table, apply, stopping)
