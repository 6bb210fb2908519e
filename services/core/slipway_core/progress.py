"""A running deployment in memory: what a report, a cancel or the clock changes about it. Pure.

The same report twice, late, or out of order changes nothing more; a report under an old fence or of an engine that
lost its lease changes nothing at all. Every state it can be in has a next look (`due_at`), so nothing waits for ever.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from slipway_contracts.tasks import Report, StepMetric, TaskKind, TaskState
from slipway_core import machine
from slipway_core.machine import STEP_ENDED, STEP_FINE, Action, State, StepState
from slipway_core.planner import PRE_CHECK, Request

LOOK_SECONDS = 30.0
"""How often a running deployment is looked at when nothing else is due."""
SILENT_LOOK_SECONDS = 5.0
"""How often one is looked at whose engine has to come, or to come back."""
EPOCH = datetime.fromtimestamp(0, UTC)
MESSAGE_CHARACTERS = 1_000
DETAILS_CHARACTERS = 16_000

ACTIVE = frozenset({StepState.READY, StepState.RUNNING})
WAITING, APPROVED, DENIED, EXPIRED = "WAITING", "APPROVED", "DENIED", "EXPIRED"
"""Of an approval; empty: none is needed."""
CANCEL_NONE, CANCEL_SAFE, CANCEL_FORCED = "", "safe", "forced"


@dataclass
class Step:
    """A step and its task."""

    id: str
    deployment_id: str
    service_id: str
    service_name: str
    service_kind: str
    kind: str
    wave: int
    stage: str
    depends_on: list[str] = field(default_factory=list)
    """Ids of steps."""
    state: StepState = StepState.PENDING
    message: str = ""
    code: str = ""
    details: str = ""
    percent: int | None = None
    commit: str = ""
    artifact: str = ""
    """What a build made, or what a deploy puts into place."""
    task_id: str = ""
    fence: int = 0
    delivery: int = 0
    sequence: int = 0
    cancel: str = CANCEL_NONE
    cancel_at: datetime | None = None
    refused_at: datetime | None = None
    """An engine found a newer fence; unless another one goes on with it, the step has failed."""
    limit_seconds: float = 600.0
    """How long an engine may work on it."""
    ready_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    metrics: list[StepMetric] = field(default_factory=list)
    event: str = ""
    """Jobs: what is run with it (JobEvent)."""
    estimated_seconds: float | None = None
    """How long it is likely to take, as was guessed when it was planned; None: it never ran before."""
    changed: bool = False
    """Differs from the row."""

    @property
    def ended(self) -> bool:
        return self.state in STEP_ENDED

    def move(self, state: StepState, now: datetime) -> None:
        self.state = machine.check_step(self.state, state)
        self.changed = True
        if state is StepState.RUNNING and self.started_at is None:
            self.started_at = now
        if self.ended:
            self.ended_at = now

    def deadline_at(self) -> datetime | None:
        """When it must have ended, by its present state."""
        if self.cancel_at is not None:
            return self.cancel_at + timedelta(seconds=machine.CANCEL_SECONDS)
        if self.refused_at is not None:
            return self.refused_at + timedelta(seconds=machine.REFUSED_SECONDS)
        if self.state is StepState.RUNNING and self.started_at is not None:
            return self.started_at + timedelta(seconds=self.limit_seconds)
        if self.state is StepState.READY and self.ready_at is not None:
            return self.ready_at + timedelta(seconds=machine.READY_SECONDS)
        return None


@dataclass
class Run:
    """A deployment with its steps."""

    id: str
    environment_id: str
    action: Action
    status: State
    steps: list[Step] = field(default_factory=list)
    organization_id: str = ""
    project_id: str = ""
    cluster_id: str = ""
    number: int = 0
    reason: str = ""
    cancel: str = CANCEL_NONE
    trigger: str = "manual"
    principal_id: str = ""
    triggered_by: str = ""
    origin: str = ""
    request: Request = field(default_factory=lambda: Request(action=Action.DEPLOY))
    commits: dict[str, str] = field(default_factory=dict)
    version: int = 1
    status_at: datetime | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    due_at: datetime | None = None
    approval: str = ""
    approval_until: datetime | None = None
    approval_by: str = ""
    approval_comment: str = ""
    max_builds: int = 4
    max_deploys: int = 8
    engine_known: bool = True
    """An engine of the cluster has told its key: tasks can be sealed for it."""
    changed: bool = False
    """Differs from the row."""
    orders: list[Step] = field(default_factory=list)
    """Steps whose engines must be told to stop."""

    def of_task(self, task_id: str) -> Step | None:
        return next((step for step in self.steps if task_id and step.task_id == task_id), None)

    def failed(self) -> Step | None:
        """The step that failed first."""
        failed = [step for step in self.steps if step.state is StepState.FAILED]
        return min(failed, key=lambda step: (step.ended_at or EPOCH, step.wave, step.id), default=None)

    def active(self) -> list[Step]:
        return [step for step in self.steps if step.state in ACTIVE]

    def move(self, state: State, now: datetime) -> None:
        if state is self.status:
            return
        self.status = machine.check(self.status, state)
        self.status_at = now
        self.changed = True

    def say(self, reason: str) -> None:
        if reason != self.reason:
            self.reason = reason
            self.changed = True


def apply(run: Run, report: Report, now: datetime) -> bool:
    """Take a report in. False: it was old news and changed nothing."""
    step = run.of_task(report.task_id)
    if step is None or step.ended or report.fence != step.fence:
        return False
    if report.delivery < step.delivery:
        return False
    if report.delivery > step.delivery:
        step.delivery, step.sequence, step.changed = report.delivery, 0, True
    if report.delivery > machine.MAX_DELIVERIES and not _is_result(report):
        mark_failed(step, "engine.lost", f"{machine.MAX_DELIVERIES} engines were lost while they worked on it", now)
        run.orders.append(step)
        return True
    if report.sequence <= step.sequence and not _is_result(report):
        return False
    step.sequence = max(step.sequence, report.sequence)
    _take(step, report, now)
    return True


def _is_result(report: Report) -> bool:
    return report.state in (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELED)


def _take(step: Step, report: Report, now: datetime) -> None:
    step.changed = True
    step.message = report.message[:MESSAGE_CHARACTERS] or step.message
    step.percent = report.percent if report.percent is not None else step.percent
    step.metrics = report.metrics or step.metrics
    match report.state:
        case TaskState.STARTED | TaskState.PROGRESS:
            step.refused_at = None
            step.move(StepState.RUNNING, now)
        case TaskState.SUCCEEDED:
            step.percent = 100
            step.artifact = report.artifact or step.artifact
            step.move(StepState.SUCCEEDED, now)
        case TaskState.FAILED:
            step.code, step.details = report.code, report.details[-DETAILS_CHARACTERS:]
            step.move(StepState.FAILED, now)
        case TaskState.CANCELED:
            step.move(StepState.CANCELED, now)
        case TaskState.REFUSED:
            # Perhaps an engine that woke up late, whose successor is at work already: wait for its word.
            step.refused_at = step.refused_at or now


def mark_failed(step: Step, code: str, message: str, now: datetime) -> None:
    step.code, step.message = code, message
    step.move(StepState.FAILED, now)


def fail(run: Run, step: Step, code: str, message: str, now: datetime, details: str = "") -> None:
    """Core itself found out that a step can't be done."""
    step.details = details
    mark_failed(step, code, message, now)


def advance(run: Run, now: datetime) -> list[Step]:
    """After something changed: release what is ready (returned), drop what can't begin, end what is done."""
    if run.failed() is not None or run.cancel:
        _give_up_pending(run, now)
        released: list[Step] = []
    else:
        released = _release(run, now)
    _restate(run, now)
    run.due_at = next_look(run, now)
    return released


def _give_up_pending(run: Run, now: datetime) -> None:
    failed = run.failed()
    why = f"not begun: {failed.service_name} failed before" if failed is not None else "not begun: canceled before"
    for step in run.steps:
        if step.state is StepState.PENDING:
            step.message = why
            step.move(StepState.CANCELED, now)


def _release(run: Run, now: datetime) -> list[Step]:
    released: list[Step] = []
    if not run.engine_known:
        return released
    free = {True: run.max_builds, False: run.max_deploys}
    for step in run.active():
        free[step.kind == TaskKind.BUILD] -= 1
    for step in ready(run.steps):
        building = step.kind == TaskKind.BUILD
        if free[building] > 0:
            free[building] -= 1
            step.ready_at = now
            step.move(StepState.READY, now)
            released.append(step)
    return released


def ready(steps: list[Step]) -> list[Step]:
    """The pending steps that wait for nothing any more: all waves before theirs and what they depend on are fine."""
    open_waves = [step.wave for step in steps if step.state not in STEP_FINE]
    wave = min(open_waves, default=0)
    fine = {step.id for step in steps if step.state in STEP_FINE}
    return [s for s in steps if s.state is StepState.PENDING and s.wave == wave and fine.issuperset(s.depends_on)]


def _restate(run: Run, now: datetime) -> None:
    if all(step.ended for step in run.steps):
        return _end(run, now)
    if run.cancel:
        run.move(State.CANCELING, now)
        return None
    failed = run.failed()
    begun = [step for step in run.steps if step.state is StepState.RUNNING or step.started_at is not None]
    begun = [step for step in begun if step.kind != PRE_CHECK]
    if begun:
        run.move(_working_state(run, begun), now)
        run.say(sentence(failed) if failed is not None else "")
    return None


def _working_state(run: Run, begun: list[Step]) -> State:
    active = [step for step in begun if not step.ended] or begun
    if all(step.kind == TaskKind.BUILD for step in active):
        return State.BUILDING if run.status not in (State.DEPLOYING, State.EXECUTING) else run.status
    if run.action is Action.DEPLOY and all(
        step.service_kind == "JOB" for step in active if step.kind != TaskKind.BUILD
    ):
        return State.EXECUTING
    return machine.WORDS[run.action].working


def _end(run: Run, now: datetime) -> None:
    failed = run.failed()
    canceled = any(step.state is StepState.CANCELED for step in run.steps)
    if run.cancel and (failed is not None or canceled):
        run.say(run.reason or "canceled")
        run.move(State.CANCELED, now)
    elif failed is not None:
        run.say(sentence(failed))
        run.move(error_state(run, failed), now)
    elif canceled:
        run.say("an engine canceled a step")
        run.move(machine.WORDS[run.action].error, now)
    else:
        run.say(
            "" if any(step.kind != PRE_CHECK and step.state is StepState.SUCCEEDED for step in run.steps) else NOTHING
        )
        run.move(State.RECAP, now)
        run.move(machine.WORDS[run.action].done, now)
    run.ended_at = now


NOTHING = "nothing to do: everything is as asked for already"


def error_state(run: Run, failed: Step) -> State:
    build = run.action is Action.DEPLOY and failed.kind == TaskKind.BUILD
    if build and run.status in (State.WAITING_RUNNING, State.BUILDING, State.UNAVAILABLE):
        return State.BUILD_ERROR
    return machine.WORDS[run.action].error


DID_NOT = {
    TaskKind.BUILD: "could not be built",
    TaskKind.DEPLOY: "could not be deployed",
    TaskKind.START: "could not be started",
    TaskKind.RESTART: "could not be restarted",
    TaskKind.STOP: "could not be stopped",
    TaskKind.DELETE: "could not be deleted",
}


def sentence(failed: Step) -> str:
    """What failed, where, in one sentence."""
    if failed.kind == PRE_CHECK:
        return failed.message
    if failed.service_kind == "JOB" and failed.event and failed.message:
        return f"{failed.service_name}: {failed.message}"
    return (
        f"{failed.service_name} {DID_NOT[TaskKind(failed.kind)]}: {failed.message or failed.code or 'no reason given'}"
    )


def cancel(run: Run, forced: bool, reason: str, now: datetime) -> bool:
    """Ask for the end of it; a second time with `forced`, by force. False: that was asked for already."""
    level = CANCEL_FORCED if forced else CANCEL_SAFE
    if run.cancel in (level, CANCEL_FORCED):
        return False
    run.cancel, run.changed = level, True
    run.say(reason)
    for step in run.active():
        order(run, step, level, now)
    return True


def order(run: Run, step: Step, level: str, now: datetime) -> None:
    step.cancel, step.cancel_at, step.changed = level, now, True
    run.orders.append(step)


def next_look(run: Run, now: datetime) -> datetime | None:
    """When the clock must look again; None when it has ended."""
    if run.ended_at is not None:
        return None
    silent = not run.engine_known or run.status is State.UNAVAILABLE
    look_at = now + timedelta(seconds=SILENT_LOOK_SECONDS if silent else LOOK_SECONDS)
    deadlines = [step.deadline_at() for step in run.active()]
    return min([look_at, *(at for at in deadlines if at is not None)])


def service_state(run: Run, service_id: str) -> State | None:
    """What the public API says of one service in this deployment; None when the deployment leaves it alone."""
    steps = [s for s in run.steps if s.service_id == service_id and s.state is not StepState.SKIPPED]
    if not steps:
        return None
    words = machine.WORDS[run.action]
    failed = next((step for step in steps if step.state is StepState.FAILED), None)
    if failed is not None:
        return State.BUILD_ERROR if failed.kind == TaskKind.BUILD else words.error
    if all(step.state is StepState.SUCCEEDED for step in steps):
        return words.done
    if any(step.state is StepState.CANCELED for step in steps):
        return State.CANCELED
    if any(step.cancel for step in steps if not step.ended):
        return State.CANCELING
    running = next((step for step in steps if step.state is StepState.RUNNING), None)
    if running is None:
        return words.waiting
    if running.kind == TaskKind.BUILD:
        return State.BUILDING
    return State.EXECUTING if running.service_kind == "JOB" and run.action is Action.DEPLOY else words.working
