"""One task from its delivery to its end: fence, secrets, driver, reports, acknowledgement.

Invariant: a task ends with exactly one final report per delivery that is on disk before the message is acknowledged;
or, when the engine is told to stop, with none, and another engine goes on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
import structlog

from slipway_bus import Delivery
from slipway_contracts.specs import TaskSecrets
from slipway_contracts.tasks import (
    HEARTBEAT_SECONDS,
    LEASE_SECONDS,
    Order,
    Report,
    StepMetric,
    Task,
    TaskKind,
    TaskState,
)
from slipway_engine.app import Engine
from slipway_engine.drivers import Outcome, Work
from slipway_engine.fences import Fence, Mark
from slipway_engine.problems import Canceled, Fenced, TaskFailed
from slipway_errors import Fault
from slipway_security.masking import Masker
from slipway_security.sealing import open_sealed

PROGRESS_SECONDS = 1.0
FORCED_SECONDS = 5.0
DETAILS_CHARACTERS = 16_000
log = structlog.get_logger()


class Execution:
    """One task in hand."""

    def __init__(self, engine: Engine, task: Task, delivery: Delivery) -> None:
        self._engine = engine
        self.task = task
        self.delivery = delivery
        self._sequence = 0
        self._progress_at = 0.0
        self._order: Order | None = None
        self._lost = False
        self._leaving = False
        self._claimed = False
        self._driving: asyncio.Task[Outcome] | None = None
        self._work: Work | None = None
        service = engine.layout.service(task.service_id)
        # Runs of a job go on beside what changes it.
        path = service.run_fence if task.kind is TaskKind.RUN else service.fence
        mark = Mark(fence=task.fence, delivery=delivery.deliveries, task_id=task.id, engine_id=engine.engine_id)
        self._fence = Fence(path, mark)
        self._metrics: list[StepMetric] = []

    # What others tell it

    def obey(self, order: Order) -> None:
        """Cancel: what was begun is ended in order; by force: at once."""
        if not order.cancel or self._leaving:
            return
        self._order = order
        if self._work is not None:
            self._work.forced = self._work.forced or order.forced
        if self._driving is not None:
            self._driving.cancel()

    async def adopt(self, delivery: Delivery) -> None:
        """The same task came again, to us: the bus was away for longer than the lease. Go on under the new delivery."""
        try:
            await self._fence.claim(delivery.deliveries)
        except Fenced:
            self._lose()
            return
        self.delivery = delivery
        self._sequence = 0

    def leave(self) -> None:
        """The engine stops: end the work, say nothing, and let another engine have it."""
        self._leaving = True
        if self._work is not None:
            self._work.leaving = True
        if self._driving is not None:
            self._driving.cancel()

    # The way through

    async def run(self) -> None:
        """To the end; nothing is raised."""
        beating = asyncio.create_task(self._beat(), name=f"heartbeat {self.task.id}")
        try:
            await self._run()
        except Exception:
            log.exception("task crashed", task_id=self.task.id)
            await self._quietly(self.delivery.nak(10.0))
        finally:
            beating.cancel()

    async def _run(self) -> None:
        final = self._engine.spool.finished(self.task.id, self.task.fence)
        if final is not None and final.delivery == self.delivery.deliveries:
            # The task was sent once more: what was said of it already is said again, word for word.
            await self._engine.spool.add(final)
            await self._quietly(self.delivery.ack())
            return
        if final is None:
            final = await self._outcome()
            if self._leaving or final is None:
                await self._quietly(self.delivery.nak(1.0))
                return
        await self._report(final, final=True)
        await self._quietly(self.delivery.ack())

    async def _outcome(self) -> Report | None:
        """Execute the task; the report to end with. None when the engine leaves."""
        report = await self._attempt()
        if report is None or not self._claimed:
            return report
        try:
            await self._fence.check()
        except Fenced as fault:
            # Whatever it came to here, another engine's word counts.
            return self._made(TaskState.REFUSED, code=fault.code, message=fault.detail)
        return report

    async def _attempt(self) -> Report | None:
        try:
            return await self._execute()
        except asyncio.CancelledError:
            if self._leaving:
                return None
            raise
        except Fenced as fault:
            return self._made(TaskState.REFUSED, code=fault.code, message=fault.detail)
        except Canceled as fault:
            return self._made(TaskState.CANCELED, code=fault.code, message=fault.detail)
        except TaskFailed as fault:
            details = fault.details[-DETAILS_CHARACTERS:]
            return self._made(TaskState.FAILED, code=fault.stable_code, message=fault.detail, details=details)
        except Fault as fault:
            return self._made(TaskState.FAILED, code=fault.code, message=fault.detail)
        except OSError as error:
            log.exception("task failed on this machine", task_id=self.task.id)
            return self._made(TaskState.FAILED, code="machine.failed", message=_machine(error))
        except Exception as error:
            log.exception("task hit a bug", task_id=self.task.id)
            message = f"The engine hit a bug ({type(error).__name__}); its log says more."
            return self._made(TaskState.FAILED, code="internal", message=message)

    async def _execute(self) -> Report:
        task = self.task
        left = (task.deadline_at - datetime.now(UTC)).total_seconds()
        if left <= 0:
            raise TaskFailed("The task came after its deadline.", code="task.expired")
        order = await self._engine.orders.last(task.id)
        if order is not None and order.cancel:
            raise Canceled(order.reason or "Canceled before it began.")
        await self._fence.claim()
        self._claimed = True
        secrets = self._secrets()
        masker = Masker(_secret_values(secrets))
        kind = "build" if task.kind is TaskKind.BUILD else "deploy"
        limit = self._engine.settings.build_log_bytes
        step_log = self._engine.logs.open(task, kind, self.delivery.deliveries, masker, limit)
        self._work = Work(task, secrets, self._fence, step_log, self._tell, self._metrics)
        try:
            await self._report(self._made(TaskState.STARTED))
            outcome = await self._drive(self._work, left)
        except TaskFailed as fault:
            step_log.say(f"Failed: {fault.detail}")
            fault.details = step_log.mask(fault.details)
            raise
        finally:
            step_log.close()
        return self._made(
            TaskState.SUCCEEDED,
            message=outcome.message,
            artifact=outcome.artifact,
            outputs=outcome.outputs,
            sealed_outputs=outcome.sealed_outputs,
        )

    def _secrets(self) -> TaskSecrets:
        """Never go on without them: a service deployed with empty values would be worse than none."""
        task = self.task
        if not task.sealed_secrets:
            return TaskSecrets()
        bound_to = f"{task.cluster_id}:{task.id}"
        return msgspec.json.decode(
            open_sealed(self._engine.keys.private, task.sealed_secrets, bound_to), type=TaskSecrets
        )

    async def _drive(self, work: Work, left_seconds: float) -> Outcome:
        """Have the driver do it, until the deadline, an order, or the loss of the lease."""
        slots = self._engine.slots_for(self.task.kind)
        verb: Callable[[Work], Awaitable[Outcome]] = getattr(self._engine.driver, self.task.kind.value)

        async def drive() -> Outcome:
            async with slots:
                return await verb(work)

        self._driving = asyncio.create_task(drive(), name=f"{self.task.kind} {self.task.id}")
        if self._order is not None or self._lost or self._leaving:
            self._driving.cancel()
        done, _ = await asyncio.wait({self._driving}, timeout=left_seconds)
        if not done:
            self._driving.cancel()
            await asyncio.wait({self._driving}, timeout=60)
            raise TaskFailed("The task took longer than it may and was ended.", code="task.deadline")
        if not self._driving.cancelled():
            return self._driving.result()
        if self._lost:
            raise Fenced("Another engine has taken this task over; nothing was changed.")
        if self._order is not None:
            raise Canceled(self._order.reason or "Canceled.")
        raise asyncio.CancelledError

    # Heartbeat and lease

    async def _beat(self) -> None:
        """Extend the lease; after a gap longer than it, or when a newer fence is there, stop at once."""
        beaten_at = time.monotonic()
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS / 2)
            gap = time.monotonic() - beaten_at
            if gap > LEASE_SECONDS:
                log.warning("slept through the lease", task_id=self.task.id, seconds=round(gap))
            try:
                if self._driving is not None:
                    await self._fence.check()
            except Fenced:
                self._lose()
                return
            if gap >= HEARTBEAT_SECONDS:
                await self._quietly(self.delivery.in_progress())
                beaten_at = time.monotonic()

    def _lose(self) -> None:
        self._lost = True
        if self._work is not None:
            self._work.leaving = True
        if self._driving is not None:
            self._driving.cancel()

    async def _quietly(self, saying: Awaitable[None]) -> None:
        """While the bus is away nothing can be said; the message comes again, and finds what it came to."""
        try:
            await saying
        except Fault as fault:
            log.warning("not told to the bus", task_id=self.task.id, reason=fault.detail)

    # Reports

    async def _tell(self, message: str, percent: int | None) -> None:
        """Progress, not more often than people can read."""
        now = time.monotonic()
        if now - self._progress_at >= PROGRESS_SECONDS:
            self._progress_at = now
            await self._report(self._made(TaskState.PROGRESS, message=message, percent=percent))

    async def _report(self, report: Report, *, final: bool = False) -> None:
        self._sequence += 1
        numbered = msgspec.structs.replace(
            report, sequence=self._sequence, delivery=self.delivery.deliveries, engine_id=self._engine.engine_id
        )
        await self._engine.spool.add(numbered, final=final)

    def _made(
        self,
        state: TaskState,
        *,
        code: str = "",
        message: str = "",
        details: str = "",
        percent: int | None = None,
        artifact: str = "",
        outputs: dict[str, str] | None = None,
        sealed_outputs: bytes = b"",
    ) -> Report:
        task = self.task
        return Report(
            cluster_id=task.cluster_id,
            engine_id=self._engine.engine_id,
            task_id=task.id,
            step_id=task.step_id,
            deployment_id=task.deployment_id,
            service_id=task.service_id,
            fence=task.fence,
            delivery=self.delivery.deliveries,
            sequence=self._sequence,
            state=state,
            code=code,
            message=message,
            details=details,
            percent=percent,
            artifact=artifact,
            outputs=outputs or {},
            sealed_outputs=sealed_outputs,
            metrics=list(self._metrics),
            at=datetime.now(UTC),
        )


def _secret_values(secrets: TaskSecrets) -> list[str]:
    values = [variable.value for variable in secrets.variables if variable.secret]
    password = secrets.database.password if secrets.database else ""
    return [value for value in [*values, secrets.git_password, password] if value]


def _machine(error: OSError) -> str:
    """A sentence for what this machine refused."""
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk of this machine is full: make room, then try again."
    return f"This machine refused: {error.strerror or error}."
