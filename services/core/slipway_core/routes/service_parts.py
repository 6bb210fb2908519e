"""Parts of services: clones, domains, restrictions, network, logs, commits; for the kinds that have them."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from slipway_contracts.access import Permission
from slipway_core.api import answers, bodies
from slipway_core.handlers import clones, domains, facts, reading_back, restrictions
from slipway_core.handlers.idempotency import idempotent
from slipway_core.kinds import APPLICATION, CONTAINER, JOB, KINDS, Kind
from slipway_http import Route

READ, MANAGE = Permission.READ, Permission.MANAGE
NETWORKS: dict[str, tuple[Any, Any]] = {
    "application": (answers.ApplicationNetwork, bodies.ApplicationNetworkRequest),
    "container": (answers.ContainerNetwork, bodies.ContainerNetworkRequest),
}
RESTRICTED: dict[str, tuple[Any, Any, Any]] = {
    "application": (
        answers.ApplicationDeploymentRestriction,
        answers.ApplicationDeploymentRestrictionResponseList,
        bodies.ApplicationDeploymentRestrictionRequest,
    ),
    "job": (
        answers.JobDeploymentRestrictionResponse,
        answers.JobDeploymentRestrictionResponseList,
        bodies.JobDeploymentRestrictionRequest,
    ),
}


def _one(kind: Kind) -> str:
    return f"/{kind.path}/{{{kind.param}}}"


def _clone(kind: Kind) -> Route:
    return Route(
        "POST",
        f"{_one(kind)}/clone",
        idempotent(partial(clones.service, kind=kind), f"clone {kind.path}"),
        needs=MANAGE,
        of=kind.path,
        body=bodies.CloneServiceRequest,
        returns=kind.answer,
        status=202,
        summary=f"Clone a {kind.path}",
        tag=f"{kind.path.capitalize()}s",
    )


def _domains(kind: Kind) -> Iterator[Route]:
    base = f"{_one(kind)}/customDomain"
    one = f"{base}/{{customDomainId}}"
    here: dict[str, Any] = {"of": kind.path, "tag": f"{kind.path.capitalize()} Custom Domain"}
    body: dict[str, Any] = {"body": bodies.CustomDomainRequest, "returns": answers.CustomDomain}
    yield Route(
        "GET",
        base,
        domains.all,
        needs=READ,
        returns=answers.CustomDomainResponseList,
        summary="List custom domains",
        **here,
    )
    yield Route(
        "POST",
        base,
        idempotent(domains.create, f"create domain of {kind.path}"),
        needs=MANAGE,
        status=201,
        summary="Create a custom domain",
        **body,
        **here,
    )
    yield Route("PUT", one, domains.edit, needs=MANAGE, summary="Edit a custom domain", **body, **here)
    yield Route("DELETE", one, domains.delete, needs=MANAGE, status=204, summary="Delete a custom domain", **here)
    yield Route(
        "GET",
        f"{one}/status",
        domains.status,
        needs=READ,
        returns=answers.CustomDomain,
        summary="Get a custom domain",
        **here,
    )
    yield Route(
        "GET",
        f"{_one(kind)}/checkCustomDomain",
        domains.check,
        needs=READ,
        returns=answers.CheckedCustomDomainsResponse,
        summary="Whether each custom domain leads here",
        **here,
    )


def _restrictions(kind: Kind) -> Iterator[Route]:
    answer, listed, body = RESTRICTED[kind.path]
    base = f"{_one(kind)}/deploymentRestriction"
    one = f"{base}/{{deploymentRestrictionId}}"
    here: dict[str, Any] = {"of": kind.path, "tag": f"{kind.path.capitalize()} Deployment Restriction"}
    yield Route(
        "GET",
        base,
        partial(restrictions.all, kind=kind.path),
        needs=READ,
        returns=listed,
        summary="List the paths that make it deploy",
        **here,
    )
    yield Route(
        "POST",
        base,
        idempotent(partial(restrictions.create, kind=kind.path), f"restrict {kind.path}"),
        needs=MANAGE,
        body=body,
        returns=answer,
        status=201,
        summary="Create a restriction",
        **here,
    )
    yield Route(
        "PUT",
        one,
        partial(restrictions.edit, kind=kind.path),
        needs=MANAGE,
        body=body,
        returns=answer,
        summary="Edit a restriction",
        **here,
    )
    yield Route("DELETE", one, restrictions.delete, needs=MANAGE, status=204, summary="Delete a restriction", **here)


def _network(kind: Kind) -> Iterator[Route]:
    answer, body = NETWORKS[kind.path]
    path = f"{_one(kind)}/network"
    here: dict[str, Any] = {"of": kind.path, "returns": answer, "tag": f"{kind.path.capitalize()} Configuration"}
    yield Route(
        "GET", path, partial(facts.network, returns=answer), needs=READ, summary="How requests are spread", **here
    )
    yield Route(
        "PUT",
        path,
        partial(facts.edit_network, returns=answer),
        needs=MANAGE,
        body=body,
        status=201,
        summary="Change how requests are spread",
        **here,
    )


def _log(kind: Kind) -> Route:
    return Route(
        "GET",
        f"{_one(kind)}/log",
        reading_back.log,
        needs=READ,
        of=kind.path,
        returns=answers.LogResponseList,
        summary="The newest lines of the last hour",
        tag=f"{kind.path.capitalize()} Logs",
    )


def _commits(kind: Kind) -> Route:
    return Route(
        "GET",
        f"{_one(kind)}/commit",
        reading_back.commits,
        needs=READ,
        of=kind.path,
        returns=answers.CommitResponseList,
        summary="The newest commits that pushes told of",
        tag=f"{kind.path.capitalize()} Main Calls",
    )


ROUTES: list[Route] = [
    *(_clone(kind) for kind in KINDS),
    *(route for kind in (APPLICATION, CONTAINER) for parts in (_domains, _network) for route in parts(kind)),
    *(route for kind in (APPLICATION, JOB) for route in _restrictions(kind)),
    *(_log(kind) for kind in (APPLICATION, CONTAINER)),
    *(_commits(kind) for kind in (APPLICATION, JOB)),
    Route(
        "GET",
        "/application/{applicationId}/contributor",
        reading_back.contributors,
        needs=READ,
        of="application",
        returns=answers.UserResponseList,
        summary="Who wrote the newest commits",
        tag="Application Main Calls",
    ),
    Route(
        "GET",
        "/database/{databaseId}/version",
        facts.database_versions,
        needs=READ,
        of="database",
        returns=answers.VersionResponseList,
        summary="The versions that a database can have",
        tag="Database Main Calls",
    ),
    Route(
        "GET",
        "/environment/{environmentId}/databaseConfiguration",
        facts.database_configurations,
        needs=READ,
        of="environment",
        returns=answers.DatabaseConfigurationResponseList,
        summary="The databases that can be made",
        tag="Databases",
    ),
    Route(
        "POST",
        "/service/{serviceId}/gitWebhook/sync",
        facts.sync_webhook,
        needs=MANAGE,
        of="service",
        returns=answers.GitWebhookStatusResponse,
        summary="Put the webhook right",
        tag="Git Link",
    ),
    Route(
        "POST",
        "/environment/{environmentId}/clone",
        idempotent(clones.environment, "clone environment"),
        needs=MANAGE,
        of="environment",
        body=bodies.CloneEnvironmentRequest,
        returns=answers.Environment,
        status=202,
        summary="Clone an environment with everything in it",
        tag="Environments",
    ),
]
