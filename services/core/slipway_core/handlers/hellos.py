"""Engines and agents say hello: which version they are, what they can do, what to seal their secrets for.

The cluster is the one whose account the message came from; what the message itself says of it must be the same.
"""

import structlog

from slipway_bus import subject_ids
from slipway_contracts.places import Place
from slipway_contracts.tasks import ClusterReport, Hello
from slipway_core.app import Actor, Core, Work
from slipway_core.handlers.clusters import ALIVE_FOR
from slipway_core.stores.clusters import Cluster

KEY_BYTES = 32
log = structlog.get_logger()


async def said(app: Core, message: ClusterReport) -> None:
    """Note who is there; tell it when something changed."""
    hello = message.hello
    if hello is None:
        return
    cluster_id = subject_ids()["cluster_id"]
    if hello.cluster_id != cluster_id:
        log.warning("hello under another name", cluster_id=cluster_id, said=hello.cluster_id)
        return
    async with app.work(Actor(name=f"{hello.sender} {hello.instance_id}"[:100])) as work:
        cluster = await work.clusters.get(cluster_id, lock=True)
        if cluster is not None:
            await _note(work, cluster, hello)


async def _note(work: Work, cluster: Cluster, hello: Hello) -> None:
    at = min(hello.at, work.now)
    if hello.sender == "agent":
        back = cluster.agent_seen_at is None or at - cluster.agent_seen_at > ALIVE_FOR
        news = back or cluster.agent_version != hello.version
        await work.clusters.agent_seen(cluster.id, hello.version, at, news)
    else:
        if len(hello.public_key) != KEY_BYTES:
            log.warning("hello without a key", cluster_id=cluster.id)
            return
        back = cluster.engine_seen_at is None or at - cluster.engine_seen_at > ALIVE_FOR
        new_key = cluster.public_key != hello.public_key
        news = back or new_key or cluster.engine_version != hello.version
        await work.clusters.engine_seen(cluster.id, hello.version, hello.capabilities, hello.public_key, at, news)
    if news:
        await _say(work, cluster, hello)


async def _say(work: Work, cluster: Cluster, hello: Hello) -> None:
    said = {"sender": hello.sender, "version": hello.version, "capabilities": hello.capabilities}
    if hello.sender == "engine" and cluster.public_key not in (None, hello.public_key):
        said["key"] = "changed"
    await work.changed(
        "cluster",
        "updated",
        Place(organization_id=cluster.organization_id, cluster_id=cluster.id),
        id=cluster.id,
        name=cluster.name,
        version=cluster.version + 1,
        after=said,
        body={"kind": cluster.kind, "hello": said},
    )
