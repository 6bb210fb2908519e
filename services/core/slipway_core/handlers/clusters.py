"""Clusters: where services run. What an engine says of itself is all that is known of one: nothing is pretended."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from slipway_contracts.access import Permission
from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core.api import answers, bodies
from slipway_core.api.forms import Answer
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of
from slipway_core.problems import InUse, Unsupported, wrong
from slipway_core.stores.clusters import Cluster
from slipway_errors import Conflict, NotFound
from slipway_http import Call, etag, require_match

ALIVE_FOR = timedelta(seconds=60)
"""Engines and agents say hello every 15 s; silence for so long means that one is away."""
NOT_YET = ("features", "keda", "secret_manager_accesses", "infrastructure_charts_parameters", "labels_groups")
"""Parts of clusters that are made by us, which we don't do yet."""


class NotConnected(Conflict):
    """No engine of this cluster is there."""

    code = "cluster.not_connected"


class Locked(Conflict):
    """The cluster is locked."""

    code = "cluster.locked"


class EngineCredentials(Answer, frozen=True, kw_only=True):
    """How one program of a cluster logs in at the bus."""

    user: str
    password: str


class ClusterLogin(Answer, frozen=True, kw_only=True):
    """How engine and agent of a cluster log in at the bus. Shown once; issuing again ends the ones before."""

    cluster_id: str
    engine: EngineCredentials
    agent: EngineCredentials


async def all(app: Core, call: Call[None]) -> answers.ClusterResponseList:
    """The clusters of an organization that the caller may see."""
    async with app.reading() as work:
        clusters = await work.clusters.all(call.place.organization_id)
    shown = [view(one, app.clock()) for one in clusters if _visible(call, one)]
    return answers.ClusterResponseList(results=shown)


def _visible(call: Call[Any], cluster: Cluster) -> bool:
    place = Place(organization_id=cluster.organization_id, cluster_id=cluster.id)
    return call.caller.may(Permission.READ, place)


async def create(app: Core, call: Call[bodies.ClusterRequest]) -> answers.Cluster:
    """Take in a cluster that runs already. Its engine and agent log in with credentials of its own."""
    given = msgspec.to_builtins(call.body)
    if given.get("kubernetes", "MANAGED") != "SELF_MANAGED":
        raise Unsupported("Clusters can't be made in a cloud yet: take in one that runs (kubernetes SELF_MANAGED).")
    _refuse_unsupported(given)
    name = given.pop("name")
    async with app.work(actor_of(call)) as work:
        cluster = await add(work, call.place.organization_id, name, "SELF_MANAGED", given)
    return view(cluster, app.clock())


def _refuse_unsupported(given: dict[str, Any]) -> None:
    if unsupported := [(f"$.{name}", "is not supported yet") for name in NOT_YET if given.get(name)]:
        raise wrong(*unsupported)
    given.pop("cloud_provider_credentials", None)


async def add(work: Work, organization_id: str, name: str, kind: str, config: dict[str, Any]) -> Cluster:
    """A new cluster; its queue of tasks is made right after the commit."""
    cluster = await work.clusters.add(uuid7(), organization_id, name, kind, config)
    await work.copies.add("clusters", [cluster.id])
    await _say(work, "created", None, cluster)
    return cluster


async def edit(app: Core, call: Call[bodies.ClusterRequest]) -> answers.Cluster:
    """Rename or describe a cluster."""
    given = msgspec.to_builtins(call.body)
    _refuse_unsupported(given)
    name = given.pop("name")
    async with app.work(actor_of(call)) as work:
        before = await mine(work, call, lock=True)
        require_match(call, before.version)
        await _refuse_locked(work, before)
        if given.get("kubernetes", "SELF_MANAGED") != "SELF_MANAGED":
            raise wrong(("$.kubernetes", "can't be changed"))
        cluster = await work.clusters.update(before.id, name, before.config | given)
        await _say(work, "updated", before, cluster)
    call.response_headers["ETag"] = etag(cluster.version)
    return view(cluster, app.clock())


async def mine(work: Work, call: Call[Any], lock: bool = False) -> Cluster:
    """The cluster of the path, which must be of the path's organization."""
    cluster = found(await work.clusters.get(call.place.cluster_id, lock))
    named = call.path.get("organizationId")
    if named is not None and named.lower() != cluster.organization_id:
        raise NotFound
    return cluster


async def _refuse_locked(work: Work, cluster: Cluster) -> None:
    held = await work.cluster_locks.get(cluster.id)
    if held is not None:
        raise Locked(f"{held.owner_name} has locked it: {held.reason}")


async def delete(app: Core, call: Call[None]) -> None:
    """Forget a cluster on which no environment stands. Its credentials end at once."""
    async with app.work(actor_of(call)) as work:
        cluster = await mine(work, call, lock=True)
        await _refuse_locked(work, cluster)
        if users := await work.clusters.used_by(cluster.id):
            raise InUse(f"The cluster {cluster.name}", [msgspec.to_builtins(user) for user in users])
        await work.clusters.delete(cluster.id)
        await work.copies.add("clusters", [cluster.id])
        await _say(work, "deleted", cluster, None)


async def issue_credentials(app: Core, call: Call[None]) -> ClusterLogin:
    """New credentials for engine and agent; those before end at once."""
    if app.accounts is None:
        raise Unsupported("Credentials of this platform's bus are issued elsewhere.")
    async with app.work(actor_of(call)) as work:
        cluster = await mine(work, call, lock=True)
        await _refuse_locked(work, cluster)
        issued = await app.accounts.issue(cluster.id)
        await work.changed(
            "cluster",
            "updated",
            call.place,
            id=cluster.id,
            name=cluster.name,
            version=cluster.version,
            after={"credentials": "changed"},
            sub_target="CLUSTER_CREDENTIALS",
        )
    return ClusterLogin(
        cluster_id=cluster.id,
        engine=EngineCredentials(user=issued.engine_user, password=issued.engine_password),
        agent=EngineCredentials(user=issued.agent_user, password=issued.agent_password),
    )


async def statuses(app: Core, call: Call[None]) -> answers.ClusterStatusResponseList:
    """What is known of each cluster's engine."""
    async with app.reading() as work:
        clusters = await work.clusters.all(call.place.organization_id)
    shown = [_status(one, app.clock()) for one in clusters if _visible(call, one)]
    return answers.ClusterStatusResponseList(results=shown)


async def status(app: Core, call: Call[None]) -> answers.ClusterStatus:
    """What is known of a cluster's engine."""
    async with app.reading() as work:
        return _status(await mine(work, call), app.clock())


async def is_ready(app: Core, call: Call[None]) -> answers.ClusterReadinessStatus:
    """Whether an engine is there to take tasks."""
    async with app.reading() as work:
        return answers.ClusterReadinessStatus(is_ready=_alive((await mine(work, call)).engine_seen_at, app.clock()))


async def deploy(app: Core, call: Call[None]) -> answers.ClusterStatus:
    """Check the installation of a cluster that is not ours to install."""
    async with app.reading() as work:
        cluster = await mine(work, call)
    missing = [
        name
        for name, seen in (("engine", cluster.engine_seen_at), ("agent", cluster.agent_seen_at))
        if not _alive(seen, app.clock())
    ]
    if missing:
        raise NotConnected(
            f"No {' and no '.join(missing)} of {cluster.name} is connected: install and start it there.",
            missing=missing,
        )
    return _status(cluster, app.clock())


async def stop(app: Core, call: Call[None]) -> answers.ClusterStatus:
    """Refused: a cluster that isn't ours to make isn't ours to stop."""
    raise Unsupported("Slipway didn't make this cluster, so it can't stop it: stop its engine and agent there.")


async def environments(app: Core, call: Call[None]) -> answers.ClusterEnvironmentResponseList:
    """What stands on a cluster."""
    async with app.reading() as work:
        placed = await work.environments.all(cluster_id=call.place.cluster_id)
        services = await work.services.search(call.place.organization_id, cluster_id=call.place.cluster_id)
    by_environment: dict[str, list[dict[str, str]]] = {}
    for one in services:
        listed = by_environment.setdefault(one.environment_id, [])
        listed.append({"id": one.id, "name": one.name, "type": one.kind})
    shown = [
        {
            "environment_id": one.id,
            "environment_name": one.name,
            "project_id": one.project_id,
            "project_name": one.project_name,
            "services": by_environment.get(one.id, []),
        }
        for one in placed
        if call.caller.may(Permission.READ, _place(one.organization_id, one.project_id, one.mode))
    ]
    return msgspec.convert({"results": shown}, answers.ClusterEnvironmentResponseList)


def _place(organization_id: str, project_id: str, mode: str) -> Place:
    return Place(organization_id=organization_id, project_id=project_id, mode=mode)


async def _say(work: Work, verb: str, before: Cluster | None, after: Cluster | None) -> None:
    cluster = after or before
    assert cluster is not None
    await work.changed(
        "cluster",
        verb,
        Place(organization_id=cluster.organization_id, cluster_id=cluster.id),
        id=cluster.id,
        name=cluster.name,
        version=cluster.version + (verb == "deleted"),
        before={"name": before.name, **before.config} if before else None,
        after={"name": after.name, **after.config} if after else None,
        body={"kind": cluster.kind},
    )


def _alive(seen_at: datetime | None, now: datetime) -> bool:
    return seen_at is not None and now - seen_at <= ALIVE_FOR


def _state(cluster: Cluster, now: datetime) -> str:
    if cluster.engine_seen_at is None:
        return "READY"
    return "DEPLOYED" if _alive(cluster.engine_seen_at, now) else "STOPPED"


def _status(cluster: Cluster, now: datetime) -> answers.ClusterStatus:
    shown = {
        "cluster_id": cluster.id,
        "status": _state(cluster, now),
        "is_deployed": _alive(cluster.engine_seen_at, now),
        "last_deployment_date": cluster.engine_seen_at,
        "reason": "UNSPECIFIED",
    }
    return msgspec.convert(shown, answers.ClusterStatus)


def view(cluster: Cluster, now: datetime) -> answers.Cluster:
    """As the public API shows it."""
    shown = {
        "region": "local",
        "cloud_provider": "ON_PREMISE",
        "kubernetes": "SELF_MANAGED",
        **cluster.config,
        "id": cluster.id,
        "created_at": cluster.created_at,
        "updated_at": cluster.updated_at,
        "organization": {"id": cluster.organization_id},
        "name": cluster.name,
        "status": _state(cluster, now),
        "has_access": _alive(cluster.engine_seen_at, now),
        "version": cluster.engine_version,
        "is_demo": cluster.kind == "LOCAL",
        "deployment_status": "NEVER_DEPLOYED" if cluster.engine_seen_at is None else "UP_TO_DATE",
    }
    return msgspec.convert(shown, answers.Cluster)
