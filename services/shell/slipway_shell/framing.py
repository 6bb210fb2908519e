"""The two forms in which terminals travel over a WebSocket.

Raw: binary messages are the terminal's bytes, both ways, nothing else; the close code says how it ended.
Channels (`v5.channel.k8s.io`, also v4): the first byte says which channel. 0 stdin, 1 stdout, 2 stderr, 3 error and
exit status, 4 resize, and since v5 255 with a channel's number: nothing more comes on it.
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from slipway_errors import Invalid

V5 = "v5.channel.k8s.io"
V4 = "v4.channel.k8s.io"
PLAIN = "v1"
PROTOCOLS = (V5, V4, PLAIN)
"""What is chosen from a client's list. `v1` stands for raw frames, beside `auth.bearer.<token>`."""

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
END_OF_TRANSMISSION = b"\x04"


@dataclass(frozen=True)
class Typed:
    """Something for the program."""

    data: bytes = b""
    eof: bool = False
    columns: int = 0
    rows: int = 0


class Framing(Protocol):
    """How a client is spoken with."""

    def typed(self, message: bytes) -> Typed:
        """What a message of the client means; Invalid when it is of no meaning."""

    def output(self, data: bytes, stderr: bool) -> bytes:
        """A message with output of the program."""

    def end(self, exit_code: int | None, reason: str) -> list[bytes]:
        """Messages that say how it ended."""


class RawFrames:
    """The terminal's bytes."""

    def __init__(self, tty: bool) -> None:
        self._tty = tty

    def typed(self, message: bytes) -> Typed:
        # Without a terminal, clients say the end of their input with a message that is only this byte.
        if message == END_OF_TRANSMISSION and not self._tty:
            return Typed(eof=True)
        return Typed(data=message)

    def output(self, data: bytes, stderr: bool) -> bytes:
        return data

    def end(self, exit_code: int | None, reason: str) -> list[bytes]:
        return []


class _Size(msgspec.Struct, frozen=True):
    Width: int = 0
    Height: int = 0


class ChannelFrames:
    """Channels as Kubernetes has them."""

    def __init__(self, half_close: bool) -> None:
        self._half_close = half_close

    def typed(self, message: bytes) -> Typed:
        if not message:
            raise Invalid("An empty message names no channel.")
        channel, data = message[0], message[1:]
        if channel == STDIN:
            return Typed(data=data)
        if channel == RESIZE:
            return _resized(data)
        if channel == CLOSE and self._half_close and data == bytes([STDIN]):
            return Typed(eof=True)
        raise Invalid(f"Nothing can be sent on channel {channel}.")

    def output(self, data: bytes, stderr: bool) -> bytes:
        return bytes([STDERR if stderr else STDOUT]) + data

    def end(self, exit_code: int | None, reason: str) -> list[bytes]:
        return [bytes([ERROR]) + msgspec.json.encode(_status(exit_code, reason))]


def _resized(data: bytes) -> Typed:
    try:
        size = msgspec.json.decode(data, type=_Size)
    except msgspec.DecodeError:
        raise Invalid('A size is {"Width": columns, "Height": rows}.') from None
    return Typed(columns=_bounded(size.Width), rows=_bounded(size.Height))


def _bounded(size: int) -> int:
    return max(0, min(size, 10_000))


def _status(exit_code: int | None, reason: str) -> dict[str, object]:
    """The `Status` object that kubectl reads."""
    if exit_code == 0 and not reason:
        return {"metadata": {}, "status": "Success"}
    if exit_code is None or reason:
        return {"metadata": {}, "status": "Failure", "reason": "InternalError", "message": reason, "code": 500}
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: {exit_code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(exit_code)}]},
    }


def framing_for(protocol: str | None, tty: bool) -> Framing:
    """The form that was agreed on in the handshake."""
    if protocol in (V5, V4):
        return ChannelFrames(half_close=protocol == V5)
    return RawFrames(tty)
