"""What a cluster can be told beyond its name. Slipway makes no cluster yet, so most of it can only be refused.

A cluster that runs by itself has no advanced settings, routes or cloud login of ours: they are shown as they are
(empty, or the defaults), and a change that would have no effect is refused.
"""

from typing import Any

import msgspec

from slipway_contracts.places import Place
from slipway_core.api import answers, bodies
from slipway_core.api.defaults import DEFAULTS
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of
from slipway_core.handlers.clusters import Locked, mine
from slipway_core.problems import Unsupported, wrong
from slipway_core.stores.cluster_locks import ClusterLock
from slipway_errors import NotFound
from slipway_http import Call

ADVANCED: dict[str, Any] = DEFAULTS["ClusterAdvancedSettings"]


async def locks(app: Core, call: Call[None]) -> answers.ClusterLockList:
    """The locked clusters of an organization."""
    async with app.reading() as work:
        listed = await work.cluster_locks.all(call.place.organization_id)
    return answers.ClusterLockList(results=[_lock(one) for one in listed])


def _lock(one: ClusterLock) -> answers.ClusterLock:
    shown = {name: value for name, value in msgspec.structs.asdict(one).items() if value is not None}
    return msgspec.convert(shown, answers.ClusterLock)


async def lock(app: Core, call: Call[bodies.ClusterLockRequest]) -> answers.ClusterLock:
    """Keep others from changing a cluster."""
    given = msgspec.to_builtins(call.body)
    days = given.get("ttl_in_days")
    if days is not None and not 1 <= days <= 365:
        raise wrong(("$.ttl_in_days", "must be between 1 and 365"))
    async with app.work(actor_of(call)) as work:
        cluster = await mine(work, call, lock=True)
        made = await work.cluster_locks.put(cluster.id, given["reason"], work.actor.name, days)
        if made is None:
            held = found(await work.cluster_locks.get(cluster.id))
            raise Locked(f"{held.owner_name} has locked it: {held.reason}")
        await _say(work, call.place, cluster.name, cluster.version, "LOCK", {"reason": made.reason})
    return _lock(made)


async def unlock(app: Core, call: Call[None]) -> None:
    """Let others change a cluster again."""
    async with app.work(actor_of(call)) as work:
        cluster = await mine(work, call, lock=True)
        if not await work.cluster_locks.delete(cluster.id):
            raise NotFound("It is not locked.")
        await _say(work, call.place, cluster.name, cluster.version, "UNLOCK", {})


async def _say(work: Work, place: Place, name: str, version: int, event_type: str, after: dict[str, Any]) -> None:
    await work.changed(
        "cluster",
        "updated",
        place,
        id=place.cluster_id,
        name=name,
        version=version,
        after=after,
        event_type=event_type,
    )


async def advanced_defaults(app: Core, call: Call[None]) -> answers.ClusterAdvancedSettings:
    """Advanced settings of clusters that Slipway makes, with their defaults."""
    return msgspec.convert(ADVANCED, answers.ClusterAdvancedSettings)


async def advanced(app: Core, call: Call[Any]) -> answers.ClusterAdvancedSettings:
    """Those of a cluster: the defaults, as none can be changed where Slipway didn't make it."""
    async with app.reading() as work:
        await mine(work, call)
    return msgspec.convert(ADVANCED, answers.ClusterAdvancedSettings)


async def edit_advanced(app: Core, call: Call[bodies.ClusterAdvancedSettings]) -> answers.ClusterAdvancedSettings:
    """Takes the defaults; anything else would have no effect, and is refused."""
    given = msgspec.to_builtins(call.body)
    changed = [name for name, value in given.items() if name not in ADVANCED or ADVANCED[name] != value]
    if changed:
        raise wrong(*((f"$.{name}", "has no effect on a cluster that Slipway didn't make") for name in changed))
    return await advanced(app, call)


async def routes(app: Core, call: Call[None]) -> answers.ClusterRoutingTable:
    """Routes of the cluster's network that Slipway made: none."""
    async with app.reading() as work:
        await mine(work, call)
    return answers.ClusterRoutingTable(results=[])


async def edit_routes(app: Core, call: Call[bodies.ClusterRoutingTableRequest]) -> answers.ClusterRoutingTable:
    """Takes an empty table; the network of a cluster that Slipway didn't make isn't ours."""
    async with app.reading() as work:
        await mine(work, call)
    if call.body.routes:
        raise wrong(("$.routes", "Slipway didn't make this cluster's network, so it can't change it"))
    return answers.ClusterRoutingTable(results=[])


async def cloud(app: Core, call: Call[Any]) -> answers.ClusterCloudProviderInfo:
    """Where a cluster stands; it needs no login at a cloud."""
    async with app.reading() as work:
        cluster = await mine(work, call)
    vendor = str(cluster.config.get("cloud_provider", "ON_PREMISE"))
    known = vendor if vendor in ("AWS", "SCW", "GCP", "AZURE") else "ON_PREMISE"
    shown = {"cloud_provider": known, "region": str(cluster.config.get("region", ""))}
    return msgspec.convert(shown, answers.ClusterCloudProviderInfo)


async def edit_cloud(app: Core, call: Call[bodies.ClusterCloudProviderInfoRequest]) -> answers.ClusterCloudProviderInfo:
    """Takes what is so already; cloud logins have no use where Slipway doesn't make the cluster."""
    given = msgspec.to_builtins(call.body)
    now = msgspec.to_builtins(await cloud(app, call))
    changed = [name for name in given if given[name] and given[name] != now.get(name)]
    if changed:
        raise wrong(*((f"$.{name}", "can't be changed: Slipway didn't make this cluster") for name in changed))
    return msgspec.convert(now, answers.ClusterCloudProviderInfo)


async def kubeconfig(app: Core, call: Call[Any]) -> None:
    """Refused: Slipway has no way into a cluster; engines come out of it."""
    async with app.reading() as work:
        await mine(work, call)
    raise Unsupported("Slipway holds no kubeconfig: engine and agent connect from inside the cluster.")


async def logs(app: Core, call: Call[None]) -> answers.ClusterLogsResponseList:
    """What was done to make or change a cluster: nothing, as Slipway didn't make it."""
    async with app.reading() as work:
        await mine(work, call)
    return answers.ClusterLogsResponseList(results=[])
