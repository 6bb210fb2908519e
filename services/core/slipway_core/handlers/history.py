"""Deployments that were, that run, that wait: our own fuller shape, and the reference's."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from slipway_core.api import answers
from slipway_core.api.forms import Answer, Id, Query
from slipway_core.app import Core, Work, found
from slipway_core.callers import id_in
from slipway_core.handlers import deployments, statuses
from slipway_core.handlers.services import icon
from slipway_core.machine import StepState
from slipway_core.progress import Run, Step, service_state
from slipway_core.stores.git_events import StoredCommit
from slipway_core.stores.releases import Release
from slipway_core.views import full, view
from slipway_http import Call

PAGE_SIZE = 20
MOST = 100


class Page(Query, frozen=True, kw_only=True):
    """Which part of a list."""

    startId: Id | UnsetType = UNSET
    pageSize: float | UnsetType | None = UNSET


class DeploymentList(Answer, frozen=True, kw_only=True):
    """Deployments with their steps, newest first."""

    results: list[dict[str, Any]]


class ReleaseAnswer(Answer, frozen=True, kw_only=True):
    """A release that can be gone back to."""

    id: str
    deployment_id: str
    commit: str
    in_place: bool
    created_at: datetime


class ReleaseList(Answer, frozen=True, kw_only=True):
    results: list[ReleaseAnswer]


def _page(call: Call[Any]) -> tuple[str | None, int]:
    start, size = getattr(call.query, "startId", UNSET), getattr(call.query, "pageSize", UNSET)
    limit = PAGE_SIZE if size is UNSET or size is None else min(max(int(size), 1), MOST)
    return (None if start is UNSET else start.lower()), limit


async def environment_page(work: Work, call: Call[Any]) -> list[Run]:
    start, limit = _page(call)
    runs = await work.deployments.history(call.place.environment_id, start, limit)
    return await _with_steps(work, runs)


async def service_page(work: Work, call: Call[Any]) -> list[Run]:
    start, limit = _page(call)
    runs = await work.deployments.history_of_service(call.place.service_id, start, limit)
    return await _with_steps(work, runs)


async def _with_steps(work: Work, runs: list[Run]) -> list[Run]:
    steps = await work.steps.of(run.id for run in runs) if runs else {}
    for run in runs:
        run.steps = steps.get(run.id, [])
    return runs


# Ours


async def one(app: Core, call: Call[Any]) -> dict[str, Any]:
    """A deployment with its steps."""
    async with app.reading() as work:
        run = await deployments.reloaded(work, id_in(call, "deploymentId"))
    return full(view(found(run, "deployment"), app.clock()))


async def of_environment(app: Core, call: Call[Any]) -> DeploymentList:
    """The deployments of an environment with their steps, newest first."""
    async with app.reading() as work:
        return DeploymentList(results=[full(view(run, app.clock())) for run in await environment_page(work, call)])


async def of_service(app: Core, call: Call[Any]) -> DeploymentList:
    """The deployments that touched a service, with their steps, newest first."""
    async with app.reading() as work:
        return DeploymentList(results=[full(view(run, app.clock())) for run in await service_page(work, call)])


async def releases(app: Core, call: Call[Any]) -> ReleaseList:
    """The releases of a service that can be gone back to, newest first."""
    async with app.reading() as work:
        kept = await work.releases.of_service(call.place.service_id)
        in_place = await work.releases.in_place(call.place.environment_id)
    present = in_place.get(call.place.service_id)
    return ReleaseList(results=[_release(release, present) for release in kept])


def _release(release: Release, present: Release | None) -> ReleaseAnswer:
    return ReleaseAnswer(
        id=release.id,
        deployment_id=release.deployment_id,
        commit=release.commit,
        in_place=present is not None and present.id == release.id,
        created_at=release.created_at,
    )


# The reference's


async def commits_of(work: Work, call: Call[Any], runs: list[Run]) -> dict[str, StoredCommit]:
    ids = sorted({commit for run in runs for commit in run.commits.values()})
    return await work.git_events.commits(call.place.organization_id, ids) if ids else {}


def commit_of(id: str, commits: dict[str, StoredCommit], at: datetime) -> answers.Commit | None:
    if not id:
        return None
    known = commits.get(id)
    return answers.Commit(
        git_commit_id=id,
        created_at=known.at if known else at,
        message=known.message if known else "",
        author_name=known.author_name if known else "",
        author_avatar_url=known.author_avatar_url if known else "",
        tag="",
    )


def touched(run: Run) -> dict[str, Step]:
    """service id → its last step, for the services that a deployment does something to."""
    return {step.service_id: step for step in run.steps if step.service_id and step.state is not StepState.SKIPPED}


def _audit(run: Run) -> answers.DeploymentHistoryAuditingData:
    assert run.created_at is not None
    origin: Any = run.origin if run.origin in statuses.ORIGINS else UNSET
    return answers.DeploymentHistoryAuditingData(
        created_at=run.created_at,
        updated_at=run.ended_at or run.status_at or run.created_at,
        triggered_by=run.triggered_by,
        origin=origin,
    )


def trigger_action(run: Run) -> Any:
    if run.request.keep:
        return "UNINSTALL"
    return statuses.ACTIONS.get(run.action, run.action.value)


def action_of(run: Run) -> str:
    return statuses.ACTIONS.get(run.action, run.action.value)


async def environment_history_v2(
    app: Core, call: Call[Any]
) -> answers.DeploymentHistoryEnvironmentPaginatedResponseListV2:
    """The deployments of an environment with their stages, newest first."""
    async with app.reading() as work:
        runs = await environment_page(work, call)
        commits = await commits_of(work, call, runs)
    results = [_environment_entry_v2(run, commits) for run in runs]
    return answers.DeploymentHistoryEnvironmentPaginatedResponseListV2(page=1, page_size=len(results), results=results)


def _environment_entry_v2(run: Run, commits: dict[str, StoredCommit]) -> answers.DeploymentHistoryEnvironmentV2:
    status: Any = run.status
    action_status: Any = statuses.action_status(run.status)
    return answers.DeploymentHistoryEnvironmentV2(
        identifier=answers.DeploymentHistoryEnvironmentV2Identifier(
            execution_id=run.id, environment_id=run.environment_id
        ),
        auditing_data=_audit(run),
        status=status,
        trigger_action=trigger_action(run),
        total_duration=duration(run.started_at, run.ended_at),
        stages=[_history_stage(run, name, commits) for name in stages_of(run)],
        action_status=action_status if action_status != "EXECUTING" else "ONGOING",
    )


def stages_of(run: Run) -> list[str]:
    """Names of the stages in which a deployment does something, in order; builds stand with their service's stage."""
    return list(dict.fromkeys(step.stage for step in touched(run).values()))


def _history_stage(run: Run, name: str, commits: dict[str, StoredCommit]) -> answers.DeploymentHistoryStage:
    last = [step for step in touched(run).values() if step.stage == name]
    ids = {step.service_id for step in last}
    steps = [step for step in run.steps if step.service_id in ids]
    status: Any = statuses.stage_status(steps)
    began = [step.started_at for step in steps if step.started_at is not None]
    ended = [step.ended_at for step in steps if step.ended_at is not None]
    return answers.DeploymentHistoryStage(
        name=name,
        status=status,
        duration=duration(min(began, default=None), max(ended, default=None)),
        services=[_history_service(run, step, commits) for step in last],
    )


def _history_service(run: Run, step: Step, commits: dict[str, StoredCommit]) -> answers.DeploymentHistoryService:
    assert run.created_at is not None
    kind: Any = step.service_kind or "APPLICATION"
    state = service_state(run, step.service_id) or run.status
    status: Any = state
    return answers.DeploymentHistoryService(
        identifier=answers.DeploymentHistoryServiceIdentifier(
            name=step.service_name, service_id=step.service_id, service_type=kind, execution_id=run.id
        ),
        status=status,
        auditing_data=_audit(run),
        details=answers.DeploymentHistoryServiceDetails(
            commit=commit_of(step.commit, commits, run.created_at), build_pod_name=f"build-{run.id}-0"
        ),
        status_details=statuses.details(state, action_of(run)),
        icon_uri=icon(kind, {}),
        total_duration=duration(run.started_at, step.ended_at),
    )


def duration(began: datetime | None, ended: datetime | None) -> str:
    """ISO 8601; nothing yet is PT0S."""
    seconds = (ended - began).total_seconds() if began is not None and ended is not None else 0.0
    return f"PT{max(seconds, 0.0):.3f}S"


async def service_history_v2(app: Core, call: Call[Any]) -> answers.DeploymentHistoryServicePaginatedResponseListV2:
    """The deployments that touched a service, newest first."""
    async with app.reading() as work:
        runs = await service_page(work, call)
        commits = await commits_of(work, call, runs)
    results = [
        _history_service(run, step, commits) for run in runs if (step := touched(run).get(call.place.service_id))
    ]
    return answers.DeploymentHistoryServicePaginatedResponseListV2(page=1, page_size=len(results), results=results)


# The queue


async def queue_of_environment(app: Core, call: Call[Any]) -> answers.ListDeploymentRequestByEnvironmentIdAnswer:
    """The deployments that wait in an environment, in order."""
    async with app.reading() as work:
        waiting = [run for run in await work.deployments.open(call.place.environment_id) if run.started_at is None]
        services = {service.id: service for service in await work.services.of_environment(call.place.environment_id)}
        stages = {stage.id: stage for stage in await work.stages.all(call.place.environment_id)}
    results = []
    for run in waiting:
        covered = [s for s in services.values() if s.id in run.request.wishes or run.request.everything]
        names = dict.fromkeys(stages[service.stage_id].name for service in covered)
        results.append(
            answers.QueuedDeploymentRequestWithStages(
                identifier=answers.QueuedDeploymentRequestWithStagesIdentifier(
                    deployment_request_id=run.id, environment_id=run.environment_id
                ),
                auditing_data=_queued_audit(run),
                trigger_action=trigger_action(run),
                stages=[_queued_stage(name, [s for s in covered if stages[s.stage_id].name == name]) for name in names],
            )
        )
    return answers.ListDeploymentRequestByEnvironmentIdAnswer(results=results)


def _queued_audit(run: Run) -> answers.QueuedDeploymentRequestWithStagesAuditingData:
    origin: Any = run.origin if run.origin in statuses.ORIGINS else UNSET
    return answers.QueuedDeploymentRequestWithStagesAuditingData(triggered_by=run.triggered_by, origin=origin)


def _queued_stage(name: str, services: list[Any]) -> answers.QueuedDeploymentRequestWithStagesStagesItem:
    return answers.QueuedDeploymentRequestWithStagesStagesItem(
        name=name,
        status="QUEUED",
        services=[
            answers.QueuedDeploymentRequestWithStagesStagesItemServicesItem(
                identifier=answers.QueuedDeploymentRequestWithStagesStagesItemServicesItemIdentifier(
                    service_id=service.id, service_type=service.kind, name=service.name
                ),
                status="QUEUED",
            )
            for service in services
        ],
    )


async def queue_of_service(app: Core, call: Call[Any]) -> answers.ListDeploymentRequestByServiceIdAnswer:
    """The waiting deployments that will touch a service, in order."""
    async with app.reading() as work:
        waiting = await work.deployments.waiting_of_service(call.place.service_id)
        service = found(await work.services.get(call.place.service_id), "service")
    kind: Any = service.kind
    return answers.ListDeploymentRequestByServiceIdAnswer(
        results=[
            answers.QueuedDeploymentRequestForService(
                identifier=answers.QueuedDeploymentRequestForServiceIdentifier(
                    deployment_request_id=run.id, service_id=service.id, service_type=kind, name=service.name
                ),
                auditing_data=_queued_service_audit(run),
                status_details=statuses.details(run.status, action_of(run)),
                icon_uri=icon(kind, service.config),
            )
            for run in waiting
        ]
    )


def _queued_service_audit(run: Run) -> answers.QueuedDeploymentRequestForServiceAuditingData:
    origin: Any = run.origin if run.origin in statuses.ORIGINS else UNSET
    return answers.QueuedDeploymentRequestForServiceAuditingData(triggered_by=run.triggered_by, origin=origin)
