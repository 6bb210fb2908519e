"""Where feeds and clients meet: audiences, slow clients, rights that end.

An audience is all clients of one channel in one encoding: an item is encoded once for it, and the same bytes are
written to each. Invariant: no client is waited for, and a client without the right is out of its audiences within the
call that took it away.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from slipway_bus import Bus
from slipway_contracts.places import Place
from slipway_errors import Fault, Forbidden, NotFound, Unauthenticated
from slipway_http import CachedLocate
from slipway_security.access import AccessCopy, Caller
from slipway_websocket.channels import NEEDS, Channel, Options
from slipway_websocket.codes import CONNECTION_LIMIT, SHUTDOWN, SLOW, Disconnect, Ended
from slipway_websocket.feeds import Feed, Feeds
from slipway_websocket.items import Item
from slipway_websocket.settings import Settings
from slipway_websocket.sockets import Socket
from slipway_websocket.sources import Beginning, Source, source_of

log = structlog.get_logger()

BACKLOG_ITEMS = 10_000
FLUSH_SECONDS = 0.05
SWEEP_SECONDS = 5.0

Encode = Callable[[Item], bytes]
"""An item as whole frames; empty for one that this kind of client is not told of."""


class Client(Protocol):
    """A connection, as the hub needs it."""

    caller: Caller
    socket: Socket

    def end(self, why: Disconnect) -> None:
        """Close it with a code."""

    def recheck(self) -> None:
        """Something about the caller's rights changed."""

    def sweep(self, now: float) -> None:
        """Called every second or so: pings, time limits."""


class Membership:
    """One client in one audience."""

    __slots__ = (
        "_backlog",
        "_hub",
        "_lost",
        "_on_lost",
        "_pending",
        "audience",
        "missed",
        "place",
        "position",
        "socket",
    )

    def __init__(self, hub: "Hub", audience: "Audience", place: Place, socket: Socket, on_lost: Callable[[int], None]):
        self._hub = hub
        self._on_lost = on_lost
        self._backlog: list[Item] | None = []
        self._pending: dict[str, tuple[int, bytes]] = {}
        self._lost = False
        self.audience = audience
        self.place = place
        self.socket = socket
        self.position = 0
        self.missed = 0
        """Items that did not go out because the client was too slow."""

    def go_live(self, position: int) -> None:
        """The client was told everything up to this position: go on with what came since, and then with what comes."""
        backlog, self._backlog = self._backlog or [], None
        self.position = position
        for item in backlog:
            if item.sequence > self.position:
                self.offer(item, self.audience.encode(item))
        if self._lost:
            self.lost()

    def offer(self, item: Item, frame: bytes) -> None:
        """One item, not older than what the client has."""
        if self._backlog is not None:
            if len(self._backlog) >= BACKLOG_ITEMS:
                self._lost = True
            else:
                self._backlog.append(item)
        elif self._pending or self.missed or self.socket.clogged:
            self._put_off(item, frame)
        else:
            self.position = item.sequence
            self.socket.write(frame)

    def _put_off(self, item: Item, frame: bytes) -> None:
        if self.audience.source.newest_wins:
            self._pending[item.subject] = (item.sequence, frame)
        else:
            self.missed += 1
        self._hub.put_off(self)

    def flush(self) -> None:
        """The client takes messages again."""
        for sequence, frame in sorted(self._pending.values()):
            self.position = max(self.position, sequence)
            self.socket.write(frame)
        self._pending.clear()
        if self.missed:
            self._on_lost(self.missed)

    def lost(self) -> None:
        """Something is missing for everybody."""
        if self._backlog is not None:
            self._lost = True
        else:
            self._on_lost(0)

    def leave(self) -> None:
        self.audience.members.pop(self, None)
        self._hub.left(self)


class Audience:
    """All clients of a channel that get it in the same form."""

    def __init__(self, source: Source, encode: Encode) -> None:
        self.source = source
        self.encode = encode
        self.members: dict[Membership, None] = {}

    @property
    def feed(self) -> Feed:
        return self.source.feed

    def deliver(self, item: Item) -> None:
        if not self.source.wants(item):
            return
        frame = self.encode(item)
        if not frame:
            return
        for member in tuple(self.members):
            if item.sequence > member.position:
                member.offer(item, frame)

    def lost(self) -> None:
        for member in tuple(self.members):
            member.lost()


class Hub:
    """All connections of this process."""

    def __init__(self, bus: Bus, access: AccessCopy, locate: CachedLocate, settings: Settings) -> None:
        self.settings = settings
        self.access = access
        self.feeds = Feeds(bus, settings.incarnation)
        self._bus = bus
        self._locate = locate
        self._audiences: dict[tuple[Channel, str], Audience] = {}
        self._clients: dict[Client, None] = {}
        self._by_principal: dict[str, dict[Client, None]] = {}
        self._put_off: dict[Membership, None] = {}
        self._slow = asyncio.Event()
        self._stopped = False
        self._stop_watching = access.on_change(self._changed)
        self._notices = contextlib.ExitStack()
        self._notices.enter_context(bus.noticing(self._noticed))

    def __len__(self) -> int:
        return len(self._clients)

    # -- connections ---------------------------------------------------------------------------------------------

    def admit(self, client: Client) -> None:
        """A client that said who it is; Ended when there are too many."""
        peers = self._by_principal.setdefault(client.caller.principal_key, {})
        if len(peers) >= self.settings.connections_per_user:
            raise Ended(CONNECTION_LIMIT)
        peers[client] = None

    def opened(self, client: Client) -> None:
        """A new connection, whoever it is; Ended when there are too many."""
        if self._stopped:
            raise Ended(SHUTDOWN)
        if len(self._clients) >= self.settings.connections:
            raise Ended(CONNECTION_LIMIT)
        self._clients[client] = None

    def closed(self, client: Client) -> None:
        self._clients.pop(client, None)
        key = client.caller.principal_key
        peers = self._by_principal.get(key)
        if peers is not None:
            peers.pop(client, None)
            if not peers:
                del self._by_principal[key]

    def _changed(self, key: str) -> None:
        for client in tuple(self._by_principal.get(key, ())):
            client.recheck()

    # -- subscriptions -------------------------------------------------------------------------------------------

    async def authorized(self, caller: Caller, channel: Channel) -> Place:
        """Where the channel's thing stands, once the caller's right there is checked; a Fault says why not."""
        place = await self._locate(channel.place_kind, channel.id)
        self.access.authorize(caller, NEEDS, place)
        if place is None:
            raise NotFound
        return place

    async def source(self, channel: Channel, place: Place) -> Source:
        """What the channel is made of, live from now on."""
        source = source_of(self.feeds, self.settings, channel, place)
        await source.open()
        return source

    async def join(
        self,
        client: Client,
        channel: Channel,
        form: str,
        encode: Encode,
        on_lost: Callable[[int], None],
        *,
        options: Options,
        recover: tuple[int, str] | None = None,
    ) -> tuple[Membership, Beginning]:
        """Add a client to a channel's audience of this form, and what it should be told first.

        Live items wait until `go_live`, so that nothing is told twice or left out in between.
        """
        place = await self.authorized(client.caller, channel)
        source = await self.source(channel, place)
        audience = self._audience(channel, form, source, encode)
        member = Membership(self, audience, place, client.socket, on_lost)
        audience.members[member] = None
        try:
            beginning = await source.recover(*recover) if recover else None
            if beginning is None:
                beginning = await source.begin(options)
            # Rights may have ended while we read.
            self.access.authorize(client.caller, NEEDS, place)
        except BaseException:
            member.leave()
            raise
        return member, beginning

    def _audience(self, channel: Channel, form: str, source: Source, encode: Encode) -> Audience:
        audience = self._audiences.get((channel, form))
        if audience is None or audience.feed is not source.feed:
            audience = self._audiences[channel, form] = Audience(source, encode)
        source.feed.listeners.add(audience)
        return audience

    def left(self, member: Membership) -> None:
        self._put_off.pop(member, None)
        if not member.audience.members:
            member.audience.feed.listeners.discard(member.audience)

    def put_off(self, member: Membership) -> None:
        """A client is too slow for this member; it is looked at again in a moment."""
        self._put_off[member] = None
        self._slow.set()

    # -- loops ---------------------------------------------------------------------------------------------------

    async def flush_slow(self, stopping: asyncio.Event) -> None:
        """Serve slow clients once they take messages again."""
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._slow.wait()
            self._slow.clear()
            while self._put_off and not stopping.is_set():
                await asyncio.sleep(FLUSH_SECONDS)
                for member in tuple(self._put_off):
                    if not member.socket.open:
                        self._put_off.pop(member, None)
                    elif not member.socket.clogged:
                        self._put_off.pop(member, None)
                        member.flush()

    async def sweep(self, stopping: asyncio.Event) -> None:
        """Pings and limits of time, a slice of all clients each second, so that they don't come at once."""
        turn = 0
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await stopping.wait()
            now = time.monotonic()
            turn += 1
            for client in tuple(self._clients):
                client.sweep(now)
                since = client.socket.clogged_since
                if since and client.socket.clogged and now - since > self.settings.slow_seconds:
                    client.end(SLOW)
            if turn % SWEEP_SECONDS == 0:
                self._forget_audiences()
                await self.feeds.sweep(now)

    def _forget_audiences(self) -> None:
        for key, audience in list(self._audiences.items()):
            if not audience.members:
                del self._audiences[key]

    def _noticed(self, refused: str) -> None:
        if not refused:
            self.feeds.repair_all()

    async def stop(self) -> None:
        """Send everybody away, spread over a second, so that they don't all come back at once."""
        self._stopped = True
        self._stop_watching()
        self._notices.close()
        clients = list(self._clients)
        slices = [clients[start::10] for start in range(10)]
        for part in slices:
            for client in part:
                client.end(SHUTDOWN)
            if part:
                await asyncio.sleep(0.1 if len(clients) > 100 else 0)
        await asyncio.gather(*(client.socket.closed() for client in clients))

    def still_may(self, caller: Caller, place: Place) -> bool:
        """Whether a subscription may go on. When rights can't be checked for a while it does: none can end then."""
        try:
            self.access.authorize(caller, NEEDS, place)
        except (NotFound, Forbidden, Unauthenticated):
            return False
        except Fault:
            return True
        return True
