"""The endpoints of the reference below /ws: same query parameters, same frames, on the same feeds as the channels.

They have no protocol for recovery: who misses something is closed with a code that means "come back", and begins anew
with history. A token comes by header, by cookie of our own pages, or as the sub-protocol `auth.bearer.<token>`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from slipway_contracts.events import Event
from slipway_contracts.places import Place
from slipway_errors import Fault, Invalid, Kind, NotFound, Unauthenticated
from slipway_http import Call
from slipway_http.routing import UUID
from slipway_security.access import NOBODY, Caller
from slipway_websocket import codes, frames
from slipway_websocket.channels import Channel, Options
from slipway_websocket.codes import Disconnect, Ended
from slipway_websocket.hub import Encode, Hub, Membership
from slipway_websocket.items import Item
from slipway_websocket.settings import Settings
from slipway_websocket.sockets import Socket, open_socket

if TYPE_CHECKING:
    from multidict import MultiMapping

log = structlog.get_logger()

BEARER = "auth.bearer."
PLAIN = "v1"
PING_SECONDS = 30.0
MOST_LINES = 5000
ABOVE = ("organization", "cluster", "project", "environment", "service")


@dataclass(frozen=True)
class Stream:
    """One channel of an endpoint, in the endpoint's form."""

    channel: Channel
    form: str
    encode: Encode
    options: Options = field(default_factory=Options)
    begin: Callable[[Encode, list[Item]], list[bytes]] = lambda encode, items: [encode(item) for item in items]
    """The frames to begin with."""


class ReferenceClient:
    """One connection to one endpoint."""

    def __init__(self, hub: Hub, socket: Socket) -> None:
        self.caller = NOBODY
        self.socket = socket
        self._hub = hub
        self._members: list[Membership] = []

    async def run(self, ws: web.WebSocketResponse, caller: Caller, streams: list[Stream]) -> None:
        """Tell what there is and what comes, until the client goes."""
        try:
            self._hub.opened(self)
            self.caller = caller
            self._hub.admit(self)
            for stream in streams:
                await self._follow(stream)
            async for _ in ws:
                continue  # clients of these endpoints have nothing to say
        except Ended as ended:
            self.end(ended.disconnect)
        except Fault as fault:
            code = codes.WS_TRY_LATER if fault.kind in (Kind.UNAVAILABLE, Kind.BUSY) else codes.WS_POLICY
            self.socket.close(code, fault.detail)
        finally:
            self._leave()
            self._hub.closed(self)
            await self.socket.closed()

    async def _follow(self, stream: Stream) -> None:
        member, beginning = await self._hub.join(
            self, stream.channel, stream.form, stream.encode, self._lost, options=stream.options
        )
        self._members.append(member)
        for frame in stream.begin(member.audience.encode, beginning.items):
            self.socket.write(frame)
        member.go_live(beginning.position)

    def _lost(self, missed: int) -> None:
        reason = f"{missed} messages were missed: this client reads too slowly" if missed else "begin anew"
        self._leave()
        self.socket.close(codes.WS_TRY_LATER, reason)

    def _leave(self) -> None:
        for member in self._members:
            member.leave()
        self._members.clear()

    def end(self, why: Disconnect) -> None:
        self._leave()
        self.socket.close(codes.WS_TRY_LATER if why.comes_back else codes.WS_POLICY, why.reason)

    def recheck(self) -> None:
        try:
            self.caller = self._hub.access.recheck(self.caller)
        except Unauthenticated:
            self.end(codes.INVALID_TOKEN)
            return
        except Fault:
            return
        if not all(self._hub.still_may(self.caller, member.place) for member in self._members):
            self.end(codes.ACCESS_REVOKED)

    def sweep(self, now: float) -> None:
        if self.caller.expires_at is not None and self.caller.expires_at <= datetime.now(UTC):
            self.end(codes.INVALID_TOKEN)


@dataclass(frozen=True)
class Gateway:
    """What the sockets' handlers use."""

    hub: Hub
    settings: Settings


class Choose:
    """Which streams an endpoint is made of."""

    async def __call__(self, app: Gateway, caller: Caller, query: "MultiMapping[str]") -> list[Stream]:
        raise NotImplementedError


async def serve(app: Gateway, request: web.Request, call: Call[None], streams: Choose) -> web.StreamResponse:
    """Open the socket, find out who and what, and tell."""
    settings = app.settings
    ws, socket = await open_socket(
        request,
        message_bytes=settings.message_bytes,
        buffer_bytes=settings.buffer_bytes,
        protocols=(PLAIN,),
        heartbeat=PING_SECONDS,
    )
    try:
        caller = caller_of(app, request, call)
        await check_place(app, caller, request.query)
        wanted = await streams(app, caller, request.query)
    except Fault as fault:
        socket.close(_code(fault), fault.detail)
        await socket.closed()
        return ws
    await ReferenceClient(app.hub, socket).run(ws, caller, wanted)
    return ws


def _code(fault: Fault) -> int:
    if fault.kind in (Kind.UNAVAILABLE, Kind.BUSY):
        return codes.WS_TRY_LATER
    return codes.WS_BAD_REQUEST if fault.kind is Kind.INVALID else codes.WS_POLICY


def caller_of(app: Gateway, request: web.Request, call: Call[None]) -> Caller:
    """Who asks: by header or cookie, or by a token among the sub-protocols (a browser can send no header)."""
    if call.caller.id:
        return call.caller
    for protocol in request.headers.get("Sec-WebSocket-Protocol", "").split(","):
        name = protocol.strip()
        if name.startswith(BEARER):
            return app.hub.access.authenticate(f"Bearer {name.removeprefix(BEARER)}")
    # Says what is wrong with a header that names nobody.
    return app.hub.access.authenticate(request.headers.get("Authorization"))


async def check_place(app: Gateway, caller: Caller, query: "MultiMapping[str]") -> Place:
    """The innermost thing that the query names, once the right to read it is checked, and that the rest fits it."""
    kind = "service" if query.get("service") else "environment"
    place = await app.hub.authorized(caller, Channel("logs" if kind == "service" else "states", id_of(query, kind)))
    for name in ABOVE:
        said = query.get(name, "")
        if said and said.lower() != getattr(place, f"{name}_id"):
            raise NotFound
    return place


def id_of(query: "MultiMapping[str]", name: str) -> str:
    """An id in the query; Invalid when it isn't there or is none."""
    id = query.get(name, "")
    if not UUID.fullmatch(id):
        raise Invalid(f"The parameter `{name}` must be an id.")
    return id.lower()


# -- the endpoints -------------------------------------------------------------------------------------------------


class ServiceLogs(Choose):
    """Lines of a service: the newest `limit`, or those since `start`; `pod_name` and `query` (a part of the text)."""

    async def __call__(self, app: Gateway, caller: Caller, query: "MultiMapping[str]") -> list[Stream]:
        pod, text = query.get("pod_name", ""), query.get("query", "")
        deployment = query.get("deployment_id", "")
        if deployment and not UUID.fullmatch(deployment):
            raise Invalid("The parameter `deployment_id` must be an id.")
        limit = _limit(query.get("limit", ""))
        lines = frames.ServiceLogs(pod, text)
        channel = Channel("logs", id_of(query, "service"), "run", deployment.lower())
        options = Options(history=None if limit is None else min(limit, 1000), since=_moment(query.get("start", "")))

        def begin(encode: Encode, items: list[Item]) -> list[bytes]:
            found = lines.lines(items)
            return found if limit is None else found[len(found) - min(limit, len(found)) :]

        return [Stream(channel, f"ws|{pod}|{text}", lines, options, begin)]


class ServiceStatus(Choose):
    """Running states of an environment's services: every frame is whole."""

    async def __call__(self, app: Gateway, caller: Caller, query: "MultiMapping[str]") -> list[Stream]:
        channel = Channel("states", id_of(query, "environment"))
        place = await app.hub.authorized(caller, channel)

        def begin(encode: Encode, items: list[Item]) -> list[bytes]:
            assert isinstance(encode, frames.ServiceStatuses)
            for item in items:
                encode.take(item)
            return [encode.frame()]

        return [Stream(channel, "ws", frames.ServiceStatuses(place), begin=begin)]


class ServiceMetrics(Choose):
    """CPU and memory per process."""

    async def __call__(self, app: Gateway, caller: Caller, query: "MultiMapping[str]") -> list[Stream]:
        channel = Channel("metrics", id_of(query, "service"))
        return [Stream(channel, "ws", frames.ServiceMetrics(), Options(history=1))]


class DeploymentStatus(Choose):
    """The last deployment of an environment, or the one that `version` names."""

    async def __call__(self, app: Gateway, caller: Caller, query: "MultiMapping[str]") -> list[Stream]:
        version = query.get("version", "")
        channel = Channel("environment", id_of(query, "environment"))
        if UUID.fullmatch(version):
            channel = Channel("deployment", version.lower())
            place = await app.hub.authorized(caller, channel)
            if place.environment_id != id_of(query, "environment"):
                raise NotFound
        return [Stream(channel, "ws", frames.DeploymentStatuses())]


class DeploymentLogs(Choose):
    """What the engine says of a deployment: the one that `version` names, else the last one."""

    async def __call__(self, app: Gateway, caller: Caller, query: "MultiMapping[str]") -> list[Stream]:
        environment = id_of(query, "environment")
        events = Channel("environment", environment)
        place = await app.hub.authorized(caller, events)
        version = query.get("version", "").lower()
        if not UUID.fullmatch(version):
            version = await self._last(app, events, place)
        encode = frames.DeploymentLogs(place)
        return [
            Stream(Channel("steps", environment, kind, version), "ws", encode, Options(history=1000))
            for kind in ("build", "deploy")
        ]

    async def _last(self, app: Gateway, channel: Channel, place: Place) -> str:
        source = await app.hub.source(channel, place)
        for item in await source.first(Options()):
            if isinstance(item.message, Event):
                return item.message.deployment_id or item.message.entity_id
        return ""


def _limit(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or len(text) > 9:
        raise Invalid("The parameter `limit` is a number of lines.")
    return min(int(text), MOST_LINES)


def _moment(text: str) -> datetime | None:
    """A time as clients send it: RFC 3339, or seconds, milliseconds or nanoseconds since 1970."""
    if not text:
        return None
    try:
        if text.isdecimal():
            number = int(text)
            scale = 1 if number < 10**11 else 10**3 if number < 10**14 else 10**9
            return datetime.fromtimestamp(number / scale, UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise Invalid("The parameter `start` must be a time.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
