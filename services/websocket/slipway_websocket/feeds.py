"""A feed: one upstream subscription, shared by all clients of whatever channels are made from it.

Live messages come by a plain subscription to what the stream republishes. Each says which message of its subject came
before it, so a gap (a lost connection) is seen, and what is missing is read from the stream before anything else goes
on. Members are told items in the order of the stream, each once.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from slipway_bus import Bus, Listening
from slipway_contracts.base import Topic
from slipway_errors import Fault
from slipway_websocket.items import Item, Reader, StreamState

log = structlog.get_logger()

REPAIR_MESSAGES = 5000
REPAIR_BYTES = 32 * 1024 * 1024
RETRY_SECONDS = 1.0


class Listener(Protocol):
    """Who is told what comes on a feed."""

    def deliver(self, item: Item) -> None: ...

    def lost(self) -> None:
        """Something is missing and can't be made up for: clients must begin anew."""


class Feed:
    """What comes on one subject filter of one stream."""

    def __init__(self, bus: Bus, topic: Topic[Any], filter: str) -> None:
        self.reader = Reader(bus, topic, filter)
        self.epoch = ""
        self.position = 0
        """Everything of the filter up to this sequence was delivered, or was there before we listened."""
        self.listeners: set[Listener] = set()
        self.idle_since = 0.0
        self._bus = bus
        self._last: dict[str, int] = {}
        self._held: list[Item] = []
        self._overflown = False
        self._repairing: asyncio.Task[None] | None = None
        self._listening: Listening | None = None
        self._opened: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Return once the feed is live. Who comes while it opens waits for the same opening."""
        if self._opened is None:
            self._opened = asyncio.create_task(self._open(), name=f"open {self.reader.filter}")
        opening = self._opened
        try:
            await asyncio.shield(opening)
        except Fault:
            if self._opened is opening:
                self._opened = None
            raise

    async def _open(self) -> None:
        if self._listening is None:
            # Undecoded, so that one message that can't be read doesn't look like a gap.
            self._listening = await self._bus.listen(f"live.{self.reader.filter}", self._received)
        await self._bus.wait_connected()
        await self._bus.client.flush()
        state = await self.reader.state()
        self.epoch = state.epoch
        self.position = max(self.position, state.last)

    async def close(self) -> None:
        """Hear nothing more."""
        tasks = [task for task in (self._opened, self._repairing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listening is not None:
            await self._listening.unsubscribe()

    # -- live ----------------------------------------------------------------------------------------------------

    async def _received(self, raw: Any) -> None:
        headers = raw.headers or {}
        sequence, before = int(headers.get("Nats-Sequence", 0)), int(headers.get("Nats-Last-Sequence", 0))
        subject = raw.subject.removeprefix("live.")
        if sequence <= 0:
            return
        item = self.reader.item(sequence, subject, raw.data)
        known = self._last.get(subject, 0)
        if sequence <= known:
            return
        self._last[subject] = sequence
        if self._repairing is not None:
            self._hold(item)
        elif before > max(known, self.position):
            self._hold(item)
            self.repair()
        elif item is not None:
            self._deliver(item)

    def _hold(self, item: Item | None) -> None:
        if len(self._held) >= REPAIR_MESSAGES:
            self._overflown = True  # read again later what is let go of now
        elif item is not None:
            self._held.append(item)

    def _deliver(self, item: Item) -> None:
        self.position = max(self.position, item.sequence)
        for listener in tuple(self.listeners):
            listener.deliver(item)

    # -- gaps ----------------------------------------------------------------------------------------------------

    def repair(self) -> None:
        """Read what may have been missed; live messages wait meanwhile."""
        if self._repairing is None and self._listening is not None:
            self._repairing = asyncio.create_task(self._repair(), name=f"repair {self.reader.filter}")

    async def _repair(self) -> None:
        try:
            while True:
                try:
                    await self._make_up()
                    if not self._overflown:
                        return
                    self._overflown = False
                except Fault as fault:
                    log.info("feed waits for the bus", filter=self.reader.filter, reason=fault.detail)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._repairing = None

    async def _make_up(self) -> None:
        state = await self.reader.state()
        evicted = state.first > self.position + 1 and not self.reader.keeps_newest
        if state.epoch != self.epoch or state.last < self.position or evicted:
            self._begin_anew(state)
            return
        page = await self.reader.after(self.position, REPAIR_MESSAGES, REPAIR_BYTES)
        if not page.complete:
            self._begin_anew(await self.reader.state())
            return
        held, self._held = self._held, []
        for item in page.items:
            self._give(item)
        for item in held:
            self._give(item)
        self.position = max(self.position, state.last if not self._overflown else 0)

    def _give(self, item: Item) -> None:
        if item.sequence > self.position:
            self._last[item.subject] = max(item.sequence, self._last.get(item.subject, 0))
            self.position = item.sequence
            for listener in tuple(self.listeners):
                listener.deliver(item)

    def _begin_anew(self, state: StreamState) -> None:
        log.warning("feed begins anew", filter=self.reader.filter)
        self.epoch = state.epoch
        self.position = state.last
        self._last.clear()
        self._held.clear()
        for listener in tuple(self.listeners):
            listener.lost()


class Feeds:
    """All open feeds, by what they listen to."""

    def __init__(self, bus: Bus, incarnation: str = "", linger_seconds: float = 30.0) -> None:
        self._bus = bus
        self._incarnation = incarnation
        self._linger = linger_seconds
        self._feeds: dict[str, Feed] = {}

    def get(self, topic: Topic[Any], make: Callable[[Bus, Topic[Any], str], Feed] = Feed, **ids: str) -> Feed:
        """The feed of this subject filter; it may not be open yet."""
        filter = topic.filter(**ids)
        feed = self._feeds.get(filter)
        if feed is None:
            feed = self._feeds[filter] = make(self._bus, topic, filter)
            feed.reader.incarnation = self._incarnation
        feed.idle_since = 0.0
        return feed

    def repair_all(self) -> None:
        """The connection was lost for a while: look at what went by."""
        for feed in self._feeds.values():
            feed.repair()

    async def sweep(self, now: float) -> None:
        """Close feeds that nobody has listened to for a while."""
        for filter, feed in list(self._feeds.items()):
            if feed.listeners:
                feed.idle_since = 0.0
            elif not feed.idle_since:
                feed.idle_since = now
            elif now - feed.idle_since > self._linger:
                del self._feeds[filter]
                await feed.close()

    async def close(self) -> None:
        for feed in self._feeds.values():
            await feed.close()
        self._feeds.clear()

    def __len__(self) -> int:
        return len(self._feeds)
