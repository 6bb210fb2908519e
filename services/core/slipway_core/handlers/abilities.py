"""Which cluster can run which kind of service: asked when a service is created, so that nobody waits in vain."""

from slipway_contracts.places import Place
from slipway_core.app import Work, found
from slipway_core.handlers.situations import LOCAL_KINDS
from slipway_core.problems import Unsupported
from slipway_core.stores.clusters import Cluster


async def check(work: Work, place: Place, kind: str) -> None:
    """Refuse a kind that the environment's cluster can't run. A cluster that was never heard of may be able to."""
    environment = found(await work.environments.get(place.environment_id))
    clusters = await work.clusters.all(place.organization_id)
    own = next((one for one in clusters if one.id == environment.cluster_id), None)
    if own is None or own.engine_seen_at is None or _can(own, kind):
        return
    able = [one.name for one in clusters if _can(one, kind)]
    others = f"These clusters can: {', '.join(able)}." if able else "No cluster of this organization can."
    raise Unsupported(f"Cluster {own.name} can't run services of kind {kind}. {others}", clusters=able)


def _can(cluster: Cluster, kind: str) -> bool:
    return kind in LOCAL_KINDS or kind.lower() in cluster.capabilities
