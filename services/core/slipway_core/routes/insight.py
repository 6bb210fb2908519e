"""Environments, services and clusters at a glance: overviews, what deployments said, what only Kubernetes has."""

from typing import Any

from slipway_contracts.access import Permission
from slipway_core.api import answers, bodies
from slipway_core.handlers import insight, kubernetes
from slipway_http import Route

READ, DEPLOY, ADMIN = Permission.READ, Permission.DEPLOY, Permission.ADMIN
ENVIRONMENT = "/environment/{environmentId}"
OF_ORGANIZATION = "/organization/{organizationId}/cluster/{clusterId}"
LOGS: dict[str, Any] = {"needs": READ, "of": "environment", "tag": "Environment Logs"}
CLUSTER: dict[str, Any] = {"of": "cluster", "tag": "Clusters"}

ROUTES: list[Route] = [
    Route(
        "GET",
        "/project/{projectId}/environment/overview",
        insight.overview,
        needs=READ,
        of="project",
        returns=answers.EnvironmentOverviewResponseList,
        summary="Environments with their clusters, sizes and last deployments",
        tag="Environments",
    ),
    Route(
        "GET",
        "/organization/{organizationId}/containerRegistry/{containerRegistryId}/container/status",
        insight.of_registry,
        needs=READ,
        of="organization",
        returns=answers.ReferenceObjectStatusResponseList,
        summary="Statuses of the containers that come from a registry",
        tag="Containers",
    ),
    Route(
        "GET",
        "/{serviceType}/{serviceId}/ingressDeploymentStatus",
        insight.ingress,
        needs=READ,
        of="service",
        returns=answers.IngressDeploymentStatusResponse,
        summary="Whether requests are led to a service",
        tag="service_status",
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/log",
        insight.log,
        returns=answers.EnvironmentLogResponseList,
        summary="The newest lines of the last deployment",
        **LOGS,
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/logs",
        insight.logs,
        query=bodies.ListEnvironmentLogsQuery,
        returns=list[answers.EnvironmentLogs],
        summary="The newest lines of a deployment",
        **LOGS,
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/deploymentBuildUsageReport",
        kubernetes.build_usage,
        needs=DEPLOY,
        of="environment",
        body=bodies.DeploymentBuildUsageReportRequest,
        returns=answers.DeploymentBuildUsageReportResponse,
        status=201,
        summary="Refused: nothing measures what builds use",
        tag="Environment Deployment History",
    ),
    Route(
        "GET",
        "/cluster/{clusterId}/events",
        kubernetes.events,
        needs=READ,
        query=bodies.GetClusterKubernetesEventsQuery,
        returns=answers.GetClusterKubernetesEventsAnswer,
        summary="List the Kubernetes events of a cluster",
        **CLUSTER,
    ),
    Route(
        "GET",
        "/cluster/{clusterId}/logs",
        kubernetes.logs,
        needs=READ,
        query=bodies.GetClusterLogsQuery,
        returns=answers.ClusterLogsResponse,
        summary="Refused where a cluster has no store of logs",
        **CLUSTER,
    ),
    Route(
        "GET",
        "/cluster/{clusterId}/metrics",
        kubernetes.metrics,
        needs=READ,
        query=bodies.GetClusterMetricsQuery,
        returns=answers.ClusterMetricsResponse,
        summary="Refused where a cluster has no store of metrics",
        **CLUSTER,
    ),
    Route(
        "GET",
        f"{OF_ORGANIZATION}/installationHelmValues",
        kubernetes.helm_values,
        needs=ADMIN,
        summary="Refused: there is no chart to install a cluster with",
        **CLUSTER,
    ),
    Route(
        "PUT",
        f"{OF_ORGANIZATION}/kubeconfig",
        kubernetes.edit_kubeconfig,
        needs=ADMIN,
        summary="Refused: Slipway holds no kubeconfig",
        **CLUSTER,
    ),
]
