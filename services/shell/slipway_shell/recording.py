"""What a session printed, as asciicast v2: one line of JSON per piece, playable by asciinema.

With a key, each piece is encrypted under a data key of the recording and bound to session and position, so that pieces
can be neither read nor moved. What was typed is not recorded: it may hold passwords.
"""

import base64
import codecs
import contextlib
import os
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from slipway_security.envelope import MasterKey

log = structlog.get_logger()

FLUSH_BYTES = 64 * 1024
SEALED = "slipway sealed recording 1"
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""What moves and colours: CSI and OSC sequences, and those of one character."""


def place_of(organization_id: str, session_id: str, now: datetime, sealed: bool) -> str:
    """Name of a recording in the store of recordings."""
    return f"{organization_id}/{now:%Y-%m-%d}/{session_id}.cast" + (".sealed" if sealed else "")


def part_of(place: str, part: int) -> str:
    """Name of the part that a gateway wrote which took the session over: 2, 3 …"""
    return place if part == 1 else place.replace(".cast", f".{part}.cast")


class Recording:
    """One open recording. A disk that is full ends it, not the session."""

    def __init__(self, path: Path, session_id: str, key: MasterKey | None, most_bytes: int) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._session_id = session_id
        self._key = key
        self._wrapped = b""
        self._left = most_bytes
        self._began = time.monotonic()
        self._decoders = {False: _decoder(), True: _decoder()}
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._pieces = 0
        if key is not None:
            self._wrapped = key.new_data_key()
            self._write(msgspec.json.encode([SEALED, session_id, self._wrapped]) + b"\n")

    def begin(self, columns: int, rows: int, title: str, now: datetime) -> None:
        """The header."""
        header = {
            "version": 2,
            "width": columns,
            "height": rows,
            "timestamp": int(now.timestamp()),
            "title": title,
            "env": {"TERM": "xterm-256color"},
        }
        self._add(msgspec.json.encode(header))

    def output(self, data: bytes, stderr: bool = False) -> None:
        """Something was printed. Characters that are cut between two pieces are put together."""
        if self._left <= 0 or self._file.closed:
            return
        self._left -= len(data)
        text = self._decoders[stderr].decode(data)
        if self._left <= 0:
            text += "\r\n[slipway] The recording ends here: it has reached its limit.\r\n"
        if text:
            self._event("o", text)

    def resized(self, columns: int, rows: int) -> None:
        if not self._file.closed:
            self._event("r", f"{columns}x{rows}")

    def flush(self) -> None:
        """Write what waits."""
        if not self._waiting or self._file.closed:
            return
        content, self._waiting, self._waiting_bytes = b"".join(self._waiting), [], 0
        if self._key is not None:
            bound_to = f"{self._session_id}/{self._pieces}"
            content = base64.b64encode(self._key.encrypt(self._wrapped, content, bound_to)) + b"\n"
        self._pieces += 1
        self._write(content)

    def printed(self) -> bytes:
        """All that was printed so far."""
        self.flush()
        return printed(opened(self.path.read_bytes(), self._key))

    def close(self) -> None:
        self.flush()
        self._file.close()

    def _event(self, kind: str, text: str) -> None:
        self._add(msgspec.json.encode([round(time.monotonic() - self._began, 6), kind, text]))

    def _add(self, line: bytes) -> None:
        self._waiting.append(line + b"\n")
        self._waiting_bytes += len(line) + 1
        if self._waiting_bytes >= FLUSH_BYTES:
            self.flush()

    def _write(self, content: bytes) -> None:
        try:
            while content:
                content = content[self._file.write(content) or 0 :]
        except OSError as error:
            self._left = 0
            log.error("recording stopped", session=self._session_id, reason=error.strerror)


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("replace")


def opened(content: bytes, key: MasterKey | None) -> bytes:
    """The asciicast in a recording as it was written; DecryptionFailed without the key it was made with."""
    if not content.startswith(b'["' + SEALED.encode()):
        return content
    head, *pieces = content.splitlines()
    _, session_id, wrapped = msgspec.json.decode(head, type=tuple[str, str, bytes])
    if key is None:
        from slipway_security import DecryptionFailed

        raise DecryptionFailed("This recording is encrypted: its key is needed.")
    decrypted = (
        key.decrypt(wrapped, base64.b64decode(piece), f"{session_id}/{number}") for number, piece in enumerate(pieces)
    )
    return b"".join(decrypted)


class Event(msgspec.Struct, array_like=True, frozen=True):
    """A line of an asciicast."""

    seconds: float
    kind: str
    text: str


def events(cast: bytes) -> Iterator[Event]:
    """The lines after the header; one that was cut by a crash is left out."""
    for line in cast.splitlines()[1:]:
        with contextlib.suppress(msgspec.DecodeError):
            yield msgspec.json.decode(line, type=Event)


def printed(cast: bytes) -> bytes:
    """What an asciicast shows."""
    return "".join(event.text for event in events(cast) if event.kind == "o").encode()


def joined(parts: list[bytes]) -> bytes:
    """Parts of one session as one asciicast: the times of later ones go on from the first.

    A part whose gateway has not written yet, or died before it did, is left out.
    """
    begun = [part for part in parts if b"\n" in part]
    if not begun:
        return b""
    first, *later = begun
    lines = [first]
    for part in later:
        after = _began_at(part) - _began_at(first)
        moved = (Event(round(event.seconds + after, 6), event.kind, event.text) for event in events(part))
        lines += [msgspec.json.encode(event) + b"\n" for event in moved]
    return b"".join(lines)


def _began_at(cast: bytes) -> int:
    header, _, _ = cast.partition(b"\n")
    return int(msgspec.json.decode(header)["timestamp"])


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was looked for."""

    seconds: float
    line: str


def found(cast: bytes, text: str, most: int = 20) -> list[Found]:
    """Lines in which this text was printed, in upper or lower case, and when; colours and movements left out."""
    wanted, hits, line = text.casefold(), [], ""
    for event in events(cast):
        if event.kind != "o":
            continue
        *done, line = (line + ESCAPES.sub("", event.text)).replace("\r", "").split("\n")
        hits += [Found(seconds=event.seconds, line=one[:500]) for one in done if wanted in one.casefold()]
    if line and wanted in line.casefold():
        hits.append(Found(seconds=-1.0, line=line[:500]))
    return hits[:most]
