"""Deploy, stop, restart, cancel; deployments, their history and states."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from slipway_contracts.access import Permission
from slipway_contracts.events import DeploymentView
from slipway_core.api import answers, bodies
from slipway_core.handlers import actions, histories, history, images, plans, rollbacks, statuses
from slipway_http import Route

READ, DEPLOY, MANAGE = Permission.READ, Permission.DEPLOY, Permission.MANAGE
KINDS = ("application", "container", "database", "job")
RESTARTABLE = ("application", "container", "database")
DEPLOYS: dict[str, tuple[Any, Any]] = {
    "application": (actions.deploy_service, actions.DeployService),
    "container": (images.deploy_container, bodies.ContainerDeployRequest),
    "database": (actions.deploy_service_as_configured, None),
    "job": (actions.deploy_service, bodies.JobDeployRequest),
}
ENVIRONMENT = "/environment/{environmentId}"


def _of_kind(kind: str) -> Iterator[Route]:
    """What can be asked of one service, by the reference's path of its kind."""
    title, parameter = kind.capitalize(), f"{kind}Id"
    path = f"/{kind}/{{{parameter}}}"
    here: dict[str, Any] = {"of": kind, "of_param": parameter}
    act: dict[str, Any] = here | {"needs": DEPLOY, "returns": answers.Status, "status": 202, "tag": f"{title} Actions"}
    deploy, body = DEPLOYS[kind]
    yield Route("POST", f"{path}/deploy", deploy, body=body, body_required=False, summary=f"Deploy {kind}", **act)
    yield Route("POST", f"{path}/redeploy", actions.redeploy_service, summary=f"Redeploy {kind}", **act)
    if kind in RESTARTABLE:
        yield Route("POST", f"{path}/restart-service", actions.restart_service, summary=f"Restart {kind}", **act)
    yield Route("POST", f"{path}/stop", actions.stop_service, summary=f"Stop {kind}", **act)
    empty: dict[str, Any] = {"body": bodies.UninstallApplicationBody, "body_required": False}
    yield Route("POST", f"{path}/uninstall", actions.uninstall_service, summary=f"Uninstall {kind}", **(act | empty))
    main = f"{title} Main Calls"
    yield Route(
        "DELETE", path, actions.delete_service, needs=MANAGE, status=204, summary=f"Delete {kind}", tag=main, **here
    )
    yield Route(
        "GET",
        f"{path}/status",
        statuses.of_service,
        needs=READ,
        returns=answers.Status,
        summary=f"Get {kind} status",
        tag=main,
        **here,
    )
    listed: dict[str, Any] = here | {"needs": READ, "query": history.Page, "tag": f"{title} Deployment History"}
    yield Route(
        "GET",
        f"{path}/deploymentHistory",
        partial(histories.of_service, kind=kind),
        returns=histories.LISTS[kind][0],
        summary=f"List {kind} deployments",
        **listed,
    )
    yield Route(
        "GET",
        f"{path}/deploymentHistoryV2",
        history.service_history_v2,
        returns=answers.DeploymentHistoryServicePaginatedResponseListV2,
        summary=f"List {kind} deployments",
        **listed,
    )
    yield Route(
        "GET",
        f"{ENVIRONMENT}/{kind}/status",
        partial(statuses.of_kind, kind=kind.upper()),
        needs=READ,
        of="environment",
        returns=answers.ReferenceObjectStatusResponseList,
        summary=f"List the statuses of all services of kind {kind}",
        tag=f"{title}s",
    )


ACT: dict[str, Any] = {"needs": DEPLOY, "of": "environment", "status": 202, "tag": "Environment Actions"}
SEE: dict[str, Any] = {"needs": READ, "of": "environment", "tag": "Environment Main Calls"}
PAST: dict[str, Any] = SEE | {"query": history.Page, "tag": "Environment Deployment History"}
STATUS = answers.EnvironmentStatus
ASKED = statuses.EnvironmentAsked
SERVICE_IDS = bodies.EnvironmentServiceIdsAllRequest

OF_ENVIRONMENT: list[Route] = [
    Route(
        "POST", f"{ENVIRONMENT}/deploy", actions.deploy_environment, returns=ASKED, summary="Deploy environment", **ACT
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/redeploy",
        actions.redeploy_environment,
        returns=STATUS,
        summary="Redeploy environment",
        **ACT,
    ),
    Route("POST", f"{ENVIRONMENT}/stop", actions.stop_environment, returns=STATUS, summary="Stop environment", **ACT),
    Route(
        "POST",
        f"{ENVIRONMENT}/cancelDeployment",
        actions.cancel_environment,
        body=bodies.CancelEnvironmentDeploymentBody,
        body_required=False,
        returns=STATUS,
        summary="Cancel environment deployment",
        **ACT,
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/service/deploy",
        images.deploy_services,
        body=bodies.DeployAllRequest,
        returns=STATUS,
        summary="Deploy services",
        **ACT,
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/service/restart-service",
        actions.restart_services,
        body=bodies.RebootServicesRequest,
        returns=ASKED,
        summary="Restart services",
        **ACT,
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/service/stop",
        actions.stop_services,
        body=SERVICE_IDS,
        summary="Stop services",
        **(ACT | {"status": 200}),
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/service/delete",
        actions.delete_services,
        body=SERVICE_IDS,
        summary="Delete services",
        **(ACT | {"status": 200, "needs": MANAGE}),
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/uninstall",
        actions.uninstall_environment,
        returns=answers.UninstallEnvironmentAnswer,
        summary="Uninstall environment",
        **ACT,
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/service/uninstall",
        actions.uninstall_services,
        body=SERVICE_IDS,
        summary="Uninstall services",
        **(ACT | {"status": 200}),
    ),
    Route(
        "DELETE",
        ENVIRONMENT,
        actions.delete_environment,
        summary="Delete an environment",
        **(SEE | {"status": 204, "needs": MANAGE}),
    ),
    Route("GET", f"{ENVIRONMENT}/status", statuses.of_environment, returns=STATUS, summary="Get status", **SEE),
    Route(
        "GET",
        f"{ENVIRONMENT}/statuses",
        statuses.of_services,
        returns=answers.EnvironmentStatuses,
        summary="Get statuses with those of the services",
        **SEE,
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/statusesWithStages",
        statuses.with_stages,
        returns=answers.EnvironmentStatusesWithStages,
        summary="Get statuses with stages",
        **SEE,
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/deploymentQueue",
        history.queue_of_environment,
        returns=answers.ListDeploymentRequestByEnvironmentIdAnswer,
        summary="List waiting deployments",
        **SEE,
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/deploymentHistory",
        histories.of_environment,
        returns=answers.DeploymentHistoryEnvironmentPaginatedResponseList,
        summary="List environment deployments",
        **PAST,
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/deploymentHistoryV2",
        history.environment_history_v2,
        returns=answers.DeploymentHistoryEnvironmentPaginatedResponseListV2,
        summary="List environment deployments with stages",
        **PAST,
    ),
]

OTHERS: list[Route] = [
    Route(
        "GET",
        "/project/{projectId}/environment/status",
        statuses.of_project,
        needs=READ,
        of="project",
        returns=answers.EnvironmentStatusList,
        summary="List environments statuses",
        tag="Environments",
    ),
    Route(
        "GET",
        "/service/{serviceId}/deploymentQueue",
        history.queue_of_service,
        needs=READ,
        of="service",
        returns=answers.ListDeploymentRequestByServiceIdAnswer,
        summary="List waiting deployments of a service",
        tag="Environment Main Calls",
    ),
    Route(
        "POST",
        "/deploymentQueue/{deploymentRequestId}/cancelDeployment",
        actions.cancel_request,
        needs=DEPLOY,
        of="deployment",
        of_param="deploymentRequestId",
        body=bodies.CancelDeploymentRequestBody,
        body_required=False,
        status=202,
        summary="Cancel deployment request",
        tag="Deployment Queue Actions",
    ),
]

OURS: list[Route] = [
    Route(
        "GET",
        "/deployment/{deploymentId}",
        history.one,
        needs=READ,
        of="deployment",
        returns=DeploymentView,
        summary="A deployment with its steps",
        tag="Deployments",
    ),
    Route(
        "POST",
        "/deployment/{deploymentId}/cancel",
        actions.cancel_deployment,
        needs=DEPLOY,
        of="deployment",
        body=actions.Cancel,
        body_required=False,
        returns=DeploymentView,
        status=202,
        summary="Cancel a deployment that waits or runs",
        tag="Deployments",
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/deployments",
        history.of_environment,
        returns=history.DeploymentList,
        summary="The deployments of an environment with their steps",
        **(PAST | {"tag": "Deployments"}),
    ),
    Route(
        "GET",
        "/service/{serviceId}/deployments",
        history.of_service,
        needs=READ,
        of="service",
        query=history.Page,
        returns=history.DeploymentList,
        summary="The deployments that touched a service",
        tag="Deployments",
    ),
    Route(
        "GET",
        "/service/{serviceId}/releases",
        history.releases,
        needs=READ,
        of="service",
        returns=history.ReleaseList,
        summary="The releases of a service that can be gone back to",
        tag="Deployments",
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/plan",
        plans.plan,
        body=plans.PlanRequest,
        body_required=False,
        returns=plans.PlanAnswer,
        summary="What a deployment would do now",
        **(SEE | {"tag": "Deployments"}),
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/rollback/plan",
        rollbacks.plan_of_environment,
        body=rollbacks.RollBack,
        returns=plans.PlanAnswer,
        summary="What going back to an earlier deployment would change",
        **(SEE | {"tag": "Deployments"}),
    ),
    Route(
        "POST",
        "/service/{serviceId}/rollback/plan",
        rollbacks.plan_of_service,
        needs=READ,
        of="service",
        body=rollbacks.RollBack,
        returns=plans.PlanAnswer,
        summary="What going back to an earlier deployment would change at a service",
        tag="Deployments",
    ),
    Route(
        "POST",
        f"{ENVIRONMENT}/rollback",
        rollbacks.environment,
        body=rollbacks.RollBack,
        returns=DeploymentView,
        summary="Put back what ran after an earlier deployment",
        **(ACT | {"tag": "Deployments"}),
    ),
    Route(
        "POST",
        "/service/{serviceId}/rollback",
        rollbacks.service,
        needs=DEPLOY,
        of="service",
        body=rollbacks.RollBack,
        returns=DeploymentView,
        status=202,
        summary="Put back what ran of a service after an earlier deployment",
        tag="Deployments",
    ),
]

ROUTES: list[Route] = [*(route for kind in KINDS for route in _of_kind(kind)), *OF_ENVIRONMENT, *OTHERS, *OURS]
