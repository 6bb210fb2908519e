"""The log of a build or deploy step: lines on their way to LOGS, masked, in batches, bounded.

Invariant: no secret of the task leaves in a line, and a build that floods its output costs bounded memory and
bounded room in the stream; what was left out is said in the log.
"""

import asyncio
import time
from collections import deque

import structlog

from slipway_bus import Bus
from slipway_contracts.live import LOGGED, LogBatch, LogLine
from slipway_contracts.tasks import Task
from slipway_errors import Fault
from slipway_security.masking import Masker

BATCH_SECONDS = 0.2
BATCH_BYTES = 256 * 1024
LINE_BYTES = 16 * 1024
WAITING_BYTES = 8 * 1024 * 1024
TAIL_LINES = 20
STOP_SECONDS = 3.0
log = structlog.get_logger()


class LogSender:
    """Sends the batches of all steps, one after the other; while the bus is away the oldest make room."""

    def __init__(self, bus: Bus, cluster_id: str) -> None:
        self._bus = bus
        self._cluster_id = cluster_id
        self._waiting: deque[tuple[Task, str, LogBatch, int]] = deque()
        self._bytes = 0
        self._there = asyncio.Event()
        self._steps: set[StepLog] = set()

    def open(self, task: Task, kind: str, delivery: int, masker: Masker, limit_bytes: int) -> "StepLog":
        """The log of a task that begins."""
        step = StepLog(self, task, kind, delivery, masker, limit_bytes)
        self._steps.add(step)
        return step

    def close(self, step: "StepLog") -> None:
        step.flush()
        self._steps.discard(step)

    def put(self, task: Task, kind: str, batch: LogBatch, size: int) -> None:
        self._waiting.append((task, kind, batch, size))
        self._bytes += size
        while self._bytes > WAITING_BYTES and len(self._waiting) > 1:
            self._bytes -= self._waiting.popleft()[3]
        self._there.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Send until `stopping`, and then for a moment what is left."""
        ended_at = float("inf")
        while time.monotonic() < ended_at + STOP_SECONDS:
            for step in self._steps:
                step.flush()
            if not await self._send():
                await asyncio.sleep(BATCH_SECONDS)
            elif stopping.is_set():
                return
            else:
                await self._idle(stopping)
            if stopping.is_set() and ended_at == float("inf"):
                ended_at = time.monotonic()

    async def _idle(self, stopping: asyncio.Event) -> None:
        """With a step open look for its lines soon; without one wait to be told."""
        if self._steps:
            await asyncio.sleep(BATCH_SECONDS)
            return
        self._there.clear()
        waits = [asyncio.ensure_future(self._there.wait()), asyncio.ensure_future(stopping.wait())]
        await asyncio.wait(waits, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def wake(self) -> None:
        self._there.set()

    async def _send(self) -> bool:
        """Send everything that waits; False when the bus doesn't take it now."""
        while self._waiting:
            task, kind, batch, size = self._waiting[0]
            id = f"{batch.epoch}.{batch.lines[0].sequence}"
            try:
                await self._bus.publish(
                    LOGGED,
                    batch,
                    id=id,
                    cluster_id=self._cluster_id,
                    environment_id=task.environment_id,
                    service_id=task.service_id,
                    kind=kind,
                )
            except Fault as fault:
                log.warning("step log waits", reason=fault.detail, batches=len(self._waiting))
                return False
            if self._waiting and self._waiting[0][2] is batch:
                self._waiting.popleft()
                self._bytes -= size
        return True


class StepLog:
    """One task's log."""

    def __init__(
        self, sender: LogSender, task: Task, kind: str, delivery: int, masker: Masker, limit_bytes: int
    ) -> None:
        self._sender = sender
        self._task = task
        self._kind = kind
        self._epoch = f"{task.id}.{delivery}"
        self._mask = masker.mask
        self._left = limit_bytes
        self._dropped = 0
        self._sequence = 0
        self._lines: list[LogLine] = []
        self._bytes = 0
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        sender.wake()

    def say(self, text: str) -> None:
        """A line of Slipway's own: the header of a phase, a result."""
        self._add("system", self._mask(text))

    def line(self, text: str, stream: str = "stdout") -> None:
        """A line that a command printed."""
        text = self._mask(text[:LINE_BYTES])
        self._tail.append(text)
        self._left -= len(text) + 40
        if self._left < 0:
            self._dropped += 1
            return
        self._add(stream, text)

    def tail(self) -> str:
        """The last lines that commands printed, to explain a failure."""
        return "\n".join(self._tail)

    def mask(self, text: str) -> str:
        return self._mask(text)

    def close(self) -> None:
        if self._dropped:
            self.say(f"{self._dropped} more lines were left out: a step's log is limited")
        self._sender.close(self)

    def flush(self) -> None:
        if not self._lines:
            return
        batch = LogBatch(
            epoch=self._epoch,
            source=self._kind,
            deployment_id=self._task.deployment_id,
            step_id=self._task.step_id,
            lines=self._lines,
        )
        self._sender.put(self._task, self._kind, batch, self._bytes)
        self._lines, self._bytes = [], 0

    def _add(self, stream: str, text: str) -> None:
        self._sequence += 1
        self._lines.append(LogLine(sequence=self._sequence, time_ns=time.time_ns(), stream=stream, text=text))
        self._bytes += len(text) + 60
        if self._bytes > BATCH_BYTES:
            self.flush()
