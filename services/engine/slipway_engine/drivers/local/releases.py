"""The releases of a service: started, marked, retired, the oldest removed.

Invariant: the directory of a retired release holds no secret any more; its record stays for a rollback.
"""

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from slipway_engine.trees import remove_tree
from slipway_workloads import Launch, Release, ReleaseDirectory, ServiceDirectory, Supervisor, shim_command
from slipway_workloads.records import read, write

STOP_MARGIN_SECONDS = 5.0
"""The shim ends the program after its grace; supervisord ends the shim after this much more."""


class Releases:
    """What runs below the workloads' supervisor."""

    def __init__(self, supervisor: Supervisor, keep: int) -> None:
        self._supervisor = supervisor
        self._keep = keep

    async def start(self, release: ReleaseDirectory, *, once: bool = False) -> None:
        """Start the program; it runs until it is paused or retired, or, `once`, to its own end."""
        release.status.unlink(missing_ok=True)
        command = shim_command(release.launch)
        await self._supervisor.start(release.program, command, self._stop_seconds(release), once=once)

    async def pause(self, service: ServiceDirectory, name: str) -> None:
        """End the program; it can be started again as it was."""
        release = service.release(name)
        await self._supervisor.stop(release.program, self._stop_seconds(release))
        self.mark(service, name, "stopped")

    async def retire(
        self, service: ServiceDirectory, name: str, *, forced: bool = False, state: str = "stopped"
    ) -> None:
        """End the program for good; keep its record and its logs."""
        release = service.release(name)
        await self._supervisor.remove(release.program, self._stop_seconds(release), forced=forced)
        self.mark(service, name, state)
        await asyncio.to_thread(self._strip, release)
        await asyncio.to_thread(self._remove_oldest, service)

    def mark(self, service: ServiceDirectory, name: str, state: str) -> None:
        """Write the state into the release's record, if it has one."""
        release = service.release(name)
        about = read(release.about, Release)
        if about is not None:
            write(release.about, msgspec.structs.replace(about, state=state, state_at=datetime.now(UTC)))

    def _stop_seconds(self, release: ReleaseDirectory) -> float:
        launch = read(release.launch, Launch)
        return (launch.stop_grace_seconds if launch else 10.0) + STOP_MARGIN_SECONDS

    def _strip(self, release: ReleaseDirectory) -> None:
        release.launch.unlink(missing_ok=True)
        for name in ("files", "source"):
            remove_tree(release.root / name)

    def _remove_oldest(self, service: ServiceDirectory) -> None:
        retired = [name for name in service.release_names() if self._is_retired(service.release(name))]
        for name in retired[: -self._keep] if self._keep else retired:
            release = service.release(name)
            remove_tree(release.root)
            remove_tree(release.logs)
            release.status.unlink(missing_ok=True)

    def _is_retired(self, release: ReleaseDirectory) -> bool:
        about = read(release.about, Release)
        return about is None or (about.state in ("stopped", "failed", "completed") and not release.launch.exists())


def free_bytes(directory: Path) -> int:
    """Room on the disk that holds the directory."""
    return shutil.disk_usage(directory).free
