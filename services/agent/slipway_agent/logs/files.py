"""One log file, known by what it is and not by its name, so that a rename or a reused inode can't confuse it.

A file's identity is its first line (which holds a time in nanoseconds): a copy of it has the same, a new file in its
place another. While it is open here, its bytes stay readable though somebody removes it.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

HEAD_BYTES = 1024
Stamp = tuple[int, int, int]
"""Inode, size, modification time in nanoseconds."""


@dataclass(frozen=True)
class Identity:
    """What a checkpoint remembers a file by."""

    fingerprint: str
    inode: int


class LogFile:
    """An open log file."""

    def __init__(self, path: Path, descriptor: int, head: bytes) -> None:
        self.path = path
        self.rotation = rotation(path.name)
        self._descriptor = descriptor
        self._head = head
        status = os.fstat(descriptor)
        self.identity = Identity(_fingerprint(head), status.st_ino)
        self.modified_ns = status.st_mtime_ns

    @classmethod
    def open(cls, path: Path, *, closed: bool) -> "LogFile | None":
        """The file, when it has an identity yet. `closed`: nothing will be added to it, so it has one as it is."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        head = _head(descriptor)
        if not head or not (closed or head.endswith(b"\n") or len(head) == HEAD_BYTES):
            os.close(descriptor)
            return None
        return cls(path, descriptor, head)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def removed(self) -> bool:
        """No name leads to it any more; closing it frees its bytes."""
        return os.fstat(self._descriptor).st_nlink == 0

    def intact(self) -> bool:
        """It still begins as it did: it was not cut short and written anew."""
        return os.pread(self._descriptor, len(self._head), 0) == self._head

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`, less only at the end of the file."""
        data = os.pread(self._descriptor, length, offset)
        while data and len(data) < length:
            more = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def count_lines(self, offset: int) -> int:
        """How many lines lie behind `offset`."""
        lines = 0
        while data := os.pread(self._descriptor, 1024 * 1024, offset):
            lines += data.count(b"\n")
            offset += len(data)
        return lines

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def rotation(name: str) -> int:
    """0 for the file being written, 1 for the one before it, and so on; -1 for other files."""
    if name == "current.log":
        return 0
    number = name.removeprefix("current.log.")
    return int(number) if number != name and number.isdecimal() else -1


def stamp(path: str | Path) -> Stamp | None:
    """What changes when the file does; None when it isn't there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def listed(directory: Path) -> list[Path]:
    """The log files of a directory, oldest first, as they were at one moment."""
    for _ in range(5):
        before = stamp(directory)
        if before is None:
            return []
        found = [entry for entry in os.scandir(directory) if rotation(entry.name) >= 0]
        if stamp(directory) == before:
            break
    return [Path(entry.path) for entry in sorted(found, key=lambda entry: -rotation(entry.name))]


def _head(descriptor: int) -> bytes:
    head = os.pread(descriptor, HEAD_BYTES, 0)
    end = head.find(b"\n")
    return head if end < 0 else head[: end + 1]


def _fingerprint(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=9).hexdigest()
