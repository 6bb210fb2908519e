"""One connection that speaks Centrifugo's protocol: from its connect command to its last subscription.

Commands are done one after the other by the task that reads; everything that is pushed is written by the hub.
"""

import base64
import contextlib
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from aiohttp import WSMsgType, web

from slipway_contracts.base import uuid7
from slipway_errors import Fault, Unauthenticated
from slipway_security.access import NOBODY, Caller
from slipway_websocket import codes, protocol
from slipway_websocket.channels import MOST_HISTORY, Channel, parse
from slipway_websocket.codes import Disconnect, Ended, Refused
from slipway_websocket.hub import Hub, Membership
from slipway_websocket.protocol import Command
from slipway_websocket.sockets import Socket, text_frame
from slipway_websocket.sources import Beginning

log = structlog.get_logger()

EXPIRY_GRACE_SECONDS = 25.0
"""A client may send a new token for so long after the old one ended."""
COMMANDS_AT_ONCE_SECONDS = 4.0
NOT_OFFERED = ("publish", "presence", "presence_stats", "rpc", "sub_refresh")


class CentrifugoClient:
    """A connection."""

    def __init__(self, hub: Hub, socket: Socket, caller: Caller) -> None:
        self.id = uuid7()
        self.socket = socket
        self.caller = NOBODY
        """Who it is, once it connected."""
        self._hub = hub
        self._by_handshake = caller
        self._members: dict[str, Membership] = {}
        self._channels: dict[str, Channel] = {}
        """What each name means that was subscribed to: options can say more than the name."""
        self._connected = False
        self._since = time.monotonic()
        self._ping_at = 0.0
        self._awaits_pong = False
        self._credit = hub.settings.commands_per_second * COMMANDS_AT_ONCE_SECONDS
        self._counted_at = self._since
        self._expires_at = float("inf")

    async def run(self, ws: web.WebSocketResponse) -> None:
        """Do what the client says until it is gone."""
        try:
            self._hub.opened(self)
            async for message in ws:
                if message.type is not WSMsgType.TEXT:
                    raise Ended(codes.BAD_FRAME)
                for command in protocol.commands(message.data):
                    await self._do(command)
        except Ended as ended:
            self.end(ended.disconnect)
        except Exception:
            log.exception("connection failed")
            self.end(codes.SERVER_ERROR)
        finally:
            for member in self._members.values():
                member.leave()
            self._members.clear()
            self._hub.closed(self)
            await self.socket.closed()

    # -- commands ------------------------------------------------------------------------------------------------

    async def _do(self, command: Command) -> None:
        if command == protocol.Command():
            self._awaits_pong = False
            return
        self._spend()
        if not self._connected:
            if command.connect is None or not command.id:
                raise Ended(codes.BAD_FRAME)
            self._connect(command.id, command.connect)
            return
        try:
            await self._answer(command)
        except Refused as refused:
            self._reply_error(command.id, refused.error)
        except Fault as fault:
            self._reply_error(command.id, codes.error_of(fault))
        # A client that doesn't read its answers gets no more of them.
        await self.socket.taken()

    async def _answer(self, command: Command) -> None:
        if command.subscribe is not None:
            await self._subscribe(command.id, command.subscribe)
        elif command.unsubscribe is not None:
            self._leave(command.unsubscribe.channel)
            self._reply(command.id, "unsubscribe", {})
        elif command.history is not None:
            await self._history(command.id, command.history)
        elif command.refresh is not None:
            self._refresh(command.id, command.refresh.token)
        elif command.ping is not None:
            self._reply(command.id, "ping", {})
        elif any(getattr(command, name) is not None for name in NOT_OFFERED):
            raise Refused(codes.NOT_AVAILABLE)
        elif command.send is None:
            raise Ended(codes.BAD_FRAME)

    def _connect(self, id: int, connect: protocol.Connect) -> None:
        """Learn who it is: by the token in the command, else by header or cookie of the handshake."""
        try:
            caller = self._by_handshake
            if connect.token:
                caller = self._hub.access.authenticate(authorization(connect.token))
            elif caller.id:
                caller = self._hub.access.recheck(caller)
        except Unauthenticated:
            if connect.token and is_expired(connect.token):
                self._reply_error(id, codes.TOKEN_EXPIRED)
                return
            raise Ended(codes.INVALID_TOKEN) from None
        except Fault as fault:
            self._reply_error(id, codes.error_of(fault))
            return
        if not caller.id:
            raise Ended(codes.INVALID_TOKEN)
        self.caller = caller
        self._hub.admit(self)
        self._connected = True
        self._ping_at = time.monotonic() + self._hub.settings.ping_seconds
        result: dict[str, Any] = {"client": self.id, "version": "slipway"}
        result |= {"ping": self._hub.settings.ping_seconds, "pong": True, **self._expiry()}
        self._reply(id, "connect", result)

    async def _subscribe(self, id: int, subscribe: protocol.Subscribe) -> None:
        name = subscribe.channel
        channel, options = parse(name, subscribe.data)
        if name in self._members:
            raise Refused(codes.ALREADY_SUBSCRIBED)
        if len(self._members) >= self._hub.settings.channels_per_connection:
            raise Refused(codes.LIMIT_EXCEEDED)
        push = protocol.Push(name)
        recover = (subscribe.offset, subscribe.epoch) if subscribe.recover else None
        member, beginning = await self._hub.join(
            self,
            channel,
            name,
            lambda item: text_frame(push(item)),
            self._lost(name),
            options=options,
            recover=recover,
        )
        if recover and not beginning.recovered and subscribe.flag & protocol.REJECT_UNRECOVERED:
            member.leave()
            raise Refused(codes.UNRECOVERABLE)
        self._members[name] = member
        self._channels[name] = channel
        self._reply(id, "subscribe", _subscribed(beginning, was_recovering=subscribe.recover))
        member.go_live(beginning.position)

    async def _history(self, id: int, history: protocol.History) -> None:
        channel = self._channels.get(history.channel) or parse(history.channel)[0]
        place = await self._hub.authorized(self.caller, channel)
        source = await self._hub.source(channel, place)
        limit = MOST_HISTORY if history.limit < 0 else min(history.limit, MOST_HISTORY)
        since = history.since
        if since is not None and since.epoch not in ("", source.feed.epoch):
            raise Refused(codes.UNRECOVERABLE)
        items = []
        if limit and history.reverse:
            before = since.offset if since and since.offset else source.feed.position + 1
            items = list(reversed(await source.page(before, 0, limit)))
        elif limit:
            items = await source.page(None, since.offset if since else 0, limit)
        publications = [protocol.publication(item) for item in items]
        result = {"publications": publications, "epoch": source.feed.epoch, "offset": source.feed.position}
        self._reply(id, "history", result)

    def _refresh(self, id: int, token: str) -> None:
        """A new token of the same user for one that ends."""
        try:
            caller = self._hub.access.authenticate(authorization(token))
        except Unauthenticated:
            if is_expired(token):
                raise Refused(codes.TOKEN_EXPIRED) from None
            raise Ended(codes.INVALID_TOKEN) from None
        if caller.id != self.caller.id or caller.principal_key != self.caller.principal_key:
            raise Ended(codes.INVALID_TOKEN)
        self.caller = caller
        self.recheck()
        self._reply(id, "refresh", {"client": self.id, "version": "slipway", **self._expiry()})

    # -- what the hub asks ---------------------------------------------------------------------------------------

    def recheck(self) -> None:
        """Rights changed: end what is no longer allowed, the connection itself if it is nobody's any more."""
        try:
            self.caller = self._hub.access.recheck(self.caller)
        except Unauthenticated:
            self.end(codes.INVALID_TOKEN)
            return
        except Fault:
            return
        for name, member in list(self._members.items()):
            if not self._hub.still_may(self.caller, member.place):
                self._leave(name)
                self.socket.send(protocol.unsubscribe_push(name, codes.UNSUBSCRIBE_REVOKED))

    def sweep(self, now: float) -> None:
        settings = self._hub.settings
        if not self._connected:
            if now - self._since > settings.connect_seconds:
                self.end(codes.STALE)
        elif time.time() > self._expires_at + EXPIRY_GRACE_SECONDS:
            self.end(codes.EXPIRED)
        elif now >= self._ping_at:
            if self._awaits_pong:
                self.end(codes.NO_PONG)
                return
            self._ping_at = now + settings.ping_seconds
            self._awaits_pong = True
            self.socket.send(protocol.PING)

    def end(self, why: Disconnect) -> None:
        """Close the connection; everything that would still be pushed is not."""
        for member in self._members.values():
            member.leave()
        self._members.clear()
        if self.socket.open:
            log.info("connection ended", code=why.code, reason=why.reason, principal=self.caller.id)
        self.socket.close(why.code, why.reason)

    # -- details -------------------------------------------------------------------------------------------------

    def _leave(self, name: str) -> None:
        member = self._members.pop(name, None)
        if member is not None:
            member.leave()

    def _lost(self, name: str) -> Callable[[int], None]:
        """What to do when items of a channel could not be told: the client subscribes anew, and recovers them."""

        def lost(missed: int) -> None:
            self._leave(name)
            reason = f"{missed} messages were missed: this client reads too slowly" if missed else "insufficient state"
            why = codes.Unsubscribe(codes.UNSUBSCRIBE_INSUFFICIENT.code, reason)
            self.socket.send(protocol.unsubscribe_push(name, why))

        return lost

    def _expiry(self) -> dict[str, Any]:
        if self.caller.expires_at is None:
            self._expires_at = float("inf")
            return {}
        self._expires_at = self.caller.expires_at.timestamp()
        return {"expires": True, "ttl": max(1, int(self._expires_at - time.time()))}

    def _spend(self) -> None:
        now = time.monotonic()
        rate = self._hub.settings.commands_per_second
        self._credit = min(rate * COMMANDS_AT_ONCE_SECONDS, self._credit + (now - self._counted_at) * rate)
        self._counted_at = now
        if self._credit < 1:
            raise Ended(codes.TOO_MANY_COMMANDS)
        self._credit -= 1

    def _reply(self, id: int, kind: str, result: dict[str, Any]) -> None:
        if id:
            self.socket.send(protocol.reply(id, kind, result))

    def _reply_error(self, id: int, error: codes.Error) -> None:
        if id:
            self.socket.send(protocol.error_reply(id, error))


def _subscribed(beginning: Beginning, was_recovering: bool) -> dict[str, Any]:
    result: dict[str, Any] = {
        "recoverable": True,
        "positioned": True,
        "epoch": beginning.epoch,
        "offset": beginning.position,
    }
    if beginning.items:
        result["publications"] = [protocol.publication(item) for item in beginning.items]
    if was_recovering:
        result |= {"was_recovering": True, "recovered": beginning.recovered}
    return result


def authorization(token: str) -> str:
    """The Authorization header that a bare token would stand in."""
    return f"Bearer {token}" if token.count(".") == 2 else f"Token {token}"


def is_expired(token: str) -> bool:
    """Whether a token that was refused is a JWT whose time is over: its client can get a new one."""
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    with contextlib.suppress(ValueError, msgspec.DecodeError):
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return isinstance(claims, dict) and float(claims.get("exp", "inf")) <= time.time()
    return False
