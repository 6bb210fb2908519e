"""From what should be and what was deployed last to a plan of steps. Pure: no clock, no ids, no database.

A plan is waves: the pre-check, then all builds at once, then the stages one after the other, side by side inside a
stage. Nothing is put into place before everything is built, so a commit that doesn't build never leaves an
environment half deployed. What did not change gets no step, unless it is asked for (redeploy).
"""

from dataclasses import dataclass, field

import msgspec

from slipway_contracts.specs import JobEvent, ServiceKind, ServiceSpec
from slipway_contracts.tasks import TaskKind
from slipway_core.changes import Change, changes
from slipway_core.machine import Action

PRE_CHECK = "pre_check"
PRE_CHECK_STAGE = "Pre-check"
BUILD_STAGE = "Build"
PRE_CHECK_WAVE = 0
BUILD_WAVE = 1
FIRST_STAGE_WAVE = 2

BUILD_FIELDS = ("kind", "git", "image", "build_mode", "dockerfile_path", "docker_target")
"""What decides what a build makes; a change of anything else only deploys again."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for one service."""

    commit: str = ""
    """Empty: the newest commit of the branch."""
    keep_commit: bool = False
    """Without a commit: the deployed one rather than the newest."""
    release_id: str = ""
    """Roll back to this kept release."""
    event: str = ""
    """Jobs: run this event now (JobEvent), whether or not something changed."""
    old_secrets: list[str] = []
    """Keys of secrets that get their values of that release."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked for, as the queue keeps it."""

    action: Action
    everything: bool = False
    """All services of the environment that are not marked as skipped, and those named in `wishes`."""
    wishes: dict[str, Wish] = {}
    """service id → what is asked for it."""
    redeploy: bool = False
    """Deploy also what did not change."""
    delete_environment: bool = False
    notes: list[str] = []
    """What else was done for it, told to whoever looks at the deployment."""
    override: str = ""
    """Why it goes ahead although a freeze is in force; empty: freezes hold."""
    keep: bool = False
    """DELETE takes it off its cluster only: its configuration stays here (uninstall)."""

    def covers(self, service: "Desired") -> bool:
        if service.id in self.wishes:
            return True
        return self.everything and (not service.skipped or (self.action is Action.DELETE and not self.keep))


@dataclass(frozen=True)
class Desired:
    """A service as it should be."""

    id: str
    name: str
    kind: str
    stage: str
    stage_position: int
    spec: ServiceSpec | None
    """None: it can't be told (the reason is in `problem`)."""
    variables: dict[str, str]
    """key → digest of how it was written; never a value."""
    skipped: bool = False
    problem: str = ""
    """Why it can't be deployed, in one sentence."""
    nothing_yet: bool = False
    """There is no commit yet: left out unless it was asked for by name."""
    gives_outputs: bool = False
    """A job whose last run left something for others."""


@dataclass(frozen=True)
class Deployed:
    """What an engine was last known to hold of a service."""

    spec: ServiceSpec | None
    """None: engines had tasks of it, but none of its deployments succeeded."""
    variables: dict[str, str]
    artifact: str = ""
    running: bool = False


@dataclass(frozen=True)
class Kept:
    """A release that can be gone back to."""

    spec: ServiceSpec
    artifact: str
    variables: dict[str, str] = field(default_factory=dict)
    """key → digest of what it ran with, as it will be again."""


@dataclass(frozen=True)
class Situation:
    services: list[Desired]
    deployed: dict[str, Deployed]
    kept: dict[str, Kept] = field(default_factory=dict)
    """release id → release, for wishes that name one."""


@dataclass(frozen=True)
class PlannedStep:
    """`key` names the step inside its plan."""

    key: str
    kind: str
    wave: int
    stage: str
    service_id: str
    service_name: str
    depends_on: tuple[str, ...] = ()
    """Keys of steps it takes something from; besides, every wave waits for the waves before it."""
    spec: ServiceSpec | None = None
    variables: dict[str, str] = field(default_factory=dict)
    artifact: str = ""
    """Known already: nothing is built."""
    event: str = ""
    """Jobs: what is run with it."""
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Skipped:
    service_id: str
    service_name: str
    stage: str
    why: str


@dataclass(frozen=True)
class Problem:
    service_id: str
    service_name: str
    stage: str
    why: str


@dataclass(frozen=True)
class Plan:
    steps: tuple[PlannedStep, ...]
    skipped: tuple[Skipped, ...]
    problems: tuple[Problem, ...]

    @property
    def commits(self) -> dict[str, str]:
        """service id → commit, of the services that get a step."""
        return {s.service_id: s.spec.git.commit for s in self.steps if s.spec is not None and s.spec.git is not None}


def plan(situation: Situation, request: Request) -> Plan:
    """What is to be done, in which order, to come from the situation to what is asked for."""
    steps: list[PlannedStep] = []
    skipped: list[Skipped] = []
    problems: list[Problem] = []
    gave = _NEVER
    waves = _waves(situation.services, backwards=request.action in (Action.STOP, Action.DELETE))
    for service in sorted(situation.services, key=lambda one: (waves[one.stage_position], one.id)):
        if not request.covers(service):
            continue
        wave = waves[service.stage_position]
        outcome = _plan_one(service, situation, request, wave, stale=gave < wave)
        match outcome:
            case Skipped():
                skipped.append(outcome)
            case Problem():
                problems.append(outcome)
            case _:
                steps.extend(outcome)
                if service.gives_outputs and outcome[-1].event:
                    gave = min(gave, wave)
    return Plan(tuple(sorted(steps, key=lambda step: step.wave)), tuple(skipped), tuple(problems))


def commit_for(wish: Wish, request: Request, head: str, deployed: str) -> str:
    """Which commit a service gets: the one asked for, the deployed one (redeploy), or the branch's newest."""
    if wish.commit:
        return wish.commit
    return deployed or head if request.redeploy or wish.keep_commit else head or deployed


def _waves(services: list[Desired], backwards: bool) -> dict[int, int]:
    """Stage position → wave."""
    positions = sorted({service.stage_position for service in services}, reverse=backwards)
    return {position: FIRST_STAGE_WAVE + number for number, position in enumerate(positions)}


_NEVER = 1 << 30
READERS = frozenset({ServiceKind.APPLICATION, ServiceKind.CONTAINER, ServiceKind.JOB})
"""Kinds that read what jobs leave behind."""


def _plan_one(
    service: Desired, situation: Situation, request: Request, wave: int, *, stale: bool
) -> list[PlannedStep] | Skipped | Problem:
    deployed = situation.deployed.get(service.id)
    match request.action:
        case Action.DEPLOY:
            stale = stale and service.kind in READERS
            return _deploy(service, deployed, situation, request, wave, stale=stale)
        case Action.DELETE:
            return _delete(service, deployed, wave)
        case Action.STOP | Action.START | Action.RESTART:
            return _act(request.action, service, deployed, wave)


def _skip(service: Desired, why: str) -> Skipped:
    return Skipped(service.id, service.name, service.stage, why)


def _problem(service: Desired, why: str) -> Problem:
    return Problem(service.id, service.name, service.stage, why)


def _deploy(
    service: Desired, deployed: Deployed | None, situation: Situation, request: Request, wave: int, *, stale: bool
) -> list[PlannedStep] | Skipped | Problem:
    """`stale`: a job that runs before it may leave it other variables than it has."""
    wish = request.wishes.get(service.id, Wish())
    kept = situation.kept.get(wish.release_id) if wish.release_id else None
    if wish.release_id and kept is None:
        return _problem(service, f"{service.name}: the release to go back to is not kept any more")
    if service.nothing_yet and kept is None and service.id not in request.wishes:
        return _skip(service, service.problem)
    if kept is None and (service.spec is None or service.problem):
        return _problem(service, service.problem or f"{service.name} can't be deployed")
    spec = kept.spec if kept is not None else service.spec
    assert spec is not None
    if wish.event and (spec.job is None or wish.event not in spec.job.commands):
        return _skip(service, f"has nothing to run for {wish.event}")
    variables = kept.variables if kept is not None else service.variables
    same = deployed is not None and deployed.running and deployed.spec == spec and deployed.variables == variables
    if same and not (request.redeploy or stale or wish.event):
        return _skip(service, "unchanged")
    artifact = kept.artifact if kept is not None else _artifact(spec, deployed, again=request.redeploy)
    event = wish.event or _event(JobEvent.START, spec)
    return _deploy_steps(service, Deployed(spec, variables, artifact), deployed, wave, event)


def _event(event: JobEvent, spec: ServiceSpec | None) -> str:
    """The event, when this is a job that has something to run for it."""
    return event if spec is not None and spec.job is not None and event in spec.job.commands else ""


def _deploy_steps(
    service: Desired, wanted: Deployed, deployed: Deployed | None, wave: int, event: str
) -> list[PlannedStep]:
    """`wanted`: what shall run; without an artifact it is built first, where there is something to build."""
    spec, variables = wanted.spec, wanted.variables
    before = deployed or Deployed(spec=None, variables={})
    assert spec is not None
    build = PlannedStep(
        key=f"build.{service.id}",
        kind=TaskKind.BUILD,
        wave=BUILD_WAVE,
        stage=BUILD_STAGE,
        service_id=service.id,
        service_name=service.name,
        spec=spec,
        variables=variables,
    )
    builds = (spec.git is not None or spec.image is not None) and not wanted.artifact
    deploy = PlannedStep(
        key=f"deploy.{service.id}",
        kind=TaskKind.DEPLOY,
        wave=wave,
        stage=service.stage,
        service_id=service.id,
        service_name=service.name,
        depends_on=(build.key,) if builds else (),
        spec=spec,
        variables=variables,
        artifact=wanted.artifact,
        event=event,
        changes=tuple(changes(spec, variables, before.spec, before.variables)),
    )
    return [build, deploy] if builds else [deploy]


def _artifact(spec: ServiceSpec, deployed: Deployed | None, *, again: bool) -> str:
    """What the last deployment built, when a new build would make the same.

    An image stays the one that was pulled, whatever its tag means by now, until somebody asks for it `again`.
    """
    if deployed is None or deployed.spec is None or (again and spec.image is not None):
        return ""
    same = all(getattr(spec, name) == getattr(deployed.spec, name) for name in BUILD_FIELDS)
    return deployed.artifact if same else ""


def _delete(service: Desired, deployed: Deployed | None, wave: int) -> list[PlannedStep] | Skipped:
    if deployed is None:
        return _skip(service, "was never deployed")
    return [_step(TaskKind.DELETE, service, deployed, wave)]


def _act(
    action: Action, service: Desired, deployed: Deployed | None, wave: int
) -> list[PlannedStep] | Skipped | Problem:
    if deployed is None:
        return _skip(service, "was never deployed")
    if action is Action.RESTART and service.kind == ServiceKind.JOB:
        return _skip(service, "is a job: it runs when it is deployed or when it is time")
    if action is Action.STOP and deployed.spec is not None and not deployed.running:
        return _skip(service, "is stopped already")
    if action is Action.START and deployed.running:
        return _skip(service, "runs already")
    if action is not Action.STOP and deployed.spec is None:
        return _skip(service, "no deployment of it succeeded yet")
    if action is Action.RESTART and not deployed.running:
        return _skip(service, "is stopped: start or deploy it instead")
    return [_step(TaskKind(action.value.lower()), service, deployed, wave)]


def _step(kind: TaskKind, service: Desired, deployed: Deployed, wave: int) -> PlannedStep:
    return PlannedStep(
        key=f"{kind}.{service.id}",
        kind=kind,
        wave=wave,
        stage=service.stage,
        service_id=service.id,
        service_name=service.name,
        spec=deployed.spec or service.spec or _bare(service),
        variables=deployed.variables,
        artifact=deployed.artifact,
        event=_event(ACTED[kind], deployed.spec) if kind in ACTED else "",
    )


ACTED = {TaskKind.START: JobEvent.START, TaskKind.STOP: JobEvent.STOP, TaskKind.DELETE: JobEvent.DELETE}
"""What a job runs when something else than a deployment is done with it."""


def _bare(service: Desired) -> ServiceSpec:
    """Enough to stop or delete by: the id."""
    return ServiceSpec(id=service.id, kind=ServiceKind(service.kind), name=service.name, label="")
