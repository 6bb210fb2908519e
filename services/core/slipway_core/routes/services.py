"""Services: the same routes for every kind, and what is about all kinds."""

from collections.abc import Iterator
from functools import partial

from slipway_contracts.access import Permission
from slipway_core.api import answers, bodies
from slipway_core.handlers import git_links, services
from slipway_core.handlers.idempotency import idempotent
from slipway_core.kinds import KINDS, Kind
from slipway_http import Route

READ, MANAGE = Permission.READ, Permission.MANAGE
ENVIRONMENT = "/environment/{environmentId}"
SERVICE = "/service/{serviceId}"


def _of_kind(kind: Kind) -> Iterator[Route]:
    """What every kind has."""
    tag = f"{kind.path.capitalize()}s"
    one = f"/{kind.path}/{{{kind.param}}}"
    yield Route(
        "GET",
        f"{ENVIRONMENT}/{kind.path}",
        partial(services.of_environment, kind=kind),
        needs=READ,
        of="environment",
        returns=kind.answers,
        summary=f"List {kind.path}s",
        tag=tag,
    )
    yield Route(
        "POST",
        f"{ENVIRONMENT}/{kind.path}",
        idempotent(partial(services.create, kind=kind), f"create {kind.path}"),
        needs=MANAGE,
        of="environment",
        body=kind.create,
        returns=kind.answer,
        status=201,
        summary=f"Create a {kind.path}",
        tag=tag,
    )
    yield Route(
        "GET", one, services.get, needs=READ, of=kind.path, returns=kind.answer, summary=f"Get a {kind.path}", tag=tag
    )
    yield Route(
        "PUT",
        one,
        partial(services.edit, kind=kind),
        needs=MANAGE,
        of=kind.path,
        body=kind.edit,
        returns=kind.answer,
        summary=f"Edit a {kind.path}",
        tag=tag,
    )


def _links_of_kind(kind: Kind) -> Iterator[Route]:
    """Kinds with ports answer somewhere."""
    if "ports" not in kind.create.__struct_fields__:
        return
    yield Route(
        "GET",
        f"/{kind.path}/{{{kind.param}}}/link",
        services.links,
        needs=READ,
        of=kind.path,
        returns=answers.LinkResponseList,
        summary=f"Where a {kind.path} answers",
        tag=f"{kind.path.capitalize()}s",
    )


def _advanced_of_kind(kind: Kind) -> Iterator[Route]:
    """Advanced settings, for kinds that have some."""
    if kind.advanced_answer is None:
        return
    tag = f"{kind.path.capitalize()}s"
    one = f"/{kind.path}/{{{kind.param}}}/advancedSettings"
    yield Route(
        "GET",
        f"/default{kind.path.capitalize()}AdvancedSettings",
        partial(services.advanced_defaults, kind=kind),
        needs=Permission.SIGNED_IN,
        returns=kind.advanced_answer,
        summary=f"Advanced settings of a {kind.path} and their defaults",
        tag=tag,
    )
    yield Route(
        "GET",
        one,
        partial(services.advanced, kind=kind),
        needs=READ,
        of=kind.path,
        returns=kind.advanced_answer,
        summary=f"Get the advanced settings of a {kind.path}",
        tag=tag,
    )
    yield Route(
        "PUT",
        one,
        partial(services.edit_advanced, kind=kind),
        needs=MANAGE,
        of=kind.path,
        body=kind.advanced_body,
        returns=kind.advanced_answer,
        status=201,
        summary=f"Set the advanced settings of a {kind.path}",
        tag=tag,
    )


ROUTES: list[Route] = [
    *(route for kind in KINDS for routes in (_of_kind, _links_of_kind, _advanced_of_kind) for route in routes(kind)),
    Route(
        "GET",
        f"{ENVIRONMENT}/services",
        services.every_kind,
        needs=READ,
        of="environment",
        returns=answers.ListServicesByEnvironmentIdAnswer,
        summary="List the services of all kinds",
        tag="Services",
    ),
    Route(
        "GET",
        f"{ENVIRONMENT}/link",
        services.links_of_environment,
        needs=READ,
        of="environment",
        returns=answers.LinkResponseList,
        summary="Where the services of an environment answer",
        tag="Services",
    ),
    Route(
        "GET",
        "/organization/{organizationId}/services",
        services.of_organization,
        needs=READ,
        of="organization",
        query=bodies.ListServicesByOrganizationIdQuery,
        returns=answers.ListServicesByOrganizationIdAnswer,
        summary="List the services of an organization",
        tag="Services",
    ),
    Route(
        "GET",
        f"{SERVICE}/gitWebhookStatus",
        git_links.webhook_status,
        needs=READ,
        of="service",
        returns=answers.GitWebhookStatusResponse,
        summary="Whether pushes reach a service",
        tag="Git Link",
    ),
    Route(
        "GET",
        f"{SERVICE}/gitLink",
        git_links.get,
        needs=READ,
        of="service",
        returns=git_links.GitLinkView,
        summary="Get the webhook endpoint of a service",
        tag="Git Link",
    ),
    Route(
        "POST",
        f"{SERVICE}/gitLink/secret",
        git_links.show_secret,
        needs=MANAGE,
        of="service",
        returns=git_links.GitLinkSecret,
        summary="Show the webhook's secret, once",
        tag="Git Link",
    ),
    Route(
        "POST",
        f"{SERVICE}/gitLink/rotate",
        git_links.rotate_secret,
        needs=MANAGE,
        of="service",
        returns=git_links.GitLinkSecret,
        summary="Make a new secret for the webhook",
        tag="Git Link",
    ),
]
