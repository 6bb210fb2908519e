"""What the planner needs to know of an environment, read in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from slipway_core import specifications
from slipway_core.app import Core, Work
from slipway_core.handlers import snapshots
from slipway_core.planner import Deployed, Desired, Request, Situation, Wish, commit_for
from slipway_core.pushes import BRANCH, repository_key
from slipway_core.stores.deployments import Ground
from slipway_core.stores.releases import Release, ServiceState
from slipway_core.stores.services import Service
from slipway_core.stores.stages import Stage
from slipway_core.stores.variables import VariableRow

LOCAL_KINDS = frozenset({"APPLICATION"})
"""Kinds that every engine can run."""


@dataclass(frozen=True)
class _Around:
    """What is known of several environments, by environment or service."""

    services: dict[str, list[Service]]
    stages: dict[str, Stage]
    releases: dict[str, Release]
    states: dict[str, ServiceState]
    heads: dict[tuple[str, str], str]
    written: dict[str, list[VariableRow]]
    """Project, environment or service → what is written just there."""
    domains: dict[str, list[str]]
    giving: frozenset[str]
    """Jobs that have left something for others."""


async def situation(app: Core, work: Work, ground: Ground, request: Request) -> Situation:
    """How the environment should be, and what its cluster holds, with the commits that the request means."""
    found = (await situations(app, work, [ground], request))[ground.environment_id]
    now = {one.id: one.variables for one in found.services}
    return replace(found, kept=await snapshots.kept(app, work, request, now))


async def situations(app: Core, work: Work, grounds: Sequence[Ground], request: Request) -> dict[str, Situation]:
    """The same for several environments of one organization, in as many statements as for one."""
    around = await _around(work, grounds, request)
    return {ground.environment_id: _situation(app, ground, request, around) for ground in grounds}


async def _around(work: Work, grounds: Sequence[Ground], request: Request) -> _Around:
    ids = [ground.environment_id for ground in grounds]
    services: dict[str, list[Service]] = {id: [] for id in ids}
    for one in await work.services.of_environments(ids):
        services[one.environment_id].append(one)
    written: dict[str, list[VariableRow]] = {}
    for row in await work.variables.versions({ground.project_id for ground in grounds}, ids):
        written.setdefault(row.service_id or row.environment_id or row.project_id or "", []).append(row)
    return _Around(
        services=services,
        stages={stage.id: stage for stage in await work.stages.all(*ids)},
        releases=await work.releases.in_place(*ids),
        states=await work.releases.states(*ids),
        heads=await _heads(work, grounds, [one for listed in services.values() for one in listed]),
        written=written,
        domains=await work.custom_domains.of_environments(ids),
        giving=await work.job_outputs.giving(ids),
    )


def _situation(app: Core, ground: Ground, request: Request, around: _Around) -> Situation:
    services = around.services[ground.environment_id]
    found = {one.id: _deployed(one, around.releases, around.states) for one in services}
    return Situation(
        services=[_desired(app, ground, one, request, around) for one in services],
        deployed={id: deployed for id, deployed in found.items() if deployed is not None},
    )


async def _heads(work: Work, grounds: Sequence[Ground], services: list[Service]) -> dict[tuple[str, str], str]:
    keys = {repository_key(git["url"]) for one in services if (git := specifications.git_of(one.config))}
    return await work.git_events.heads(grounds[0].organization_id, sorted(keys)) if keys else {}


def _deployed(service: Service, releases: dict[str, Release], states: dict[str, ServiceState]) -> Deployed | None:
    if service.fence == 0:
        return None
    release, state = releases.get(service.id), states.get(service.id)
    if release is None:
        return Deployed(spec=None, variables={})
    running = state is not None and state.running
    return Deployed(spec=release.spec, variables=release.variables, artifact=release.artifact, running=running)


def _desired(app: Core, ground: Ground, service: Service, request: Request, around: _Around) -> Desired:
    wish = request.wishes.get(service.id, Wish())
    commit, problem = _commit(ground, service, request, wish, around.heads, around.releases.get(service.id))
    further = around.domains.get(service.id, [])
    stage = around.stages[service.stage_id]
    # A database reads no variables, so a change of them must not stop it.
    reads = service.kind != "DATABASE"
    places = (ground.project_id, ground.environment_id, service.id) if reads else ()
    return Desired(
        id=service.id,
        name=service.name,
        kind=service.kind,
        stage=stage.name,
        stage_position=stage.position,
        spec=specifications.specification(service, commit, app.settings.workload_domain, further),
        variables=digests(row for place in places for row in around.written.get(place, [])),
        skipped=service.is_skipped,
        problem=problem or kind_problem(service, ground),
        nothing_yet=bool(problem),
        gives_outputs=service.id in around.giving,
    )


def _commit(
    ground: Ground,
    service: Service,
    request: Request,
    wish: Wish,
    heads: dict[tuple[str, str], str],
    release: Release | None,
) -> tuple[str, str]:
    """The commit to deploy, or why there is none."""
    git = specifications.git_of(service.config)
    if git is None:
        return "", ""
    branch = specifications.branch_of(git)
    head = heads.get((repository_key(git["url"]), BRANCH + branch), "")
    if ground.fork_url == git["url"]:
        # Whatever its branch says by now: what is newer has to be approved first.
        head = ground.fork_head or ""
    commit = commit_for(wish, request, head, release.commit if release is not None else "")
    if commit:
        return commit, ""
    return "", f"{service.name}: nothing was pushed to branch {branch} yet, so there is nothing to deploy"


def kind_problem(service: Service, ground: Ground) -> str:
    """Why the cluster can't run a service of this kind; empty when it can."""
    if service.kind == "JOB" and (service.config.get("schedule") or {}).get("cronjob"):
        return f"{service.name}: cron jobs are not run yet; lifecycle jobs are"
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
