"""How far each source has been sent: a journal, one line per batch, read back after whatever end the agent came to.

A mark is written before a batch is published (what it will hold) and its acknowledgement with the next mark. So a batch
that was cut off is sent again with the same lines, and the bus knows it by its id.
"""

import fcntl
import os
import time
from pathlib import Path

import msgspec

from slipway_errors import Conflict

COMPACT_BYTES = 1024 * 1024


class AnotherAgent(Conflict):
    """Another agent works in this spool directory."""

    code = "agent.spool_in_use"


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Where a source stands. Everything before `offset` is kept by the bus."""

    fingerprint: str
    inode: int
    offset: int
    sequence: int
    """Number of the line at `offset`."""
    cut: int = 0
    """End of a batch from `offset` that was handed to the bus and not acknowledged; 0: none."""


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    key: str
    mark: Mark | None


class Checkpoints:
    """The journal of one agent. `record` survives a kill -9 as soon as it returns."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = directory / "checkpoints"
        self._lock = _locked(directory / "lock")
        self._marks = _load(self._path)
        self._descriptor = -1
        self._compact()

    def mark(self, key: str) -> Mark | None:
        return self._marks.get(key)

    def keys(self) -> list[str]:
        return list(self._marks)

    def record(self, key: str, mark: Mark) -> None:
        """Remember where a source stands."""
        self._marks[key] = mark
        self._append(_Entry(key, mark))

    def forget(self, key: str) -> None:
        """The source is gone and all of it was sent."""
        if self._marks.pop(key, None) is not None:
            self._append(_Entry(key, None))

    def close(self) -> None:
        os.close(self._descriptor)
        os.close(self._lock)

    def _append(self, entry: _Entry) -> None:
        line = msgspec.json.encode(entry) + b"\n"
        os.write(self._descriptor, line)
        self._bytes += len(line)
        if self._bytes > self._limit:
            self._compact()

    def _compact(self) -> None:
        """Write the journal anew with the last mark of each source."""
        lines = [msgspec.json.encode(_Entry(key, mark)) for key, mark in self._marks.items()]
        content = b"".join(line + b"\n" for line in lines)
        temporary = self._path.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self._path)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._bytes = len(content)
        self._limit = max(COMPACT_BYTES, 4 * self._bytes)


def _load(path: Path) -> dict[str, Mark]:
    marks: dict[str, Mark] = {}
    decoder = msgspec.json.Decoder(_Entry)
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            entry = decoder.decode(line)
        except msgspec.DecodeError:
            continue  # the line being written when the power went
        if entry.mark is None:
            marks.pop(entry.key, None)
        else:
            marks[entry.key] = entry.mark
    return marks


def _locked(path: Path, wait_seconds: float = 10.0) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise AnotherAgent(f"Another agent works in {path.parent}: end it first.") from None
            time.sleep(0.1)
        else:
            return descriptor
