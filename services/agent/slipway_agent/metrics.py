"""CPU and memory of each service's processes, from /proc; what could not be told while the bus was away is dropped."""

import asyncio
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from slipway_agent.services import Known, Services
from slipway_bus import Bus
from slipway_contracts.live import MEASURED, MetricSample
from slipway_errors import Fault
from slipway_service import Life
from slipway_workloads import Release, Status
from slipway_workloads.processes import alive, descendants, resident_bytes, started_ticks
from slipway_workloads.records import read

log = structlog.get_logger()

EXACT_PROCESSES = 200
"""With more processes, shared memory is left out instead of being shared out, which costs half a millisecond each."""
PAGE_BYTES = os.sysconf("SC_PAGESIZE")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Used:
    at: float
    ticks: dict[tuple[int, int], int]
    """(pid, when it started) → CPU ticks: a pid that was given again is another process."""


class Metrics:
    """Measures; keeps the last counters of each release to take differences."""

    def __init__(self, bus: Bus, services: Services) -> None:
        self._bus = bus
        self._services = services
        self._used: dict[str, _Used] = {}
        self._few = True

    async def run(self, life: Life, seconds: float) -> None:
        """Measure every so often until the process stops."""
        while not life.stopping.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await life.stopping.wait()
            except TimeoutError:
                await self.tick()

    async def tick(self) -> None:
        """Measure every running service once and tell."""
        before, self._used = self._used, {}
        self._few = sum(len(used.ticks) for used in before.values()) <= EXACT_PROCESSES
        for known in self._services.all():
            sample = self.measure(known, before)
            if sample is None:
                continue
            try:
                await self._bus.publish(MEASURED, sample, **known.ids)
            except Fault as fault:
                log.info("metrics dropped", service=known.directory.id, reason=fault.detail)
                return
            await asyncio.sleep(0)

    def measure(self, known: Known, before: dict[str, _Used]) -> MetricSample | None:
        """One sample of a service; None when nothing of it runs, or nothing was measured before."""
        processes: list[MetricSample.Process] = []
        limits = Release(name="", created_at=datetime.now(UTC))
        for name in known.directory.release_names():
            process = self._process(known, name, before)
            if process is not None:
                processes.append(process)
                limits = known.release(name) or limits
        if not processes:
            return None
        return MetricSample(
            at=datetime.now(UTC),
            processes=processes,
            cpu_limit_milli=limits.cpu_milli,
            memory_limit_bytes=limits.memory_mib * 1024 * 1024,
        )

    def _process(self, known: Known, release: str, before: dict[str, _Used]) -> MetricSample.Process | None:
        status = read(known.directory.release(release).status, Status)
        if status is None or status.state != "running" or not alive(status.shim_pid):
            return None
        pids = descendants(status.shim_pid)
        key = f"{known.directory.id}/{release}"
        used = _Used(time.monotonic(), {(pid, started_ticks(pid)): _cpu_ticks(pid) for pid in pids})
        self._used[key] = used
        return MetricSample.Process(
            name=known.process_name(release),
            cpu_milli=round(_cpu_milli(before.get(key), used), 1),
            memory_bytes=resident_bytes(pids) if self._few else sum(map(_own_bytes, pids)),
            restarts=status.restarts,
        )


def _cpu_milli(before: _Used | None, used: _Used) -> float:
    """Thousandths of a core between two looks; processes that came between count from their start."""
    if before is None or used.at <= before.at:
        return 0.0
    ticks = sum(count - before.ticks.get(process, 0) for process, count in used.ticks.items())
    return max(0.0, 1000.0 * ticks / TICKS_PER_SECOND / (used.at - before.at))


def _cpu_ticks(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _own_bytes(pid: int) -> int:
    """Memory that no file and no other process backs."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            fields = file.read().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * PAGE_BYTES
