"""The two forms in which terminals travel over a WebSocket.

Raw: binary messages are the terminal's bytes, both ways, nothing else; the close code says how it ended.
Channels (`v5.channel.k8s.io`, also v4): the first byte says which channel. 0 stdin, 1 stdout, 2 stderr, 3 error and
exit status, 4 resize, and since v5 255 with a channel's number: nothing more comes on it.
Ours (`resume.v5.slipway`): these, and channel 5 with JSON about the session itself. The gateway says first what it is
(`Hello`), then how much input was taken (`{"taken"}`) and who watches (`{"watchers"}`); the client says how much output
it has (`{"received"}`), and after a lost connection goes on from there.
"""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from slipway_errors import Invalid

V5 = "v5.channel.k8s.io"
V4 = "v4.channel.k8s.io"
PLAIN = "v1"
RESUME = "resume.v5.slipway"
PROTOCOLS = (RESUME, V5, V4, PLAIN)
"""What is chosen from a client's list. `v1` stands for raw frames, beside `auth.bearer.<token>`."""

STDIN, STDOUT, STDERR, ERROR, RESIZE, SESSION, CLOSE = 0, 1, 2, 3, 4, 5, 255
END_OF_TRANSMISSION = b"\x04"
T = TypeVar("T")


@dataclass(frozen=True)
class Typed:
    """Something for the program."""

    data: bytes = b""
    eof: bool = False
    columns: int = 0
    rows: int = 0
    received: int = -1
    """How much of all output the client has."""


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """What a client must know to come back to its session."""

    session: str
    resume: str
    """A secret: who has it, and is the same person, may go on."""
    received: int
    """Position of the output that follows."""
    taken: int
    """Input that need not be sent again."""
    resume_seconds: float
    recorded: bool


class Framing(Protocol):
    """How a client is spoken with."""

    def typed(self, message: bytes) -> Typed:
        """What a message of the client means; Invalid when it is of no meaning."""

    def output(self, data: bytes, stderr: bool) -> bytes:
        """A message with output of the program."""

    def end(self, exit_code: int | None, reason: str) -> list[bytes]:
        """Messages that say how it ended."""

    def told(self, fact: dict[str, object] | Hello) -> bytes:
        """A message about the session itself; empty where the client has no ear for it."""

    resumable: bool
    """Whether the client can come back after a lost connection."""


class RawFrames:
    """The terminal's bytes, or a connection's."""

    resumable = False

    def __init__(self, ends_by_byte: bool) -> None:
        """`ends_by_byte`: without a terminal, clients end their input with a message that is only `\\x04`."""
        self._ends_by_byte = ends_by_byte

    def typed(self, message: bytes) -> Typed:
        if message == END_OF_TRANSMISSION and self._ends_by_byte:
            return Typed(eof=True)
        return Typed(data=message)

    def output(self, data: bytes, stderr: bool) -> bytes:
        return data

    def end(self, exit_code: int | None, reason: str) -> list[bytes]:
        return []

    def told(self, fact: dict[str, object] | Hello) -> bytes:
        return b""


class _Size(msgspec.Struct, frozen=True):
    """A size is {"Width": columns, "Height": rows}."""

    Width: int = 0
    Height: int = 0


class _Received(msgspec.Struct, frozen=True):
    """What was received is {"received": bytes}."""

    received: int


class ChannelFrames:
    """Channels as Kubernetes has them."""

    def __init__(self, half_close: bool, resumable: bool = False) -> None:
        self._half_close = half_close
        self.resumable = resumable

    def typed(self, message: bytes) -> Typed:
        if not message:
            raise Invalid("An empty message names no channel.")
        channel, data = message[0], message[1:]
        if channel == STDIN:
            return Typed(data=data)
        if channel == RESIZE:
            return _resized(data)
        if channel == SESSION and self.resumable:
            return Typed(received=_decoded(data, _Received).received)
        if channel == CLOSE and self._half_close and data == bytes([STDIN]):
            return Typed(eof=True)
        raise Invalid(f"Nothing can be sent on channel {channel}.")

    def output(self, data: bytes, stderr: bool) -> bytes:
        return bytes([STDERR if stderr else STDOUT]) + data

    def end(self, exit_code: int | None, reason: str) -> list[bytes]:
        return [bytes([ERROR]) + msgspec.json.encode(_status(exit_code, reason))]

    def told(self, fact: dict[str, object] | Hello) -> bytes:
        """Something about the session itself."""
        return bytes([SESSION]) + msgspec.json.encode(fact) if self.resumable else b""


def _decoded(data: bytes, form: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=form)
    except msgspec.DecodeError:
        raise Invalid(f"{form.__doc__}") from None


def _resized(data: bytes) -> Typed:
    size = _decoded(data, _Size)
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


def framing_for(protocol: str | None, ends_by_byte: bool) -> Framing:
    """The form that was agreed on in the handshake."""
    if protocol in (RESUME, V5, V4):
        return ChannelFrames(half_close=protocol != V4, resumable=protocol == RESUME)
    return RawFrames(ends_by_byte)
