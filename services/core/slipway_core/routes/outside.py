"""Logins outside: container registries, Git tokens, cloud credentials; the same routes for each sort."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from slipway_contracts.access import Permission
from slipway_core.api import answers, bodies
from slipway_core.handlers import outside
from slipway_http import Route

READ, ADMIN, SIGNED_IN = Permission.READ, Permission.ADMIN, Permission.SIGNED_IN
ORGANIZATION = "/organization/{organizationId}"


class Sort(NamedTuple):
    """What tells one sort's routes from another's."""

    sort: str
    path: str
    what: str
    tag: str
    body: Any
    one: Any
    list: Any
    users: Any = None
    kind: str = ""


def _credentials(cloud: str, body: Any) -> Sort:
    return Sort(
        sort=outside.CREDENTIALS,
        path=f"{cloud}/credentials",
        what=f"{cloud} credentials",
        tag="Cloud Provider Credentials",
        body=body,
        one=answers.ClusterCredentials,
        list=answers.ClusterCredentialsResponseList,
        kind=cloud,
    )


SORTS = (
    Sort(
        sort=outside.REGISTRY,
        path="containerRegistry",
        what="container registry",
        tag="Container Registries",
        body=bodies.ContainerRegistryRequest,
        one=answers.ContainerRegistryResponse,
        list=answers.ContainerRegistryResponseList,
        users=answers.ContainerRegistryAssociatedServicesResponseList,
    ),
    Sort(
        sort=outside.GIT_TOKEN,
        path="gitToken",
        what="Git token",
        tag="Git Tokens",
        body=bodies.GitTokenRequest,
        one=answers.GitTokenResponse,
        list=answers.GitTokenResponseList,
        users=answers.GitTokenAssociatedServicesResponseList,
    ),
    _credentials("aws", bodies.AwsCredentialsRequest),
    _credentials("azure", bodies.AzureCredentialsRequest),
    _credentials("gcp", bodies.GcpCredentialsRequest),
    _credentials("scaleway", bodies.ScalewayCredentialsRequest),
    _credentials("onPremise", bodies.OnPremiseCredentialsRequest),
)


def _of_sort(sort: Sort) -> Iterator[Route]:
    base = f"{ORGANIZATION}/{sort.path}"
    one = f"{base}/{{{outside.PARAMS[sort.sort]}}}"
    here: dict[str, Any] = {"of": "organization", "tag": sort.tag}
    yield Route(
        "GET",
        base,
        partial(outside.all, sort=sort.sort, kind=sort.kind or None),
        needs=READ,
        returns=sort.list,
        summary=f"List: {sort.what}",
        **here,
    )
    yield Route(
        "POST",
        base,
        partial(outside.create, sort=sort.sort, kind=sort.kind),
        needs=ADMIN,
        body=sort.body,
        returns=sort.one,
        status=201,
        summary=f"Create: {sort.what}",
        **here,
    )
    yield Route(
        "GET",
        one,
        partial(outside.get, sort=sort.sort),
        needs=READ,
        returns=sort.one,
        summary=f"Get: {sort.what}",
        **here,
    )
    yield Route(
        "PUT",
        one,
        partial(outside.edit, sort=sort.sort, kind=sort.kind),
        needs=ADMIN,
        body=sort.body,
        returns=sort.one,
        summary=f"Edit: {sort.what}",
        **here,
    )
    yield Route(
        "DELETE",
        one,
        partial(outside.delete, sort=sort.sort),
        needs=ADMIN,
        status=204,
        summary=f"Delete: {sort.what}",
        **here,
    )
    if sort.users is not None:
        yield Route(
            "GET",
            f"{one}/associatedServices",
            partial(outside.users, sort=sort.sort),
            needs=READ,
            returns=sort.users,
            summary=f"Which services use it: {sort.what}",
            **here,
        )


ROUTES: list[Route] = [
    *(route for sort in SORTS for route in _of_sort(sort)),
    Route(
        "GET",
        f"{ORGANIZATION}/credentials",
        outside.every_credential,
        needs=READ,
        of="organization",
        returns=answers.OrganizationCrendentialsResponseList,
        summary="List the credentials of all clouds",
        tag="Cloud Provider Credentials",
    ),
    Route(
        "GET",
        "/availableContainerRegistry",
        outside.available_registries,
        needs=SIGNED_IN,
        returns=answers.AvailableContainerRegistryResponseList,
        summary="List the kinds of registry",
        tag="Container Registries",
    ),
]
