"""Centrifugo's client protocol in its JSON form: what clients say, and how answers and pushes are written.

A message holds commands, one per line; `{}` is a pong. Answers are encoded by msgspec; a push is put together from
bytes that are the same for every client of a channel.
"""

from typing import Any

import msgspec

from slipway_websocket.codes import BAD_FRAME, Disconnect, Ended, Error, Unsubscribe
from slipway_websocket.items import Item


class _In(msgspec.Struct, frozen=True):
    """What a client says; unknown fields of newer clients are ignored."""


class StreamPosition(_In, frozen=True):
    offset: int = 0
    epoch: str = ""


class Connect(_In, frozen=True):
    token: str = ""
    name: str = ""
    version: str = ""


class Subscribe(_In, frozen=True):
    channel: str = ""
    recover: bool = False
    epoch: str = ""
    offset: int = 0
    data: Any = None
    flag: int = 0


class Unsubscribing(_In, frozen=True):
    channel: str = ""


class History(_In, frozen=True):
    channel: str = ""
    limit: int = 0
    since: StreamPosition | None = None
    reverse: bool = False


class Refresh(_In, frozen=True):
    token: str = ""


class Command(_In, frozen=True):
    """One command. Exactly one of the requests is set; none and no id: a pong."""

    id: int = 0
    connect: Connect | None = None
    subscribe: Subscribe | None = None
    unsubscribe: Unsubscribing | None = None
    history: History | None = None
    refresh: Refresh | None = None
    ping: dict[str, Any] | None = None
    publish: dict[str, Any] | None = None
    presence: dict[str, Any] | None = None
    presence_stats: dict[str, Any] | None = None
    rpc: dict[str, Any] | None = None
    send: dict[str, Any] | None = None
    sub_refresh: dict[str, Any] | None = None


REJECT_UNRECOVERED = 2
"""Flag of a subscribe: answer with an error rather than `recovered: false`."""

_decoder = msgspec.json.Decoder(Command)
_encode = msgspec.json.encode


def commands(message: str) -> list[Command]:
    """The commands in a message; Ended for what is none."""
    try:
        return [_decoder.decode(line) for line in message.split("\n") if line.strip()]
    except (msgspec.DecodeError, RecursionError):
        raise Ended(BAD_FRAME) from None


def reply(id: int, kind: str, result: dict[str, Any]) -> bytes:
    """The answer to a command."""
    return _encode({"id": id, kind: result})


def error_reply(id: int, error: Error) -> bytes:
    """The answer to a command that failed."""
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.temporary:
        told["temporary"] = True
    return _encode({"id": id, "error": told})


def publication(item: Item) -> msgspec.Raw:
    """An item as it stands in answers and pushes."""
    return msgspec.Raw(b'{"data":%b,"offset":%d}' % (item.data, item.sequence))


class Push:
    """Writes pushes of one channel; its name is encoded once."""

    def __init__(self, channel: str) -> None:
        self._before = b'{"push":{"channel":%b,"pub":{"data":' % _encode(channel)

    def __call__(self, item: Item) -> bytes:
        return b'%b%b,"offset":%d}}}' % (self._before, item.data, item.sequence)


def unsubscribe_push(channel: str, why: Unsubscribe) -> bytes:
    return _encode({"push": {"channel": channel, "unsubscribe": {"code": why.code, "reason": why.reason}}})


def disconnect_push(why: Disconnect) -> bytes:
    return _encode({"push": {"disconnect": {"code": why.code, "reason": why.reason, "reconnect": why.comes_back}}})


PING = b"{}"
