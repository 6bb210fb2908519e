"""What runs, since when and why not: from the shims' status files, told when it changes.

Invariant: what is told last is what is true, also for a service that is gone (a tombstone), also after a restart of the
agent; the names of services told of are kept for that.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from slipway_agent.logs.files import Stamp, stamp
from slipway_agent.services import Ids, Known, Services
from slipway_bus import Bus
from slipway_contracts.live import STATED, ProcessState, ServiceState
from slipway_errors import Fault
from slipway_service import Life
from slipway_workloads import Layout, Release, ServiceMeta, Status
from slipway_workloads.processes import alive
from slipway_workloads.records import read

log = structlog.get_logger()

ALIVE_SECONDS = 5.0
JOB = "JOB"
"""ServiceKind of what is meant to end."""
LIVING = ("starting", "running", "waiting", "stopping")


def process_state(known: Known, release: Release, status: Status | None) -> ProcessState:
    """One release of a service, in the reference's words."""
    state, reason = _word(known.meta, release, status)
    return ProcessState(
        name=known.process_name(release.name),
        state=state,
        release=release.name,
        commit=release.commit,
        deployment_id=release.deployment_id,
        started_at=_time(status.started_at) if status else None,
        restarts=status.restarts if status else 0,
        reason=reason,
    )


def _word(meta: ServiceMeta, release: Release, status: Status | None) -> tuple[str, str]:
    if status is None:
        return ("STARTING", "") if release.state == "starting" else ("STOPPED", "it was never started")
    if status.over and meta.kind == JOB:
        return _of_run(release, status)
    if status.state != "exited" and not alive(status.shim_pid):
        return (
            "ERROR",
            "it ended together with what watches over it (its supervisor was killed or the machine restarted)",
        )
    if status.state == "starting" or (status.state == "running" and release.state == "starting"):
        return "STARTING", ""
    if status.state == "running":
        return "RUNNING", ""
    if status.state == "stopping":
        return "STOPPING", ""
    if status.state == "waiting":
        return "ERROR", _again(status)
    if meta.desired == "stopped" or release.state in ("stopped", "draining"):
        return "STOPPED", ""
    return "ERROR", status.reason or "it ended"


def _of_run(release: Release, status: Status) -> tuple[str, str]:
    """A run of a job that is over: it was meant to end, and to end well."""
    if status.exit_code == 0 and release.state != "failed":
        return "COMPLETED", ""
    return "ERROR", status.reason or "it ended"


def _again(status: Status) -> str:
    reason = status.reason or "it ended"
    return f"{reason}; it is started again" + (f" at {status.next_start_at[11:19]} UTC" if status.next_start_at else "")


def aggregate(states: list[str]) -> str:
    """One word for all processes of a service, as the reference documents it."""
    if not states:
        return "STOPPED"
    for word in ("STARTING", "STOPPING"):
        if word in states:
            return word
    distinct = set(states)
    if len(distinct) == 1:
        return states[0]
    if "ERROR" in distinct or "WARNING" in distinct:
        return "WARNING"
    return "RUNNING" if "RUNNING" in distinct else "STOPPED"


def service_state(known: Known) -> tuple[ServiceState, tuple[int, ...]]:
    """What is alive now of one service, and the processes on which that rests."""
    meta = known.meta
    processes: list[ProcessState] = []
    shims: list[int] = []
    newest: Release | None = None
    for name in known.directory.release_names():
        release = known.release(name)
        if release is None:
            continue
        newest = release
        status = read(known.directory.release(name).status, Status)
        if name == meta.current_release or (status is not None and status.state in LIVING):
            process = process_state(known, release, status)
            processes.append(process)
            if status is not None and status.state in LIVING and alive(status.shim_pid):
                shims.append(status.shim_pid)
    state = aggregate([process.state for process in processes])
    reasons = [process.reason for process in processes if process.reason]
    if not processes and newest is not None and newest.state == "failed" and meta.desired == "running":
        state, reasons = "ERROR", ["its first version did not start"]
    reason = reasons[0] if reasons else ""
    return ServiceState(**known.ids, state=state, processes=processes, reason=reason, at=datetime.now(UTC)), tuple(
        shims
    )


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


@dataclass
class _Told:
    """What the control plane knows of one service."""

    environment_id: str
    state: ServiceState | None = None
    at: float = float("-inf")
    paths: tuple[str, ...] = ()
    stamps: tuple[Stamp | None, ...] = ()
    shims: tuple[int, ...] = ()
    """Processes that must live for the state to be true."""
    looked_at: float = float("-inf")


class States:
    """Keeps the control plane's picture of this machine's services true."""

    def __init__(
        self, bus: Bus, layout: Layout, services: Services, spool: Path, cluster_id: str, refresh_seconds: float
    ) -> None:
        self._bus = bus
        self._layout = layout
        self._services = services
        self._file = spool / "services"
        self._cluster_id = cluster_id
        self._refresh_seconds = refresh_seconds
        self._told = {service: _Told(environment) for service, environment in self._load().items()}

    async def run(self, life: Life, seconds: float) -> None:
        """Look every so often until the process stops."""
        while not life.stopping.is_set():
            try:
                await self.tick()
            except Fault as fault:
                log.info("states wait for the bus", reason=fault.detail)
            try:
                async with asyncio.timeout(seconds):
                    await life.stopping.wait()
            except TimeoutError:
                continue

    async def tick(self) -> None:
        """Tell what changed since it was told last; a Fault leaves the rest for the next time."""
        services = self._services.all()
        await self._bury({service.directory.id for service in services})
        for known in services:
            await self._look(known)

    async def _look(self, known: Known) -> None:
        told = self._told.get(known.directory.id)
        if told is None:
            told = self._told[known.directory.id] = _Told(known.meta.environment_id)
            self._save()
        now = time.monotonic()
        stamps = tuple(map(stamp, told.paths))
        refresh = now - told.at >= self._refresh_seconds
        if stamps == told.stamps and not refresh and not self._died(told, now):
            return
        told.paths = _paths(known)
        told.stamps = tuple(map(stamp, told.paths))
        told.looked_at = now
        state, told.shims = service_state(known)
        if refresh or not _same(state, told.state):
            try:
                await self._bus.publish(STATED, state, **known.ids)
            except Fault:
                told.stamps = ()
                raise
            told.state, told.at = state, now

    def _died(self, told: _Told, now: float) -> bool:
        """A supervisor that was killed changes no file."""
        if now - told.looked_at < ALIVE_SECONDS:
            return False
        told.looked_at = now
        return not all(map(alive, told.shims))

    async def _bury(self, present: set[str]) -> None:
        """Tell of services whose directory is gone."""
        gone = [service for service in self._told if service not in present and self._removed(service)]
        for service in gone:
            environment_id = self._told[service].environment_id
            ids = Ids(cluster_id=self._cluster_id, environment_id=environment_id, service_id=service)
            tombstone = ServiceState(**ids, state="STOPPED", deleted=True, at=datetime.now(UTC))
            await self._bus.publish(STATED, tombstone, **ids)
            del self._told[service]
        if gone:
            self._save()

    def _removed(self, service: str) -> bool:
        return self._layout.work_dir.is_dir() and not self._layout.service(service).meta.exists()

    def _load(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.DecodeError):
            return {}

    def _save(self) -> None:
        content = msgspec.json.encode({service: told.environment_id for service, told in self._told.items()})
        temporary = self._file.with_suffix(".new")
        temporary.write_bytes(content)
        os.replace(temporary, self._file)


def _paths(known: Known) -> tuple[str, ...]:
    """Directories in which a file is replaced when anything about the service changes."""
    root = known.directory
    releases = [str(root.release(name).root) for name in root.release_names()]
    return (str(root.root), str(root.releases), str(root.root / "status"), *releases)


def _same(one: ServiceState, other: ServiceState | None) -> bool:
    return other is not None and msgspec.structs.replace(one, at=other.at) == other
