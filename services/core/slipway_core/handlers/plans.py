"""Plans, shown before they run: per service what changes, what is built, in which order, and how long it may take."""

from msgspec import UNSET, UnsetType

from slipway_contracts.tasks import TaskKind
from slipway_core import estimates, planner
from slipway_core.api.forms import Answer, Body, Id
from slipway_core.app import Core, Work, found
from slipway_core.changes import Change
from slipway_core.estimates import Forecast, Timing
from slipway_core.handlers import deployments, freezing
from slipway_core.handlers.situations import situation
from slipway_core.machine import Action
from slipway_core.planner import Plan, PlannedStep, Request, Wish
from slipway_core.problems import one_of, wrong
from slipway_core.progress import Run
from slipway_core.stores.deployments import Ground
from slipway_core.views import rounded
from slipway_http import Call


class PlanRequest(Body, frozen=True, kw_only=True):
    """What to plan: everything, or the named services."""

    services: dict[Id, str] | UnsetType = UNSET
    """service id → commit; an empty commit is the newest of its branch."""
    redeploy: bool | UnsetType = UNSET
    action: str | UnsetType = UNSET
    """DEPLOY (default), RESTART, STOP, START, DELETE."""


class PlannedStepAnswer(Answer, frozen=True, kw_only=True):
    """One step of a plan."""

    kind: str
    stage: str
    wave: int
    service_id: str
    service_name: str
    commit: str
    begins_at_seconds: float
    """Counted from the start of the deployment."""
    estimated_seconds: float | None
    """Median of its last runs; null: it never ran before."""
    changes: list[Change]


class PlannedService(Answer, frozen=True, kw_only=True):
    """What happens to one service."""

    service_id: str
    service_name: str
    stage: str
    is_new: bool
    is_built: bool
    commit: str
    estimated_seconds: float | None
    changes: list[Change]


class LeftAlone(Answer, frozen=True, kw_only=True):
    """A service that a plan leaves as it is, or can't deploy, with the reason."""

    service_id: str
    service_name: str
    reason: str


class PlanAnswer(Answer, frozen=True, kw_only=True):
    """What a deployment would do, in its order."""

    action: str
    services: list[PlannedService]
    steps: list[PlannedStepAnswer]
    unchanged: list[LeftAlone]
    problems: list[LeftAlone]
    estimated_seconds: float | None
    """Of the whole; null when nothing of it ever ran before."""
    is_estimate_complete: bool
    """False: some of it never ran before, and is counted as nothing."""
    notes: list[str]
    """What else to know: what stands in the way, what is switched off."""


async def plan(app: Core, call: Call[PlanRequest]) -> PlanAnswer:
    """What a deployment would do now, without doing it."""
    request = _request(call.body)
    async with app.reading() as work:
        ground = found(await work.deployments.ground(call.place.environment_id), "environment")
        await deployments.check(work, ground, request)
        return await show(app, work, ground, request)


def _request(body: PlanRequest) -> Request:
    named = {} if body.services is UNSET else body.services
    action = "DEPLOY" if body.action is UNSET else body.action
    if action not in [each.value for each in Action]:
        raise wrong(("$.action", one_of(action, Action)))
    return Request(
        action=Action(action),
        everything=not named,
        wishes={id.lower(): Wish(commit=commit) for id, commit in named.items()},
        redeploy=body.redeploy is True,
    )


async def show(app: Core, work: Work, ground: Ground, request: Request, notes: list[str] | None = None) -> PlanAnswer:
    """The plan of a request, with what is likely to come of it."""
    before = await situation(app, work, ground, request)
    made = planner.plan(before, request)
    durations = await work.durations.of_services({step.service_id for step in made.steps})
    limits = Run(id="", environment_id="", action=request.action, status=deployments.first_status(request))
    deployments.settle(limits, ground)
    forecast = estimates.of_plan(made.steps, durations, limits.max_builds, limits.max_deploys)
    known = [timing for timing in forecast.steps.values() if timing.lasts_seconds is not None]
    return PlanAnswer(
        action=request.action,
        services=_services(made, forecast, set(before.deployed)),
        steps=[_step(step, forecast.steps[step.key]) for step in made.steps],
        unchanged=[LeftAlone(service_id=s.service_id, service_name=s.service_name, reason=s.why) for s in made.skipped],
        problems=[LeftAlone(service_id=p.service_id, service_name=p.service_name, reason=p.why) for p in made.problems],
        estimated_seconds=rounded(forecast.total_seconds) if known else None,
        is_estimate_complete=forecast.complete,
        notes=[*(notes or []), *await _obstacles(work, ground, request)],
    )


async def _obstacles(work: Work, ground: Ground, request: Request) -> list[str]:
    """What stands between asking for it and its beginning."""
    policy = await work.approval_policies.get(ground.environment_id)
    frozen = await freezing.in_force(work, ground, request)
    found_obstacles = [frozen] if frozen else []
    if policy.required and request.action in deployments.NEED_APPROVAL:
        found_obstacles.append(f"It has to be approved by {deployments.who_may_approve(policy)}.")
    return found_obstacles


def _services(made: Plan, forecast: Forecast, known: set[str]) -> list[PlannedService]:
    return [
        PlannedService(
            service_id=step.service_id,
            service_name=step.service_name,
            stage=step.stage,
            is_new=step.service_id not in known,
            is_built=any(one.kind == TaskKind.BUILD and one.service_id == step.service_id for one in made.steps),
            commit=_commit(step),
            estimated_seconds=_sum(made, forecast, step.service_id),
            changes=list(step.changes),
        )
        for step in made.steps
        if step.kind != TaskKind.BUILD
    ]


def _sum(made: Plan, forecast: Forecast, service_id: str) -> float | None:
    parts = [forecast.steps[step.key].lasts_seconds for step in made.steps if step.service_id == service_id]
    known = [part for part in parts if part is not None]
    return rounded(sum(known)) if len(known) == len(parts) else None


def _step(step: PlannedStep, timing: Timing) -> PlannedStepAnswer:
    return PlannedStepAnswer(
        kind=step.kind,
        stage=step.stage,
        wave=step.wave,
        service_id=step.service_id,
        service_name=step.service_name,
        commit=_commit(step),
        begins_at_seconds=round(timing.begins_seconds, 1),
        estimated_seconds=rounded(timing.lasts_seconds),
        changes=list(step.changes),
    )


def _commit(step: PlannedStep) -> str:
    git = step.spec.git if step.spec is not None else None
    return git.commit if git is not None else ""
