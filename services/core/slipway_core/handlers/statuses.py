"""What the last deployments did, per service and environment: not to be mixed up with what is alive now."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from slipway_contracts.access import Permission
from slipway_contracts.tasks import StepMetric
from slipway_core import machine
from slipway_core.api import answers
from slipway_core.api.forms import Answer
from slipway_core.app import Core, found
from slipway_core.handlers.environments import place_of
from slipway_core.handlers.pictures import Picture, picture, pictures
from slipway_core.machine import Action, Phase, State, StepState
from slipway_core.planner import PRE_CHECK
from slipway_core.progress import Run, Step
from slipway_core.stores.services import Service
from slipway_core.stores.stages import Stage
from slipway_http import Call

NEVER, OLD, FRESH = "NEVER_DEPLOYED", "OUT_OF_DATE", "UP_TO_DATE"
LISTS = {"APPLICATION": "applications", "CONTAINER": "containers", "JOB": "jobs", "DATABASE": "databases"}
ACTIONS = {Action.START: "DEPLOY"}
"""Actions that the reference's enum has no name for."""
ORIGINS = frozenset({"API", "CLI", "CONSOLE", "GIT", "QOVERY_INTERNAL", "SKILL", "TERRAFORM_PROVIDER"})
STEP_NAMES = {"build": "BUILD", "deploy": "DEPLOYMENT", "start": "DEPLOYMENT", "restart": "DEPLOYMENT"}
METRIC_NAMES = frozenset(
    {
        "REGISTRY_CREATE_REPOSITORY",
        "GIT_CLONE",
        "BUILD_QUEUEING",
        "BUILD",
        "DEPLOYMENT_QUEUEING",
        "DEPLOYMENT",
        "ROUTER_DEPLOYMENT",
        "MIRROR_IMAGE",
        "EXECUTING",
    }
)


class EnvironmentAsked(Answer, frozen=True, kw_only=True):
    """The answer to an environment-wide action: what the reference calls Status, and EnvironmentStatus, in one."""

    id: str
    state: str
    service_deployment_status: str
    last_deployment_date: datetime | UnsetType = UNSET
    is_part_last_deployment: bool
    execution_id: str | UnsetType = UNSET
    status_details: answers.StatusDetails
    deployment_request_id: str | None
    deployment_requests_count: int
    last_deployment_state: str
    last_deployment_id: str | UnsetType | None = UNSET
    triggered_by: str | UnsetType | None = UNSET
    deployment_status: str


def drift(one: Picture, service_id: str) -> str:
    """Does the cluster hold what is configured? Stopped or not doesn't matter."""
    desired = next((d for d in one.situation.services if d.id == service_id), None)
    deployed = one.situation.deployed.get(service_id)
    if desired is None or deployed is None or deployed.spec is None:
        return NEVER
    return FRESH if deployed.spec == desired.spec and deployed.variables == desired.variables else OLD


def waits_for(one: Picture, service: Service) -> list[Run]:
    """Waiting deployments that will touch a service."""
    return [
        run
        for run in one.open
        if run.started_at is None
        and (service.id in run.request.wishes or (run.request.everything and not service.is_skipped))
    ]


def action_status(state: State) -> str:
    """ServiceActionStatusEnum of the reference."""
    if state is State.READY:
        return "NEVER"
    if state in machine.ERRORS:
        return "ERROR"
    if state in (State.CANCELED, State.CANCELING, State.EXECUTING):
        return state.value
    return {Phase.QUEUED: "QUEUED", Phase.ENDED: "SUCCESS"}.get(machine.STATES[state].phase, "ONGOING")


ACTION_OF = {
    state: ACTIONS.get(action, action.value)
    for action, words in machine.WORDS.items()
    for state in (words.queued, words.waiting, words.working, words.done, words.error)
} | {State.BUILDING: "DEPLOY", State.BUILD_ERROR: "DEPLOY", State.EXECUTING: "DEPLOY", State.RECAP: "DEPLOY"}


def details(state: State, action: str | None = None) -> answers.StatusDetails:
    named: Any = action or ACTION_OF.get(state, "UNKNOWN")
    status: Any = action_status(state)
    return answers.StatusDetails(action=named, status=status, sub_action="NONE")


def status(one: Picture, service: Service) -> answers.Status:
    """A service by its last deployment, or as it waits for its next."""
    known = one.states.get(service.id)
    state = State(known.state) if known is not None else State.READY
    waiting = waits_for(one, service)
    if waiting and machine.STATES[state].phase in (Phase.IDLE, Phase.ENDED):
        state = waiting[0].status
    in_last = one.last is not None and known is not None and known.deployment_id == one.last.id
    shown: Any = state
    drifted: Any = drift(one, service.id)
    return answers.Status(
        id=service.id,
        state=shown,
        service_deployment_status=drifted,
        last_deployment_date=known.changed_at if known is not None else UNSET,
        is_part_last_deployment=in_last,
        steps=step_metrics(one.last, service.id) if in_last and one.last is not None else UNSET,
        execution_id=known.deployment_id if known is not None and known.deployment_id else UNSET,
        status_details=details(state),
        deployment_request_id=waiting[0].id if waiting else _running_id(one, service.id),
        deployment_requests_count=len(waiting),
    )


def _running_id(one: Picture, service_id: str) -> str | None:
    known = one.states.get(service_id)
    return known.deployment_id if known is not None else None


def step_metrics(run: Run, service_id: str) -> answers.ServiceStepMetrics:
    """How long the parts of a service's deployment took."""
    steps = [step for step in run.steps if step.service_id == service_id]
    found_metrics = [metric for step in steps for metric in _metrics(step)]
    ended = [step.ended_at for step in steps if step.ended_at is not None]
    total = None
    if steps and len(ended) == len(steps) and run.started_at is not None:
        total = round((max(ended) - run.started_at).total_seconds())
    computing = sum(metric.duration_seconds for metric in found_metrics if not metric.name.endswith("QUEUEING"))
    return answers.ServiceStepMetrics(
        total_duration_sec=total,
        total_computing_duration_sec=round(computing),
        details=[_metric(metric) for metric in found_metrics],
    )


def _metrics(step: Step) -> list[StepMetric]:
    """What the engine measured, or what core saw, and the time spent waiting for an engine."""
    found_metrics = [metric for metric in step.metrics if metric.name in METRIC_NAMES]
    name = STEP_NAMES.get(step.kind)
    if name is None:
        return found_metrics
    if step.ready_at is not None and step.started_at is not None:
        waited = (step.started_at - step.ready_at).total_seconds()
        found_metrics.insert(0, StepMetric(name=f"{name}_QUEUEING", status="SUCCESS", duration_seconds=waited))
    if step.started_at is not None and step.ended_at is not None and not any(m.name == name for m in found_metrics):
        took = (step.ended_at - step.started_at).total_seconds()
        found_metrics.append(StepMetric(name=name, status=_result(step), duration_seconds=took))
    return found_metrics


def _result(step: Step) -> str:
    return {StepState.SUCCEEDED: "SUCCESS", StepState.FAILED: "ERROR", StepState.CANCELED: "CANCEL"}.get(
        step.state, "SKIP"
    )


def _metric(metric: StepMetric) -> answers.ServiceStepMetric:
    name: Any = metric.name
    result: Any = metric.status if metric.status in ("SUCCESS", "ERROR", "CANCEL", "SKIP") else "SUCCESS"
    return answers.ServiceStepMetric(step_name=name, status=result, duration_sec=round(metric.duration_seconds))


def environment_status(one: Picture) -> answers.EnvironmentStatus:
    """An environment by its running deployment, or else its last one."""
    return environment_status_of(
        one.ground.environment_id, one.open[0] if one.open else one.last, one.last, environment_drift(one)
    )


def environment_status_of(
    environment_id: str, present: Run | None, last: Run | None, drifted: str
) -> answers.EnvironmentStatus:
    state: Any = present.status if present is not None else State.READY
    last_state: Any = last.status if last is not None else State.READY
    origin: Any = last.origin if last is not None and last.origin in ORIGINS else None
    known_drift: Any = drifted
    return answers.EnvironmentStatus(
        id=environment_id,
        state=state,
        last_deployment_date=_last_date(last),
        last_deployment_state=last_state,
        last_deployment_id=last.id if last is not None else None,
        total_deployment_duration_in_seconds=_duration(last),
        origin=origin,
        triggered_by=last.triggered_by if last is not None else None,
        deployment_status=known_drift,
        deployment_request_id=present.id if present is not None else None,
    )


def _last_date(last: Run | None) -> datetime | None:
    return (last.ended_at or last.started_at or last.created_at) if last is not None else None


def _duration(run: Run | None) -> int | None:
    if run is None or run.started_at is None or run.ended_at is None:
        return None
    return round((run.ended_at - run.started_at).total_seconds())


def environment_drift(one: Picture) -> str:
    drifts = {drift(one, service.id) for service in one.services if not service.is_skipped}
    if drifts <= {NEVER}:
        return NEVER
    return FRESH if drifts == {FRESH} else OLD


def by_kind(one: Picture, services: list[Service]) -> dict[str, list[answers.Status]]:
    """Statuses under the reference's names of their kinds."""
    found_statuses: dict[str, list[answers.Status]] = defaultdict(list)
    for service in services:
        found_statuses[LISTS[service.kind]].append(status(one, service))
    return {name: found_statuses[name] for name in [*LISTS.values(), "helms", "terraforms"]}


# Routes


async def of_service(app: Core, call: Call[Any]) -> answers.Status:
    """What the last deployment did to a service."""
    async with app.reading() as work:
        one = await picture(app, work, call.place.environment_id)
    service = next((service for service in one.services if service.id == call.place.service_id), None)
    return status(one, found(service, "service"))


async def of_environment(app: Core, call: Call[Any]) -> answers.EnvironmentStatus:
    """What the last deployment did in an environment."""
    async with app.reading() as work:
        return environment_status(await picture(app, work, call.place.environment_id))


async def asked(app: Core, call: Call[Any]) -> EnvironmentAsked:
    async with app.reading() as work:
        one = await picture(app, work, call.place.environment_id)
    known = environment_status(one)
    return EnvironmentAsked(
        id=known.id,
        state=known.state,
        service_deployment_status=environment_drift(one),
        last_deployment_date=_last_date(one.last) or UNSET,
        is_part_last_deployment=True,
        execution_id=one.last.id if one.last is not None else UNSET,
        status_details=details(State(known.state)),
        deployment_request_id=one.open[-1].id if one.open else known.deployment_request_id or None,
        deployment_requests_count=sum(run.started_at is None for run in one.open),
        last_deployment_state=known.last_deployment_state,
        last_deployment_id=known.last_deployment_id,
        triggered_by=known.triggered_by,
        deployment_status=environment_drift(one),
    )


async def of_services(app: Core, call: Call[Any]) -> answers.EnvironmentStatuses:
    """An environment's status with those of its services."""
    async with app.reading() as work:
        one = await picture(app, work, call.place.environment_id)
    return answers.EnvironmentStatuses(environment=environment_status(one), **by_kind(one, one.services))


async def with_stages(app: Core, call: Call[Any]) -> answers.EnvironmentStatusesWithStages:
    """An environment's status with its stages and their services."""
    async with app.reading() as work:
        one = await picture(app, work, call.place.environment_id)
    return answers.EnvironmentStatusesWithStages(
        environment=environment_status(one),
        stages=[_stage(one, stage) for stage in one.stages],
        pre_check_stage=_pre_check(one.last),
    )


def _stage(one: Picture, stage: Stage) -> answers.DeploymentStageWithServicesStatuses:
    services = [service for service in one.services if service.stage_id == stage.id]
    ids = {service.id for service in services}
    steps = [step for step in one.last.steps if step.service_id in ids] if one.last is not None else []
    state: Any = stage_status(steps)
    return answers.DeploymentStageWithServicesStatuses(
        **by_kind(one, services),
        stage=answers.Stage(id=stage.id, name=stage.name, description=stage.description, status=state),
    )


def stage_status(steps: list[Step]) -> str:
    """StageStatusEnum of the reference, of the steps in a stage."""
    states = {step.state for step in steps}
    if StepState.FAILED in states:
        return "ERROR"
    if StepState.CANCELED in states:
        return "CANCELED"
    if states & {StepState.RUNNING, StepState.READY}:
        return "ONGOING"
    if StepState.PENDING in states:
        return "ONGOING" if StepState.SUCCEEDED in states else "QUEUED"
    return "DONE" if StepState.SUCCEEDED in states else "SKIPPED"


def _pre_check(last: Run | None) -> answers.EnvironmentStatusesWithStagesPreCheckStage | UnsetType:
    step = next((step for step in last.steps if step.kind == PRE_CHECK), None) if last is not None else None
    if step is None:
        return UNSET
    result: Any = _result(step)
    return answers.EnvironmentStatusesWithStagesPreCheckStage(status=result, total_duration_sec=0)


async def of_kind(app: Core, call: Call[Any], kind: str) -> answers.ReferenceObjectStatusResponseList:
    """The statuses of all services of a kind in an environment."""
    async with app.reading() as work:
        one = await picture(app, work, call.place.environment_id)
    results = [reference(status(one, service)) for service in one.services if service.kind == kind]
    return answers.ReferenceObjectStatusResponseList(results=results)


def reference(known: answers.Status) -> answers.ReferenceObjectStatus:
    return answers.ReferenceObjectStatus(**{name: getattr(known, name) for name in known.__struct_fields__})


async def of_project(app: Core, call: Call[Any]) -> answers.EnvironmentStatusList:
    """The statuses of all environments of a project."""
    async with app.reading() as work:
        environments = await work.environments.all(project_id=call.place.project_id)
        seen = [one.id for one in environments if call.caller.may(Permission.READ, place_of(one))]
        known = await pictures(app, work, seen)
    return answers.EnvironmentStatusList(results=[environment_status(known[id]) for id in seen])
