"""Reports: written to disk in order, sent in order, gone from disk once the bus has them.

Invariant: a report that was made is delivered, also when the bus is away for hours or the engine dies: the next
engine on this machine sends what a dead one left. What a task came to is remembered, so that a task that is delivered
again is answered and not done again.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from slipway_bus import Bus
from slipway_contracts.tasks import REPORTED, ClusterReport, Report, TaskState
from slipway_errors import Fault
from slipway_workloads.records import write_bytes

FINISHED_SECONDS = 2 * 86400.0
LONGEST_PAUSE_SECONDS = 5.0
ADOPT_SECONDS = 30.0

log = structlog.get_logger()


class Spool:
    """The directory of reports; each engine process has a folder of its own in it, locked while it lives."""

    def __init__(self, directory: Path, engine_id: str) -> None:
        self._directory = directory
        self._own = directory / engine_id
        self._own.mkdir(parents=True, exist_ok=True)
        self._finished = directory / "finished"
        self._finished.mkdir(exist_ok=True)
        self._lock = _try_lock(self._own)
        self._count = 0
        self._waiting = asyncio.Event()
        self._waiting.set()
        self._unwritten: list[Report] = []
        self.sent = asyncio.Event()
        self.sent.set()

    async def add(self, report: Report, *, final: bool = False) -> None:
        """Keep the report and have it sent. A final one is on disk for good when this returns."""
        self._count += 1
        content = msgspec.json.encode(report)
        try:
            if final and report.state is not TaskState.REFUSED:
                await asyncio.to_thread(write_bytes, self._finished / f"{report.task_id}.json", content)
            await asyncio.to_thread(write_bytes, self._own / f"{self._count:012d}.json", content, durable=final)
        except OSError as error:
            # A full disk must not silence the engine: the report waits in memory.
            log.error("report not on disk", reason=str(error), task_id=report.task_id)
            self._unwritten.append(report)
        self.sent.clear()
        self._waiting.set()

    def finished(self, task_id: str, fence: int) -> Report | None:
        """What this task came to when it was done before."""
        try:
            report = msgspec.json.decode((self._finished / f"{task_id}.json").read_bytes(), type=Report)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return report if report.fence == fence else None

    async def send(self, bus: Bus, cluster_id: str, stopping: asyncio.Event) -> None:
        """Send what there is, in order, until `stopping` (and then what is left, if the bus is there)."""
        pause = 0.2
        adopt_at = 0.0
        while True:
            if time.monotonic() >= adopt_at:
                adopt_at = time.monotonic() + ADOPT_SECONDS
                await self._adopt(bus, cluster_id)
                self._forget_finished()
            try:
                await self._send_own(bus, cluster_id)
                pause = 0.2
            except Fault as fault:
                log.warning("reports wait", reason=fault.detail, waiting=len(list(self._own.glob("*.json"))))
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
                if not stopping.is_set():
                    await _first(stopping.wait(), pause)
                    continue
            if stopping.is_set():
                return
            await _first(self._waiting.wait(), ADOPT_SECONDS, stopping.wait())

    async def _send_own(self, bus: Bus, cluster_id: str) -> None:
        self._waiting.clear()
        await _send_folder(bus, cluster_id, self._own)
        while self._unwritten:
            await _publish(bus, cluster_id, self._unwritten[0])
            self._unwritten.pop(0)
        if not self._waiting.is_set():
            self.sent.set()

    async def _adopt(self, bus: Bus, cluster_id: str) -> None:
        """Send what engines that are dead left behind."""
        for folder in sorted(self._directory.iterdir()):
            if folder in (self._own, self._finished) or not folder.is_dir():
                continue
            lock = _try_lock(folder)
            if lock is None:
                continue
            try:
                await _send_folder(bus, cluster_id, folder)
                for file in folder.iterdir():
                    file.unlink(missing_ok=True)
                folder.rmdir()
            except (Fault, OSError) as error:
                log.warning("old reports wait", reason=str(error))
            finally:
                os.close(lock)

    def _forget_finished(self) -> None:
        oldest = time.time() - FINISHED_SECONDS
        for file in self._finished.glob("*.json"):
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)


async def _send_folder(bus: Bus, cluster_id: str, folder: Path) -> None:
    for file, report in _stored(folder):
        await _publish(bus, cluster_id, report)
        file.unlink(missing_ok=True)


def _stored(folder: Path) -> Iterator[tuple[Path, Report]]:
    for file in sorted(folder.glob("*.json")):
        try:
            yield file, msgspec.json.decode(file.read_bytes(), type=Report)
        except msgspec.DecodeError:
            log.error("unreadable report dropped", file=file.name)
            file.unlink(missing_ok=True)


async def _publish(bus: Bus, cluster_id: str, report: Report) -> None:
    id = f"{report.task_id}.{report.delivery}.{report.sequence}"
    await bus.publish(REPORTED, ClusterReport(report=report), id=id, cluster_id=cluster_id)


def _try_lock(folder: Path) -> int | None:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


async def _first(work: object, seconds: float, other: object = None) -> None:
    """Wait for whichever comes first, at most so long."""
    waits = [asyncio.ensure_future(one) for one in (work, other) if one is not None]  # type: ignore[call-overload]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
