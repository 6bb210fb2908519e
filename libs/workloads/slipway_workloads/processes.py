"""What the kernel tells of running programs: who descends from whom, who listens where, which connections live.

Invariant: a process that ends while it is looked at is simply not there; nothing here raises for it.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ESTABLISHED = "01"
LISTENING = "0A"
LIVING = frozenset({ESTABLISHED, "02", "03", "04", "05", "08"})
"""States of a connection that still may carry data: established, being made, half closed."""


@dataclass(frozen=True)
class Connection:
    """A TCP socket of this machine's network."""

    local_port: int
    remote_port: int
    state: str
    inode: str


def descendants(pid: int) -> list[int]:
    """The process's children, their children and so on; without itself."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop()):
            found.append(child)
            waiting.append(child)
    return found


def listening_ports(pids: Iterable[int]) -> list[int]:
    """TCP ports on which any of the processes listens, lowest first."""
    inodes = _socket_inodes(pids)
    return sorted(
        {socket.local_port for socket in connections() if socket.state == LISTENING and socket.inode in inodes}
    )


def living_connections(port: int) -> int:
    """How many connections somebody has to the port of this machine."""
    return sum(1 for socket in connections() if socket.local_port == port and socket.state in LIVING)


def connections() -> list[Connection]:
    """All TCP sockets of this network namespace."""
    return [*_read("/proc/net/tcp"), *_read("/proc/net/tcp6")]


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory of the processes: proportional shares, so that pages which they share count once."""
    return sum(_proportional(pid) for pid in pids)


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie doesn't)."""
    return pid > 0 and _state(pid) not in ("", "Z", "X")


def started_ticks(pid: int) -> int:
    """When the process started, in clock ticks since boot: with the pid, its identity. 0 when it is gone."""
    fields = _stat(pid)
    return int(fields[19]) if len(fields) > 19 else 0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    except OSError:
        return found
    return found


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else ""


def _proportional(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0


def _socket_inodes(pids: Iterable[int]) -> set[str]:
    inodes: set[str] = set()
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                target = os.readlink(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    return inodes


def _read(table: str) -> list[Connection]:
    try:
        lines = Path(table).read_text().splitlines()[1:]
    except OSError:
        return []
    return [_connection(line.split()) for line in lines]


def _connection(fields: list[str]) -> Connection:
    return Connection(
        local_port=int(fields[1].rpartition(":")[2], 16),
        remote_port=int(fields[2].rpartition(":")[2], 16),
        state=fields[3],
        inode=fields[9],
    )
