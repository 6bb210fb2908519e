"""What the planner needs to know of an environment, read in one transaction."""

from collections.abc import Iterable

from slipway_core import specifications
from slipway_core.app import Core, Work
from slipway_core.planner import Deployed, Desired, Kept, Request, Situation, Wish, commit_for
from slipway_core.pushes import BRANCH, repository_key
from slipway_core.stores.deployments import Ground
from slipway_core.stores.releases import Release, ServiceState
from slipway_core.stores.services import Service
from slipway_core.stores.stages import Stage
from slipway_core.stores.variables import VariableRow

LOCAL_KINDS = frozenset({"APPLICATION"})
"""Kinds that every engine can run."""


async def situation(app: Core, work: Work, ground: Ground, request: Request) -> Situation:
    """How the environment should be, and what its cluster holds, with the commits that the request means."""
    services = await work.services.of_environment(ground.environment_id)
    stages = {stage.id: stage for stage in await work.stages.all(ground.environment_id)}
    releases = await work.releases.in_place(ground.environment_id)
    states = await work.releases.states(ground.environment_id)
    heads = await _heads(work, ground, services)
    wanted = [wish.release_id for wish in request.wishes.values() if wish.release_id]
    kept = await work.releases.many(wanted) if wanted else {}
    written = await _variables(work, ground)
    domains = await work.custom_domains.of_environment(ground.environment_id)
    desired = [
        _desired(app, ground, one, stages[one.stage_id], request, heads, releases.get(one.id), written, domains)
        for one in services
    ]
    deployed = {one.id: found for one in services if (found := _deployed(one, releases, states))}
    return Situation(
        services=desired,
        deployed=deployed,
        kept={release.id: Kept(release.spec, release.artifact) for release in kept.values()},
    )


async def _heads(work: Work, ground: Ground, services: list[Service]) -> dict[tuple[str, str], str]:
    keys = {repository_key(git["url"]) for one in services if (git := specifications.git_of(one.config))}
    return await work.git_events.heads(ground.organization_id, sorted(keys)) if keys else {}


def _deployed(service: Service, releases: dict[str, Release], states: dict[str, ServiceState]) -> Deployed | None:
    if service.fence == 0:
        return None
    release, state = releases.get(service.id), states.get(service.id)
    if release is None:
        return Deployed(spec=None, variables={})
    running = state is not None and state.running
    return Deployed(spec=release.spec, variables=release.variables, artifact=release.artifact, running=running)


async def _variables(work: Work, ground: Ground) -> list[VariableRow]:
    """All that is written in the environment, its services and its project."""
    around = await work.variables.visible(ground.project_id, None, None)
    return around + await work.variables.of_environment(ground.environment_id)


def _desired(
    app: Core,
    ground: Ground,
    service: Service,
    stage: Stage,
    request: Request,
    heads: dict[tuple[str, str], str],
    release: Release | None,
    written: list[VariableRow],
    domains: dict[str, list[str]],
) -> Desired:
    wish = request.wishes.get(service.id, Wish())
    commit, problem = _commit(service, request, wish, heads, release)
    further = domains.get(service.id, [])
    spec = specifications.specification(service, commit, app.settings.workload_domain, further)
    return Desired(
        id=service.id,
        name=service.name,
        kind=service.kind,
        stage=stage.name,
        stage_position=stage.position,
        spec=spec,
        variables=digests(row for row in written if row.service_id in (None, service.id)),
        skipped=service.is_skipped,
        problem=problem or kind_problem(service, ground),
        nothing_yet=bool(problem),
    )


def _commit(
    service: Service, request: Request, wish: Wish, heads: dict[tuple[str, str], str], release: Release | None
) -> tuple[str, str]:
    """The commit to deploy, or why there is none."""
    git = specifications.git_of(service.config)
    if git is None:
        return "", ""
    branch = specifications.branch_of(git)
    head = heads.get((repository_key(git["url"]), BRANCH + branch), "")
    commit = commit_for(wish, request, head, release.commit if release is not None else "")
    if commit:
        return commit, ""
    return "", f"{service.name}: nothing was pushed to branch {branch} yet, so there is nothing to deploy"


def kind_problem(service: Service, ground: Ground) -> str:
    """Why the cluster can't run a service of this kind; empty when it can."""
    if service.kind in LOCAL_KINDS or service.kind.lower() in ground.capabilities:
        return ""
    return f"{service.name}: cluster {ground.cluster_name} can't run services of kind {service.kind}"


def digests(rows: Iterable[VariableRow]) -> dict[str, str]:
    """key → which row, at which version: tells that a variable changed without telling what it says."""
    order = {"PROJECT": 0, "ENVIRONMENT": 1, "SERVICE": 2}
    found: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: order[row.scope]):
        found[row.key] = f"{row.id}.{row.version}"
    return found
