"""From a channel to what it is made of: its feed, which items of it are wanted, what to begin with, what was missed."""

import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from slipway_bus import Bus
from slipway_contracts.base import Topic
from slipway_contracts.events import CHANGED, Event
from slipway_contracts.live import LOGGED, MEASURED, STATED, LogBatch
from slipway_contracts.places import Place
from slipway_errors import NotFound
from slipway_websocket.channels import Channel, Options
from slipway_websocket.feeds import Feed, Feeds
from slipway_websocket.items import Item, Page, StreamState
from slipway_websocket.settings import Settings

RECENT_EVENTS = 500
RECENT_BYTES = 8 * 1024 * 1024
METRICS_SHOWN = 60
CLOCK_SLACK = timedelta(seconds=30)


class EventFeed(Feed):
    """The events of one organization. It keeps the newest, from which channels of parts of it begin."""

    def __init__(self, bus: Bus, topic: Topic[Any], filter: str) -> None:
        super().__init__(bus, topic, filter)
        self.recent: deque[Item] = deque(maxlen=RECENT_EVENTS)
        self.recent_after = 0
        """`recent` has all events behind this sequence."""

    async def _open(self) -> None:
        await super()._open()
        position = self.position
        page = await self.reader.before(position + 1, RECENT_EVENTS, RECENT_BYTES)
        live = [item for item in self.recent if item.sequence > position]
        self.recent.clear()
        for item in [*page.items, *live]:
            self._keep(item)
        if not page.complete and page.items:
            self.recent_after = max(self.recent_after, page.items[0].sequence - 1)

    def _keep(self, item: Item) -> None:
        if self.recent and item.sequence <= self.recent[-1].sequence:
            return
        if len(self.recent) == RECENT_EVENTS:
            self.recent_after = self.recent[0].sequence
        self.recent.append(item)

    def _deliver(self, item: Item) -> None:
        self._keep(item)
        super()._deliver(item)

    def _give(self, item: Item) -> None:
        self._keep(item)
        super()._give(item)

    def _begin_anew(self, state: StreamState) -> None:
        self.recent.clear()
        self.recent_after = state.last
        super()._begin_anew(state)


@dataclass(frozen=True)
class Beginning:
    """What a subscription begins with. Live items behind `position` follow without a gap."""

    items: list[Item]
    position: int
    epoch: str
    recovered: bool = False


class Source:
    """What a channel is made of."""

    newest_wins = False
    """A slow client may skip to the newest of each subject."""

    def __init__(self, feed: Feed, settings: Settings) -> None:
        self.feed = feed
        self.settings = settings

    def wants(self, item: Item) -> bool:
        """Whether an item of the feed belongs to the channel."""
        return True

    async def open(self) -> None:
        await self.feed.open()

    async def begin(self, options: Options) -> Beginning:
        """What a new subscription is shown first."""
        position = self.feed.position
        items = await self.first(options)
        return self._beginning(items, position)

    async def first(self, options: Options) -> list[Item]:
        return []

    async def recover(self, offset: int, epoch: str) -> Beginning | None:
        """All that was missed since a position, or None when that can't be promised."""
        feed, settings = self.feed, self.settings
        position = feed.position
        state = await feed.reader.state()
        if epoch not in ("", state.epoch) or offset > state.last or offset + 1 < state.first:
            return None
        page = await self.missed(offset)
        if not page.complete or len(page.items) >= settings.recover_messages:
            return None
        return self._beginning(page.items, max(position, offset), recovered=True)

    async def missed(self, offset: int) -> Page:
        settings = self.settings
        return await self.feed.reader.after(offset, settings.recover_messages, settings.recover_bytes, self.wants)

    async def page(self, before: int | None, after: int, limit: int) -> list[Item]:
        """A page of history, oldest first: the newest before a position, or the oldest after one."""
        most = self.settings.history_bytes
        if before is None:
            return (await self.feed.reader.after(after, limit, most, self.wants)).items
        found = (await self.feed.reader.before(before, limit, most)).items
        return [item for item in found if self.wants(item)]

    def _beginning(self, items: list[Item], position: int, recovered: bool = False) -> Beginning:
        last = items[-1].sequence if items else 0
        return Beginning(items, max(position, last), self.feed.epoch, recovered)


class Logs(Source):
    """Batches of lines of one service."""

    def __init__(self, feed: Feed, settings: Settings, deployment_id: str) -> None:
        super().__init__(feed, settings)
        self.deployment_id = deployment_id

    def wants(self, item: Item) -> bool:
        batch = item.message
        return not self.deployment_id or (isinstance(batch, LogBatch) and batch.deployment_id == self.deployment_id)

    async def first(self, options: Options) -> list[Item]:
        limit = self.settings.history_batches if options.history is None else options.history
        if not limit:
            return []
        reader, most = self.feed.reader, self.settings.history_bytes
        since = options.since or (_made_at(self.deployment_id) if self.deployment_id else None)
        if since is not None:
            return (await reader.since(since, limit, most, self.wants)).items
        return (await reader.before(self.feed.position + 1, limit, most)).items


class Metrics(Source):
    """Samples of one service."""

    newest_wins = True

    async def first(self, options: Options) -> list[Item]:
        limit = METRICS_SHOWN if options.history is None else options.history
        if not limit:
            return []
        return (await self.feed.reader.before(self.feed.position + 1, limit, self.settings.history_bytes)).items


class States(Source):
    """The running state of every service of an environment. The stream is the snapshot, so nothing is ever missed."""

    newest_wins = True

    async def first(self, options: Options) -> list[Item]:
        return (await self._snapshot(0)).items

    async def recover(self, offset: int, epoch: str) -> Beginning | None:
        position = self.feed.position
        known = offset if epoch == self.feed.epoch and offset <= position else 0
        return self._beginning((await self._snapshot(known)).items, position, recovered=True)

    async def _snapshot(self, after: int) -> Page:
        return await self.feed.reader.after(after, 100_000, 64 * 1024 * 1024)


class Events(Source):
    """Events of an organization, or of one environment or deployment in it."""

    def __init__(self, feed: EventFeed, settings: Settings, channel: Channel) -> None:
        super().__init__(feed, settings)
        self.recent = feed
        self.channel = channel

    def wants(self, item: Item) -> bool:
        event, channel = item.message, self.channel
        assert isinstance(event, Event)
        if channel.kind == "organization":
            return True
        if channel.kind == "environment":
            return event.environment_id == channel.id or event.entity_id == channel.id
        return event.deployment_id == channel.id or event.entity_id == channel.id

    async def first(self, options: Options) -> list[Item]:
        """The last event of a deployment holds the whole deployment: that is its state now."""
        if self.channel.kind == "organization" or options.history == 0:
            return []
        for item in reversed(self.recent.recent):
            if self.wants(item) and isinstance(item.message, Event) and item.message.entity == "deployment":
                return [item]
        if self.channel.kind != "deployment" or not self.recent.recent_after:
            return []
        made_at = _made_at(self.channel.id)
        page = await self.feed.reader.since(made_at, 1, self.settings.history_bytes, self.wants)
        return page.items

    async def missed(self, offset: int) -> Page:
        if offset < self.recent.recent_after:
            return await super().missed(offset)
        missed = [item for item in self.recent.recent if item.sequence > offset and self.wants(item)]
        return Page(missed, True)


def _made_at(id: str) -> datetime:
    """When an id of ours (UUID version 7) was made; nothing of the thing is older."""
    value = uuid.UUID(id)
    if value.version != 7:
        return datetime.fromtimestamp(0, UTC)
    return datetime.fromtimestamp((value.int >> 80) / 1000, UTC) - CLOCK_SLACK


def source_of(feeds: Feeds, settings: Settings, channel: Channel, place: Place) -> Source:
    """The source of a channel whose place is known. Ids come from the place: no cluster can speak for another."""
    if channel.kind in ("organization", "environment", "deployment"):
        feed = feeds.get(CHANGED, EventFeed, organization_id=place.organization_id)
        assert isinstance(feed, EventFeed)
        return Events(feed, settings, channel)
    if not place.cluster_id or not place.environment_id:
        raise NotFound
    cluster, environment = place.cluster_id, place.environment_id
    if channel.kind == "states":
        return States(feeds.get(STATED, cluster_id=cluster, environment_id=environment), settings)
    if channel.kind == "metrics":
        return Metrics(
            feeds.get(MEASURED, cluster_id=cluster, environment_id=environment, service_id=channel.id), settings
        )
    if channel.kind == "steps":
        feed = feeds.get(LOGGED, cluster_id=cluster, environment_id=environment, kind=channel.log_kind)
        return Logs(feed, settings, channel.deployment_id)
    feed = feeds.get(
        LOGGED, cluster_id=cluster, environment_id=environment, service_id=channel.id, kind=channel.log_kind
    )
    return Logs(feed, settings, channel.deployment_id)
