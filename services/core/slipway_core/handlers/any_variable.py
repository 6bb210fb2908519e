"""Variables by one address for all scopes (`/variable`), and the import of many at once."""

from typing import Any

import msgspec

from slipway_contracts.access import Permission
from slipway_contracts.places import Place
from slipway_core.api import answers, bodies
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.handlers import variable_views as views
from slipway_core.handlers import variables
from slipway_core.handlers.effective import visible
from slipway_core.problems import wrong
from slipway_core.stores.variables import VariableRow
from slipway_errors import Forbidden
from slipway_http import Call

SCOPES = {
    "PROJECT": "project",
    "ENVIRONMENT": "environment",
    "APPLICATION": "application",
    "CONTAINER": "container",
    "JOB": "job",
}
"""Scopes of the reference → what is located by their parent's id."""


async def _parent(call: Call[Any], scope: str, id: str, permission: Permission, path: str) -> Place:
    if scope not in SCOPES:
        raise wrong((path, f"must be one of {', '.join(SCOPES)}"))
    return await call.locate(SCOPES[scope], id.lower(), permission)


async def all(app: Core, call: Call[None]) -> answers.VariableResponseList:
    """What is known at a place: variables, secrets without their values, or both."""
    asked = msgspec.to_builtins(call.query)
    place = await _parent(call, asked["scope"], asked["parent_id"], Permission.READ, "$.scope")
    wanted = asked.get("is_secret")
    async with app.reading() as work:
        rows = await visible(app, work, place)
        shown = await views.beside(work, place, rows)
    listed = [views.either(row, shown) for row in rows if wanted is None or row.is_secret == wanted]
    return answers.VariableResponseList(results=listed)


async def create(app: Core, call: Call[bodies.VariableRequest]) -> answers.VariableResponse:
    """A new variable or secret at a place that the body names."""
    given = msgspec.to_builtins(call.body)
    _refuse_secret_manager(given)
    place = await _parent(
        call, given["variable_scope"], given["variable_parent_id"], Permission.MANAGE, "$.variable_scope"
    )
    async with app.work(actor_of(call)) as work:
        row = await variables.add(app, work, place, given, given["is_secret"])
        return await _view(app, work, place, row)


def _refuse_secret_manager(given: dict[str, Any]) -> None:
    if given.get("secret_manager_access_id"):
        raise wrong(("$.secret_manager_access_id", "secret managers are not supported yet"))


async def edit(app: Core, call: Call[bodies.VariableEditRequest]) -> answers.VariableResponse:
    """Change a variable or secret."""
    given = msgspec.to_builtins(call.body)
    _refuse_secret_manager(given)
    async with app.work(actor_of(call)) as work:
        before = found(await work.variables.get(id_in(call, "variableId"), lock=True))
        row = await variables.change(app, work, call.place, before, given)
        return await _view(app, work, call.place, row)


async def delete(app: Core, call: Call[None]) -> None:
    """Remove a variable or secret that nothing needs."""
    async with app.work(actor_of(call)) as work:
        row = found(await work.variables.get(id_in(call, "variableId"), lock=True))
        await variables.remove(app, work, call.place, row)


async def alias(app: Core, call: Call[bodies.VariableAliasRequest]) -> answers.VariableResponse:
    """Another name for a variable, at a place that the body names."""
    given = msgspec.to_builtins(call.body)
    place = await _parent(call, given["alias_scope"], given["alias_parent_id"], Permission.MANAGE, "$.alias_scope")
    async with app.work(actor_of(call)) as work:
        row = await variables.add_alias(app, work, place, id_in(call, "variableId"), given)
        return await _view(app, work, place, row)


async def override(app: Core, call: Call[bodies.VariableOverrideRequest]) -> answers.VariableResponse:
    """Another value for a variable, at a place that the body names."""
    given = msgspec.to_builtins(call.body)
    place = await _parent(
        call, given["override_scope"], given["override_parent_id"], Permission.MANAGE, "$.override_scope"
    )
    async with app.work(actor_of(call)) as work:
        row = await variables.add_override(app, work, place, id_in(call, "variableId"), given)
        return await _view(app, work, place, row)


async def _view(app: Core, work: Work, place: Place, row: VariableRow) -> answers.VariableResponse:
    return views.either(row, await views.beside(work, place, await visible(app, work, place)))


async def import_by_query(app: Core, call: Call[bodies.VariableImportRequest]) -> answers.VariableImport:
    """Take in many variables for a service that the query names."""
    asked = msgspec.to_builtins(call.query)
    place = await _parent(call, asked["service_type"], asked["service_id"], Permission.MANAGE, "$.service_type")
    return await _import(app, call, place)


async def import_many(app: Core, call: Call[bodies.VariableImportRequest]) -> answers.VariableImport:
    """Take in many variables for a service, each into its own scope, or none of them."""
    return await _import(app, call, call.place)


async def _import(app: Core, call: Call[bodies.VariableImportRequest], place: Place) -> answers.VariableImport:
    given = msgspec.to_builtins(call.body)
    taken: list[dict[str, Any]] = []
    async with app.work(actor_of(call)) as work:
        service = found(await work.services.get(place.service_id))
        for n, one in enumerate(given["vars"]):
            variables.check_key(one["name"], f"$.vars[{n}].name")
            there = _scope_of(call, place, service.kind, one["scope"], f"$.vars[{n}].scope")
            if await _take_in(app, work, there, one, given["overwrite"]):
                taken.append(one)
    shown = [{k: v for k, v in one.items() if k != "value" or not one["is_secret"]} for one in taken]
    answer = {"total_variables_to_import": len(given["vars"]), "successful_imported_variables": shown}
    return msgspec.convert(answer, answers.VariableImport)


def _scope_of(call: Call[Any], place: Place, kind: str, scope: str, path: str) -> Place:
    """The place of one imported variable; the caller must be allowed to write there."""
    there = place
    if scope == "ENVIRONMENT":
        there = msgspec.structs.replace(place, service_id="")
    elif scope == "PROJECT":
        there = Place(organization_id=place.organization_id, project_id=place.project_id)
    elif scope != kind:
        raise wrong((path, f"must be PROJECT, ENVIRONMENT or {kind}"))
    if not call.caller.may(Permission.MANAGE, there):
        raise Forbidden(f"This needs the permission `manage` in the whole {scope.lower()}.")
    return there


async def _take_in(app: Core, work: Work, place: Place, one: dict[str, Any], overwrite: bool) -> bool:
    """Write one imported variable; False when it is there already and is to stay."""
    fields = {"key": one["name"], "value": one["value"]}
    there = await _written(work, place, one["name"])
    if there is None:
        await variables.add(app, work, place, fields, one["is_secret"])
        return True
    if not overwrite:
        return False
    if there.is_secret != one["is_secret"] or there.type in ("ALIAS", "FILE"):
        await variables.remove(app, work, place, there)
        await variables.add(app, work, place, fields, one["is_secret"])
    else:
        await variables.change(app, work, place, there, fields)
    return True


async def _written(work: Work, place: Place, key: str) -> VariableRow | None:
    """What is written under a key exactly here."""
    here = place.service_id or place.environment_id or place.project_id
    rows = await work.variables.visible(place.project_id, place.environment_id or None, place.service_id or None)
    return next(
        (row for row in rows if row.key == key and (row.service_id or row.environment_id or row.project_id) == here),
        None,
    )
