"""What channels are made of: messages of the streams, each with its sequence, encoded once for everybody.

Also reading them back: forward from a position, or backward from one, bounded in number and bytes.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import structlog

from slipway_bus import Bus
from slipway_bus.direct import Kept, read_kept
from slipway_contracts.base import Message, Topic

log = structlog.get_logger()

FIRST_WIDTH = 1024
"""Sequences that the first step backward looks at."""


@dataclass(frozen=True, slots=True)
class Item:
    """One message. `data` is its JSON, on one line."""

    sequence: int
    subject: str
    message: Message
    data: bytes


@dataclass(frozen=True)
class StreamState:
    """Identity and bounds of a stream. `epoch` changes when the stream was made anew."""

    epoch: str
    first: int
    last: int


@dataclass(frozen=True)
class Page:
    """Some items in the order of the stream; `complete`: there are no more in that direction."""

    items: list[Item]
    complete: bool


Wants = Callable[[Item], bool]


def everything(item: Item) -> bool:
    return True


async def stream_state(bus: Bus, topic: Topic[Any], incarnation: str = "") -> StreamState:
    """Where the topic's stream begins and ends now; `incarnation` becomes part of its identity."""
    assert topic.stream is not None
    info = await bus.api(f"STREAM.INFO.{topic.stream.name}")
    state = info["state"]
    epoch = _epoch(str(info["created"])) + incarnation
    return StreamState(epoch=epoch, first=int(state["first_seq"]), last=int(state["last_seq"]))


def _epoch(created: str) -> str:
    digits = "".join(character for character in created if character.isdigit())
    return format(int(digits or "0"), "x")


class Reader:
    """Reads one subject filter of a topic. Everything is decoded, so what a client gets is what the contract says."""

    def __init__(self, bus: Bus, topic: Topic[Any], filter: str) -> None:
        assert topic.stream is not None
        self.topic = topic
        self.filter = filter
        self.incarnation = ""
        self._bus = bus
        self.keeps_newest = topic.stream.max_messages_per_subject == 1
        """Only the newest of each subject is kept: older ones are replaced, not lost."""
        self._stream = topic.stream.name
        self._decoder = msgspec.json.Decoder(topic.message)

    def item(self, sequence: int, subject: str, data: bytes) -> Item | None:
        """An item from a stored message; None for what is not of the topic's form."""
        try:
            message = self._decoder.decode(data)
        except msgspec.DecodeError:
            log.warning("unreadable message", subject=subject, sequence=sequence)
            return None
        return Item(sequence, subject, message, msgspec.json.encode(message))

    async def state(self) -> StreamState:
        return await stream_state(self._bus, self.topic, self.incarnation)

    async def after(self, sequence: int, limit: int, most_bytes: int, wants: Wants = everything) -> Page:
        """What came after a sequence, oldest first; incomplete when it is more than allowed."""
        items: list[Item] = []
        size = 0
        async with aclosing(self._items(sequence)) as source:
            async for item in source:
                if not wants(item):
                    continue
                size += len(item.data)
                if len(items) >= limit or size > most_bytes:
                    return Page(items, False)
                items.append(item)
        return Page(items, True)

    async def since(self, moment: datetime, limit: int, most_bytes: int, wants: Wants = everything) -> Page:
        """The newest of what came since a moment, oldest first."""
        items: list[Item] = []
        complete = True
        async with aclosing(self._items(0, moment)) as source:
            async for item in source:
                if not wants(item):
                    continue
                items.append(item)
                if len(items) > 2 * limit:
                    items, complete = items[-limit:], False
        newest = _newest(items, limit, most_bytes)
        return Page(newest, complete and len(newest) == len(items))

    async def before(self, sequence: int, limit: int, most_bytes: int) -> Page:
        """The newest `limit` before a sequence, oldest first. Streams read forward only, so this steps backward."""
        state = await self.state()
        high = min(sequence, state.last + 1)
        width = max(FIRST_WIDTH, 2 * limit)
        items: list[Item] = []
        while high > max(state.first, 1) and len(items) < limit:
            low = max(state.first, 1, high - width)
            found = await self._between(low, high, 4 * limit + FIRST_WIDTH)
            if found is None:
                width = max(limit, (high - low) // 4)
                continue
            items = found + items
            high = low
            width = width * 8 if not found else width * 2
        newest = _newest(items, limit, most_bytes)
        complete = high <= max(state.first, 1) and len(newest) == len(items)
        return Page(newest, complete)

    async def _between(self, low: int, high: int, most: int) -> list[Item] | None:
        """Items from `low` up to before `high`; None when they are more than `most`."""
        items: list[Item] = []
        async with aclosing(self._items(low - 1)) as source:
            async for item in source:
                if item.sequence >= high:
                    break
                if len(items) >= most and high - low > most:
                    return None
                items.append(item)
        return items

    async def _items(self, after: int, since: datetime | None = None) -> AsyncGenerator[Item, None]:
        kept_ones: AsyncGenerator[Kept, None] = read_kept(self._bus, self._stream, self.filter, after, since)  # type: ignore[assignment]
        async with aclosing(kept_ones):
            async for kept in kept_ones:
                item = self.item(kept.sequence, kept.subject, kept.data)
                if item is not None:
                    yield item


def _newest(items: list[Item], limit: int, most_bytes: int) -> list[Item]:
    """The end of the list that is within the bounds; at least one if there is any."""
    taken = 0
    size = 0
    for item in reversed(items):
        size += len(item.data)
        if taken and (taken >= limit or size > most_bytes):
            break
        taken += 1
    return items[len(items) - taken :]
