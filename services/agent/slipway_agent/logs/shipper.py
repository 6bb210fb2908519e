"""From sources to the bus: one batch of a source at a time, in order, many sources side by side.

While the bus is away the log files are the spool: nothing is read ahead, and a batch is tried again until it is kept.
"""

import asyncio
import time
from dataclasses import dataclass

import structlog

from slipway_agent.logs.checkpoints import Checkpoints, Mark
from slipway_agent.logs.files import Stamp, stamp
from slipway_agent.logs.source import Cut, Source
from slipway_agent.services import Known, known, log_directories
from slipway_bus import Bus
from slipway_contracts.live import LOGGED, LogBatch
from slipway_errors import Fault
from slipway_service import Life
from slipway_workloads import Layout

BUSY_SECONDS = 0.05
"""Between two looks at sources that wrote lately."""
IDLE_SECONDS = 0.25
DISCOVER_SECONDS = 1.0
IDLE_TURNS = 2
"""A source that was quiet lately is looked at in one turn of so many."""
BUSY_FOR_SECONDS = 3.0
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)

log = structlog.get_logger()


@dataclass
class Tailed:
    """A source with what its batches say of it."""

    key: str
    source: Source
    service: Known
    release: str
    deployment_id: str = ""
    busy_until: float = 0.0
    task: asyncio.Task[None] | None = None

    def batch(self, cut: Cut) -> LogBatch:
        return LogBatch(
            epoch=cut.epoch,
            source=self.service.process_name(self.release),
            deployment_id=self.deployment_id,
            release=self.release,
            lines=cut.lines,
        )


class Shipper:
    """Finds log directories and keeps all of them sent."""

    def __init__(
        self, bus: Bus, layout: Layout, checkpoints: Checkpoints, cluster_id: str, held_bytes: int, batches: int
    ) -> None:
        self._bus = bus
        self._layout = layout
        self._checkpoints = checkpoints
        self._cluster_id = cluster_id
        self._held_bytes = held_bytes
        self._slots = asyncio.Semaphore(batches)
        self._tailed: dict[str, Tailed] = {}
        self._stamps: dict[str, Stamp | None] = {}
        self._discovered_at = 0.0
        self._turn = 0
        self._stopping = False

    async def run(self, life: Life) -> None:
        """Look and send until the process stops; what is in hand then is finished or will be sent again."""
        while not life.stopping.is_set():
            busy = self.tick()
            try:
                async with asyncio.timeout(BUSY_SECONDS if busy else IDLE_SECONDS):
                    await life.stopping.wait()
            except TimeoutError:
                continue
        await self.stop()

    def tick(self) -> bool:
        """Look once at every source; whether any of them is busy."""
        now = time.monotonic()
        if now - self._discovered_at >= DISCOVER_SECONDS:
            self._discovered_at = now
            self._discover()
        busy = False
        self._turn += 1
        for number, tailed in enumerate(list(self._tailed.values())):
            if tailed.busy_until < now and tailed.task is None and (number + self._turn) % IDLE_TURNS:
                continue
            if tailed.source.changed() and tailed.task is None:
                tailed.busy_until = now + BUSY_FOR_SECONDS
                tailed.task = asyncio.create_task(self._ship(tailed), name=f"ship {tailed.key}")
            elif tailed.source.gone and tailed.task is None:
                self._forget(tailed)
            busy = busy or tailed.busy_until > now
        return busy

    async def stop(self) -> None:
        """Let go of everything; batches on their way get a moment."""
        self._stopping = True
        tasks = [tailed.task for tailed in self._tailed.values() if tailed.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=2.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for tailed in self._tailed.values():
            tailed.source.close()

    # -- discovery -----------------------------------------------------------------------------------------------

    def _discover(self) -> None:
        for directory in self._layout.services():
            logs = stamp(directory.root / "logs")
            if logs is None or self._stamps.get(directory.id) == logs:
                continue
            service = known(directory, self._cluster_id)
            if service is None:
                continue
            self._stamps[directory.id] = logs
            for release in log_directories(directory):
                self._tail(service, release.name)

    def _tail(self, service: Known, release: str) -> None:
        key = f"{service.directory.id}/{release}"
        if key in self._tailed:
            return
        about = service.release(release)
        source = Source(service.directory.release(release).logs, self._checkpoints.mark(key), self._held_bytes)
        deployment_id = about.deployment_id if about else ""
        self._tailed[key] = Tailed(key, source, service, release, deployment_id)

    def _forget(self, tailed: Tailed) -> None:
        tailed.source.close()
        del self._tailed[tailed.key]
        self._stamps.pop(tailed.service.directory.id, None)
        self._checkpoints.forget(tailed.key)

    # -- sending -------------------------------------------------------------------------------------------------

    async def _ship(self, tailed: Tailed) -> None:
        try:
            async with self._slots:
                while not self._stopping and (cut := tailed.source.next()):
                    self._note(tailed, cut.mark)
                    if not await self._publish(tailed, cut):
                        return  # the note stays: it is sent again
                    tailed.source.done(cut)
                self._note(tailed, tailed.source.mark)
        except OSError as error:
            # A file that can't be read now (removed disk, bad sector): the next look tries again.
            log.warning("log unreadable", source=tailed.key, error=str(error))
            await asyncio.sleep(1.0)
        finally:
            tailed.task = None

    def _note(self, tailed: Tailed, mark: Mark | None) -> None:
        if mark is not None and mark != self._checkpoints.mark(tailed.key):
            self._checkpoints.record(tailed.key, mark)

    async def _publish(self, tailed: Tailed, cut: Cut) -> bool:
        """Until the bus keeps it; False when the agent stops before. The files wait meanwhile."""
        batch = tailed.batch(cut)
        attempt = 0
        while not self._stopping:
            try:
                await self._bus.publish(LOGGED, batch, id=cut.id, kind="run", **tailed.service.ids)
            except Fault as fault:
                pause = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
                if attempt % 10 == 0:
                    log.warning("logs wait for the bus", source=tailed.key, reason=fault.detail, code=fault.code)
                attempt += 1
                await asyncio.sleep(pause)
            else:
                return True
        return False
