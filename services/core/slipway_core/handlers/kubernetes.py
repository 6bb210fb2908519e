"""What only Kubernetes has: its events, the stores of logs and metrics beside it, chart values, a kubeconfig.

No cluster here is made or looked into by Slipway with Kubernetes' own tools. Lists are empty because nothing of the
sort runs there; what would need a part that isn't there is refused, and the refusal names that part.
"""

from datetime import datetime

from slipway_core.api import answers, bodies
from slipway_core.app import Core
from slipway_core.handlers.clusters import mine
from slipway_core.problems import Unsupported, wrong
from slipway_core.stores.clusters import Cluster
from slipway_http import Call


async def events(app: Core, call: Call[None]) -> answers.GetClusterKubernetesEventsAnswer:
    """The Kubernetes events of a cluster within a time: none, as no engine reports any."""
    errors = [
        (f"$.{name}", "must be a time such as 2026-03-03T09:00:00Z (a + is written %2B)")
        for name in ("from_date_time", "to_date_time")
        if not _is_time(getattr(call.query, name))
    ]
    if errors:
        raise wrong(*errors)
    await _cluster(app, call)
    return answers.GetClusterKubernetesEventsAnswer(results=[])


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


async def _cluster(app: Core, call: Call[None]) -> Cluster:
    async with app.reading() as work:
        return await mine(work, call)


async def logs(app: Core, call: Call[None]) -> answers.ClusterLogsResponse:
    """Refused: a cluster has no store of logs that could be queried."""
    cluster = await _cluster(app, call)
    raise Unsupported(
        f"Cluster {cluster.name} has no Loki that could be asked: read a service's lines at /connection/websocket, "
        "channel logs:<service id>.",
        missing=["loki"],
    )


async def metrics(app: Core, call: Call[None]) -> answers.ClusterMetricsResponse:
    """Refused: a cluster has no store of metrics that could be queried."""
    cluster = await _cluster(app, call)
    raise Unsupported(
        f"Cluster {cluster.name} has no Prometheus that could be asked: read a service's figures at "
        "/connection/websocket, channel metrics:<service id>.",
        missing=["prometheus"],
    )


async def helm_values(app: Core, call: Call[None]) -> None:
    """Refused: engine and agent aren't installed by a chart."""
    cluster = await _cluster(app, call)
    raise Unsupported(
        f"There is no chart yet that would install engine and agent of {cluster.name}: start them with the "
        f"credentials of POST /api/cluster/{cluster.id}/credentials.",
        missing=["chart"],
    )


async def edit_kubeconfig(app: Core, call: Call[None]) -> None:
    """Refused: Slipway never connects to a cluster, so a kubeconfig would be kept for nothing."""
    cluster = await _cluster(app, call)
    raise Unsupported(
        f"Slipway keeps no kubeconfig of {cluster.name}: engine and agent connect from inside the cluster.",
        missing=["kubernetes driver"],
    )


async def build_usage(
    app: Core, call: Call[bodies.DeploymentBuildUsageReportRequest]
) -> answers.DeploymentBuildUsageReportResponse:
    """Refused for deployments that there are: nothing measures what a build uses."""
    if call.body.report_expiration_in_seconds <= 0:
        raise wrong(("$.report_expiration_in_seconds", "must be more than 0"))
    async with app.reading() as work:
        run = await work.deployments.named(call.place.environment_id, call.body.execution_id)
        ground = await work.deployments.ground(call.place.environment_id)
    if run is None or ground is None:
        raise wrong(("$.execution_id", "is no deployment of this environment"))
    raise Unsupported(
        f"Nothing on cluster {ground.cluster_name} measures what builds use, so there is no report of deployment "
        f"{run.number}: how long its builds took is in its status.",
        missing=["grafana"],
    )
