"""The CRI log format: `2026-01-01T00:00:00.000000000Z stdout F text`, where P marks a part that the next ones complete.

Parsing is a pure function of the bytes from a point where no line is half read, so the same bytes always give the same
lines with the same numbers, whatever happened to the agent in between.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from slipway_agent.logs.levels import detect
from slipway_contracts.live import LogLine

LINE_BYTES = 1024 * 1024
"""A longer line is cut here into several."""
ENCODED_BYTES = 1_500_000
"""A line that would be longer than this as JSON (binary, control characters) is cut further."""
LINES_BETWEEN = 1000
BYTES_BETWEEN = 1024 * 1024
"""So much of the other stream ends a part that nothing completes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Parsed:
    lines: list[LogLine]
    consumed: int
    """Bytes up to the last point where no line was half read."""
    sequence: int
    """The next line's number."""


@dataclass
class _Part:
    time_ns: int
    text: bytearray = field(default_factory=bytearray)
    lines_since: int = 0
    bytes_since: int = 0


class _Clock:
    """Times of lines. Consecutive ones mostly share their second, which is worked out once."""

    def __init__(self, fallback_ns: int) -> None:
        self.last_ns = fallback_ns
        self._second = b""
        self._second_ns = 0

    def parse(self, text: bytes) -> int | None:
        if text[:19] != self._second or len(text) < 20:
            try:
                moment = datetime.fromisoformat(text[:19].decode() + "+00:00")
            except (ValueError, UnicodeDecodeError):
                return None
            delta = moment - _EPOCH
            self._second, self._second_ns = text[:19], (delta.days * 86_400 + delta.seconds) * 1_000_000_000
        nanoseconds = self._rest(text[19:])
        if nanoseconds is None:
            return None
        self.last_ns = self._second_ns + nanoseconds
        return self.last_ns

    def _rest(self, rest: bytes) -> int | None:
        """`.123456789Z`, `Z`, `.5+02:00`: nanoseconds to add to the second in UTC."""
        if rest[:1] == b"." and rest[-1:] == b"Z" and rest[1:-1].isdigit():
            return int(rest[1:-1].ljust(9, b"0")[:9])
        if rest == b"Z":
            return 0
        try:
            zoned = datetime.fromisoformat("1970-01-02T00:00:00" + rest[-6:].decode())
        except (ValueError, UnicodeDecodeError):
            return None
        fraction = rest[1:-6]
        if fraction and not fraction.isdigit():
            return None
        offset = zoned - datetime(1970, 1, 2, tzinfo=UTC)
        return int(offset.total_seconds()) * 1_000_000_000 + int((fraction or b"0").ljust(9, b"0")[:9])


class _Parse:
    """One run over the bytes."""

    def __init__(self, sequence: int, fallback_ns: int) -> None:
        self.lines: list[LogLine] = []
        self.sequence = sequence
        self.clock = _Clock(fallback_ns)
        self.parts: dict[bytes, _Part] = {}

    def line(self, raw: bytes) -> None:
        """Take one line of the file."""
        fields = raw.split(b" ", 3)
        time_ns = self.clock.parse(fields[0]) if len(fields) >= 3 else None
        if time_ns is None or fields[1] not in (b"stdout", b"stderr", b"system") or fields[2][:1] not in (b"F", b"P"):
            self._emit(self.clock.last_ns, "stdout", raw)
            return
        text = fields[3] if len(fields) == 4 else b""
        if fields[2][:1] == b"F" and not self.parts:
            self._emit(time_ns, fields[1].decode(), text)
        else:
            self._part(time_ns, fields[1], text, complete=fields[2][:1] == b"F")

    def _part(self, time_ns: int, stream: bytes, text: bytes, complete: bool) -> None:
        part = self.parts.setdefault(stream, _Part(time_ns))
        part.text += text
        if complete or len(part.text) >= LINE_BYTES:
            del self.parts[stream]
            self._emit(part.time_ns, stream.decode(), bytes(part.text))
        for name, other in list(self.parts.items()):
            other.lines_since += 1
            other.bytes_since += len(text)
            if other.lines_since > LINES_BETWEEN or other.bytes_since > BYTES_BETWEEN:
                del self.parts[name]
                self._emit(other.time_ns, name.decode(), bytes(other.text))

    def finish(self) -> None:
        """The file is over: parts that nothing completed are lines."""
        for stream, part in self.parts.items():
            self._emit(part.time_ns, stream.decode(), bytes(part.text))
        self.parts.clear()

    def _emit(self, time_ns: int, stream: str, raw: bytes) -> None:
        text = raw.decode("utf-8", "replace")
        for piece in _pieces(text):
            line = LogLine(sequence=self.sequence, time_ns=time_ns, stream=stream, text=piece, level=detect(piece))
            self.lines.append(line)
            self.sequence += 1


def _pieces(text: str) -> list[str]:
    if len(text) <= LINE_BYTES and (len(text) < ENCODED_BYTES // 6 or _encoded(text) <= ENCODED_BYTES):
        return [text]
    middle = len(text) // 2
    return _pieces(text[:middle]) + _pieces(text[middle:])


def _encoded(text: str) -> int:
    return len(msgspec.json.encode(text))


def parse(data: bytes, sequence: int, *, closed: bool = False, fallback_ns: int = 0) -> Parsed:
    """The lines in `data`, which begins where a line begins.

    `closed`: the file ends here, so what is left over is a line too. Otherwise a line without its end stays unread.
    """
    run = _Parse(sequence, fallback_ns)
    position = consumed = emitted = 0
    after = sequence
    raws = data.split(b"\n")
    tail = raws.pop()
    for raw in raws:
        run.line(raw)
        position += len(raw) + 1
        if not run.parts:
            consumed, emitted, after = position, len(run.lines), run.sequence
    if closed:
        if tail:
            run.line(tail)
        run.finish()
        return Parsed(run.lines, len(data), run.sequence)
    return Parsed(run.lines[:emitted], consumed, after)
