"""Variables and secrets: the same routes for every scope, and one address for all of them."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from slipway_contracts.access import Permission
from slipway_core.api import answers, bodies
from slipway_core.handlers import any_variable, variables
from slipway_core.handlers.idempotency import idempotent
from slipway_http import Route

READ, MANAGE, SIGNED_IN = Permission.READ, Permission.MANAGE, Permission.SIGNED_IN


class Sort(NamedTuple):
    """Plain variables and secrets differ in their names only."""

    secret: bool
    path: str
    param: str
    all: Any
    list: Any
    create: Any
    edit: Any
    one: Any


PLAIN = Sort(
    secret=False,
    path="environmentVariable",
    param="environmentVariableId",
    all=variables.all_variables,
    list=answers.EnvironmentVariableResponseList,
    create=bodies.EnvironmentVariableRequest,
    edit=bodies.EnvironmentVariableEditRequest,
    one=answers.EnvironmentVariable,
)
SECRET = Sort(
    secret=True,
    path="secret",
    param="secretId",
    all=variables.all_secrets,
    list=answers.SecretResponseList,
    create=bodies.SecretRequest,
    edit=bodies.SecretEditRequest,
    one=answers.Secret,
)
SCOPES = ("project", "environment", "application", "container", "job")
SERVICES = ("application", "container", "job")


def _of_scope(scope: str, sort: Sort) -> Iterator[Route]:
    what = "secret" if sort.secret else "variable"
    tag = f"{scope.capitalize()} {what.capitalize()}s"
    base = f"/{scope}/{{{scope}Id}}/{sort.path}"
    one = f"{base}/{{{sort.param}}}"
    yield Route(
        "GET", base, sort.all, needs=READ, of=scope, returns=sort.list, summary=f"List {what}s of the {scope}", tag=tag
    )
    yield Route(
        "POST",
        base,
        idempotent(partial(variables.create, secret=sort.secret), f"create {scope} {what}"),
        needs=MANAGE,
        of=scope,
        body=sort.create,
        returns=sort.one,
        status=201,
        summary=f"Create a {what} of the {scope}",
        tag=tag,
    )
    yield Route(
        "PUT",
        one,
        partial(variables.edit, secret=sort.secret),
        needs=MANAGE,
        of=scope,
        body=sort.edit,
        returns=sort.one,
        summary=f"Edit a {what} of the {scope}",
        tag=tag,
    )
    yield Route(
        "DELETE",
        one,
        partial(variables.delete, secret=sort.secret),
        needs=MANAGE,
        of=scope,
        status=204,
        summary=f"Delete a {what} of the {scope}",
        tag=tag,
    )
    for verb, handler, body in (("alias", variables.alias, bodies.Key), ("override", variables.override, bodies.Value)):
        yield Route(
            "POST",
            f"{one}/{verb}",
            idempotent(partial(handler, secret=sort.secret), f"{verb} {scope} {what}"),
            needs=MANAGE,
            of=scope,
            body=body,
            returns=sort.one,
            status=201,
            summary=f"Create an {verb} of a {what} in the {scope}",
            tag=tag,
        )


def _import(scope: str) -> Route:
    return Route(
        "POST",
        f"/{scope}/{{{scope}Id}}/environmentVariable/import",
        any_variable.import_many,
        needs=MANAGE,
        of=scope,
        body=bodies.VariableImportRequest,
        returns=answers.VariableImport,
        status=201,
        max_body_bytes=4 * 1024 * 1024,
        summary=f"Import variables for the {scope}",
        tag=f"{scope.capitalize()} Variables",
    )


ONE = "/variable/{variableId}"
ANY: list[Route] = [
    Route(
        "GET",
        "/variable",
        any_variable.all,
        needs=SIGNED_IN,
        query=bodies.ListVariablesQuery,
        returns=answers.VariableResponseList,
        summary="List what is known at a place",
        description="Needs the permission to read there.",
        tag="Variables",
    ),
    Route(
        "POST",
        "/variable",
        idempotent(any_variable.create, "createVariable"),
        needs=SIGNED_IN,
        body=bodies.VariableRequest,
        returns=answers.VariableResponse,
        status=201,
        summary="Create a variable or secret",
        description="Needs the permission to manage there.",
        tag="Variables",
    ),
    Route(
        "POST",
        "/variable/import",
        any_variable.import_by_query,
        needs=SIGNED_IN,
        query=bodies.ImportEnvironmentVariablesQuery,
        body=bodies.VariableImportRequest,
        returns=answers.VariableImport,
        status=201,
        max_body_bytes=4 * 1024 * 1024,
        summary="Import variables for a service",
        description="Needs the permission to manage there.",
        tag="Variables",
    ),
    Route(
        "PUT",
        ONE,
        any_variable.edit,
        needs=MANAGE,
        of="variable",
        body=bodies.VariableEditRequest,
        returns=answers.VariableResponse,
        summary="Edit a variable or secret",
        tag="Variables",
    ),
    Route(
        "DELETE",
        ONE,
        any_variable.delete,
        needs=MANAGE,
        of="variable",
        status=204,
        summary="Delete a variable or secret",
        tag="Variables",
    ),
    Route(
        "POST",
        f"{ONE}/alias",
        idempotent(any_variable.alias, "createVariableAlias"),
        needs=SIGNED_IN,
        body=bodies.VariableAliasRequest,
        returns=answers.VariableResponse,
        status=201,
        summary="Create an alias of a variable",
        description="Needs the permission to manage where the alias stands.",
        tag="Variables",
    ),
    Route(
        "POST",
        f"{ONE}/override",
        idempotent(any_variable.override, "createVariableOverride"),
        needs=SIGNED_IN,
        body=bodies.VariableOverrideRequest,
        returns=answers.VariableResponse,
        status=201,
        summary="Create an override of a variable",
        description="Needs the permission to manage where the override stands.",
        tag="Variables",
    ),
]
ROUTES: list[Route] = [
    *(route for scope in SCOPES for sort in (PLAIN, SECRET) for route in _of_scope(scope, sort)),
    *(_import(scope) for scope in SERVICES),
    *ANY,
]
