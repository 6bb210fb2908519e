"""Old versions finish their connections before they end: WebSockets and long downloads survive a deploy.

Invariant: what drains is marked so on disk, so that an engine's end doesn't make an old version stay for ever; the
version that gets the requests is never ended here.
"""

import asyncio
import time
from datetime import UTC, datetime

import structlog

from slipway_engine.drivers.local.releases import Releases
from slipway_errors import Fault
from slipway_workloads import Layout, Release, ServiceDirectory, ServiceMeta, processes
from slipway_workloads.records import read

POLL_SECONDS = 0.5
LEAST_SECONDS = 1.0
"""A request that was on its way at the switch has reached its process after this."""
QUIET_SECONDS = 1.0
"""The old version ends when it had no connection for so long."""

log = structlog.get_logger()


class Draining:
    """Ends old releases, each in its own time."""

    def __init__(self, layout: Layout, releases: Releases, limit_seconds: float) -> None:
        self._layout = layout
        self._releases = releases
        self._limit_seconds = limit_seconds
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}

    def begin(self, service: ServiceDirectory, release: str) -> None:
        """From now on the release gets no new requests: end it when it is done with the old ones."""
        self._releases.mark(service, release, "draining")
        self._watch(service, release)

    def resume(self) -> None:
        """Go on with what another engine, or this one before its restart, began."""
        for service in self._layout.services():
            for name in service.release_names():
                about = read(service.release(name).about, Release)
                if about is not None and about.state == "draining":
                    self._watch(service, name)

    async def attend(self, stopping: asyncio.Event) -> None:
        """Look for drains of other engines now and then; on the way out leave the rest for the next engine."""
        self.resume()
        while not stopping.is_set():
            try:
                async with asyncio.timeout(60):
                    await stopping.wait()
            except TimeoutError:
                self.resume()
        for task in self._running.values():
            task.cancel()

    def _watch(self, service: ServiceDirectory, release: str) -> None:
        key = (service.id, release)
        if key not in self._running:
            task = asyncio.create_task(self._drain(service, release), name=f"drain {release}")
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))

    async def _drain(self, service: ServiceDirectory, name: str) -> None:
        about = read(service.release(name).about, Release)
        if about is None:
            return
        try:
            await self._wait_for_end(about)
            if not self._is_current(service, name):
                await self._releases.retire(service, name)
        except (Fault, OSError) as error:
            log.warning("drain goes on later", service_id=service.id, release=name, reason=str(error))

    async def _wait_for_end(self, about: Release) -> None:
        """Until no connection is left for a while, or the limit is over."""
        quiet_since: float | None = None
        while True:
            age = (datetime.now(UTC) - (about.state_at or about.created_at)).total_seconds()
            if age > self._limit_seconds:
                return
            if await asyncio.to_thread(processes.living_connections, about.port):
                quiet_since = None
            else:
                quiet_since = quiet_since or time.monotonic()
                if age > LEAST_SECONDS and time.monotonic() - quiet_since > QUIET_SECONDS:
                    return
            await asyncio.sleep(POLL_SECONDS)

    def _is_current(self, service: ServiceDirectory, release: str) -> bool:
        meta = read(service.meta, ServiceMeta)
        return meta is not None and meta.current_release == release
