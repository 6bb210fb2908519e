"""The reference's first shape of histories: deployments with the services that they touched, kind by kind."""

from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from slipway_core import machine
from slipway_core.api import answers
from slipway_core.app import Core
from slipway_core.handlers import history, statuses
from slipway_core.machine import State
from slipway_core.progress import Run, Step, service_state
from slipway_core.stores.git_events import StoredCommit
from slipway_http import Call

Commits = dict[str, StoredCommit]
Entry = Callable[[str, Run, Step, Commits], Any]


def _common(id: str, run: Run, step: Step) -> dict[str, Any]:
    return {
        "id": id,
        "created_at": run.created_at,
        "updated_at": run.ended_at or run.status_at or UNSET,
        "name": step.service_name,
        "status": service_state(run, step.service_id) or State.READY,
    }


def _application(id: str, run: Run, step: Step, commits: Commits) -> answers.DeploymentHistoryApplication:
    assert run.created_at is not None
    commit = history.commit_of(step.commit, commits, run.created_at)
    return answers.DeploymentHistoryApplication(commit=UNSET if commit is None else commit, **_common(id, run, step))


def _container(id: str, run: Run, step: Step, commits: Commits) -> answers.DeploymentHistoryContainer:
    return answers.DeploymentHistoryContainer(**_common(id, run, step))


def _database(id: str, run: Run, step: Step, commits: Commits) -> answers.DeploymentHistoryDatabase:
    return answers.DeploymentHistoryDatabase(**_common(id, run, step))


def _job(id: str, run: Run, step: Step, commits: Commits) -> answers.DeploymentHistoryJobResponse:
    assert run.created_at is not None
    commit = history.commit_of(step.commit, commits, run.created_at)
    return answers.DeploymentHistoryJobResponse(commit=commit, **_common(id, run, step))


def _deployment(id: str, run: Run, step: Step, commits: Commits) -> answers.DeploymentHistory:
    """Applications have a shape of their own in their own history: done or failed."""
    assert run.created_at is not None
    state = service_state(run, step.service_id) or run.status
    done: Any = "SUCCESS" if state in machine.DONE else "FAILED"
    commit = history.commit_of(step.commit, commits, run.created_at)
    return answers.DeploymentHistory(**_common(id, run, step) | {"status": done}, commit=commit)


ENTRIES: dict[str, Entry] = {
    "APPLICATION": _application,
    "CONTAINER": _container,
    "DATABASE": _database,
    "JOB": _job,
}
LISTS: dict[str, tuple[Any, Entry]] = {
    "application": (answers.DeploymentHistoryPaginatedResponseList, _deployment),
    "container": (answers.ListContainerDeploymentHistoryAnswer, _container),
    "database": (answers.ListDatabaseDeploymentHistoryAnswer, _database),
    "job": (answers.ListJobDeploymentHistoryAnswer, _job),
}
"""By kind: the history of one service, and an entry of it."""


async def of_environment(app: Core, call: Call[Any]) -> answers.DeploymentHistoryEnvironmentPaginatedResponseList:
    """The deployments of an environment, newest first."""
    async with app.reading() as work:
        runs = await history.environment_page(work, call)
        commits = await history.commits_of(work, call, runs)
    results = [_environment(run, commits) for run in runs]
    return answers.DeploymentHistoryEnvironmentPaginatedResponseList(page=1, page_size=len(results), results=results)


def _environment(run: Run, commits: Commits) -> answers.DeploymentHistoryEnvironment:
    assert run.created_at is not None
    status: Any = run.status
    origin: Any = run.origin if run.origin in statuses.ORIGINS else UNSET
    by_kind: dict[str, list[Any]] = {kind: [] for kind in ENTRIES}
    for step in history.touched(run).values():
        kind = step.service_kind or "APPLICATION"
        if kind in by_kind:
            by_kind[kind].append(ENTRIES[kind](step.service_id, run, step, commits))
    return answers.DeploymentHistoryEnvironment(
        id=run.id,
        created_at=run.created_at,
        updated_at=run.ended_at or run.status_at or UNSET,
        status=status,
        origin=origin,
        triggered_by=run.triggered_by,
        applications=by_kind["APPLICATION"],
        containers=by_kind["CONTAINER"],
        databases=by_kind["DATABASE"],
        jobs=by_kind["JOB"],
        helms=[],
    )


async def of_service(app: Core, call: Call[Any], kind: str) -> Any:
    """The deployments that touched a service, newest first."""
    async with app.reading() as work:
        runs = await history.service_page(work, call)
        commits = await history.commits_of(work, call, runs)
    answer, entry = LISTS[kind]
    ended = [run for run in runs if run.ended_at is not None]
    results = [entry(run.id, run, _last(run, call.place.service_id), commits) for run in ended]
    return answer(page=1, page_size=len(results), results=results)


def _last(run: Run, service_id: str) -> Step:
    """What was done to the service last; where nothing was left to do, what would have been."""
    mine = [step for step in run.steps if step.service_id == service_id]
    return mine[-1] if mine else Step("", run.id, service_id, "", "", "", 0, "")
