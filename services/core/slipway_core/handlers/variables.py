"""Variables and secrets of projects, environments and services: one implementation for all scopes.

The scope is where the request's place stands. Whatever is written is checked first: a name that leads to nothing, or in
a circle, is refused with its path; what others need can't be taken away.
"""

import re
from typing import Any, TypeAlias

import msgspec

from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core import variables
from slipway_core.api import answers
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.handlers import variable_views as views
from slipway_core.handlers.effective import plain, visible
from slipway_core.problems import InUse, wrong
from slipway_core.stores.variables import VariableRow
from slipway_errors import Conflict, NotFound
from slipway_http import Call

Request: TypeAlias = Call[Any]
MOUNT_PATH = re.compile(r"/[^\x00-\x1f\x7f]{1,1023}")
PARAMS = {False: "environmentVariableId", True: "secretId"}


class ReservedKey(Conflict):
    """The key is reserved."""

    code = "variable.reserved"


# -- seen -------------------------------------------------------------------------------------------------------------


async def all_variables(app: Core, call: Request) -> answers.EnvironmentVariableResponseList:
    """What is known at a place, without secrets: built in, written there and around it."""
    rows, shown = await _seen(app, call.place)
    listed = [views.variable(row, shown) for row in rows if not row.is_secret]
    return answers.EnvironmentVariableResponseList(results=listed)


async def all_secrets(app: Core, call: Request) -> answers.SecretResponseList:
    """The secrets at a place, without their values."""
    rows, shown = await _seen(app, call.place)
    return answers.SecretResponseList(results=[views.secret(row, shown) for row in rows if row.is_secret])


async def _seen(app: Core, place: Place) -> tuple[list[VariableRow], views.Shown]:
    async with app.reading() as work:
        rows = await visible(app, work, place)
        return rows, await views.beside(work, place, rows)


# -- written ----------------------------------------------------------------------------------------------------------


async def create(app: Core, call: Request, secret: bool) -> Any:
    """A new variable or secret."""
    given = msgspec.to_builtins(call.body)
    async with app.work(actor_of(call)) as work:
        row = await add(app, work, call.place, given, secret)
        return await _answer(app, work, call.place, row, secret)


async def add(app: Core, work: Work, place: Place, given: dict[str, Any], secret: bool) -> VariableRow:
    """Write a variable with a value of its own."""
    check_key(given["key"])
    _check_mount_path(given.get("mount_path"))
    row = _row(work, place, given["key"], "FILE" if given.get("mount_path") else "VALUE", given, secret)
    return await _insert(app, work, place, await _with_value(app, work, place, row, given.get("value") or ""))


def _row(
    work: Work,
    place: Place,
    key: str,
    type: str,
    given: dict[str, Any],
    secret: bool,
    target: VariableRow | None = None,
) -> VariableRow:
    return VariableRow(
        id=uuid7(),
        project_id=None if place.environment_id else place.project_id,
        environment_id=None if place.service_id else place.environment_id or None,
        service_id=place.service_id or None,
        key=key,
        type=type,
        target_id=target.id if target and target.type != "BUILT_IN" else None,
        target_key=target.key if target else None,
        is_secret=secret,
        mount_path=given.get("mount_path") or (target.mount_path if target else None),
        description=given.get("description") or "",
        enable_interpolation_in_file=given.get("enable_interpolation_in_file"),
        created_at=work.now,
        updated_at=work.now,
    )


async def _with_value(app: Core, work: Work, place: Place, row: VariableRow, value: str) -> VariableRow:
    if not row.is_secret:
        return msgspec.structs.replace(row, value=value, ciphertext=None, data_key_id=None)
    key_id, ciphertext = await app.encrypt(work, place.organization_id, value, f"variables/{row.id}")
    return msgspec.structs.replace(row, value=None, ciphertext=ciphertext, data_key_id=key_id)


async def _insert(app: Core, work: Work, place: Place, row: VariableRow) -> VariableRow:
    added = await work.variables.add(row)
    await _check_leads_somewhere(app, work, place, added.key)
    await _say(work, place, "created", None, added)
    return added


async def edit(app: Core, call: Request, secret: bool) -> Any:
    """Change a variable. A secret's value stays when none is given."""
    given = msgspec.to_builtins(call.body)
    async with app.work(actor_of(call)) as work:
        before = await _own(work, call.place, id_in(call, PARAMS[secret]), secret)
        row = await change(app, work, call.place, before, given)
        return await _answer(app, work, call.place, row, secret)


async def change(app: Core, work: Work, place: Place, before: VariableRow, given: dict[str, Any]) -> VariableRow:
    """Write what is given over what is there."""
    key = given.get("key", before.key)
    if key != before.key:
        if before.type == "OVERRIDE":
            raise wrong(("$.key", "an override has the key of what it overrides"))
        check_key(key)
        await _check_unused(app, work, place, before)
    mount_path = given.get("mount_path", before.mount_path)
    if bool(mount_path) != bool(before.mount_path):
        raise wrong(("$.mount_path", "a value can't become a file, nor a file a value"))
    _check_mount_path(mount_path)
    row = msgspec.structs.replace(
        before,
        key=key,
        mount_path=mount_path,
        description=given.get("description", before.description) or "",
        enable_interpolation_in_file=given.get("enable_interpolation_in_file", before.enable_interpolation_in_file),
    )
    if given.get("value") is not None:
        if before.type == "ALIAS":
            raise wrong(("$.value", "an alias has the value of what it stands for"))
        row = await _with_value(app, work, place, row, given["value"])
    row = await work.variables.update(row)
    await _check_leads_somewhere(app, work, place, row.key)
    await _say(work, place, "updated", before, row)
    return row


async def delete(app: Core, call: Request, secret: bool) -> None:
    """Remove a variable that nothing needs."""
    async with app.work(actor_of(call)) as work:
        row = await _own(work, call.place, id_in(call, PARAMS[secret]), secret)
        await remove(app, work, call.place, row)


async def remove(app: Core, work: Work, place: Place, row: VariableRow) -> None:
    await _check_unused(app, work, place, row)
    await work.variables.delete(row.id)
    await _say(work, place, "deleted", row, None)


async def alias(app: Core, call: Request, secret: bool) -> Any:
    """Another name for a variable that is known here."""
    given = msgspec.to_builtins(call.body)
    async with app.work(actor_of(call)) as work:
        row = await add_alias(app, work, call.place, id_in(call, PARAMS[secret]), given, secret)
        return await _answer(app, work, call.place, row, secret)


async def add_alias(
    app: Core, work: Work, place: Place, target_id: str, given: dict[str, Any], secret: bool | None = None
) -> VariableRow:
    check_key(given["key"])
    target = await _known(app, work, place, target_id, secret)
    if target.type == "ALIAS":
        raise Conflict("An alias of an alias would only hide what it is: alias the variable itself.")
    return await _insert(app, work, place, _row(work, place, given["key"], "ALIAS", given, target.is_secret, target))


async def override(app: Core, call: Request, secret: bool) -> Any:
    """Another value for a variable of a broader scope."""
    given = msgspec.to_builtins(call.body)
    async with app.work(actor_of(call)) as work:
        row = await add_override(app, work, call.place, id_in(call, PARAMS[secret]), given, secret)
        return await _answer(app, work, call.place, row, secret)


async def add_override(
    app: Core, work: Work, place: Place, target_id: str, given: dict[str, Any], secret: bool | None = None
) -> VariableRow:
    target = await _known(app, work, place, target_id, secret)
    if target.type == "BUILT_IN":
        raise ReservedKey("What is built in can't be overridden: give it another name by an alias.")
    row = _row(work, place, target.key, "OVERRIDE", given, target.is_secret, target)
    if target.scope == row.scope:
        raise Conflict("An override stands in a narrower scope than what it overrides: change the variable itself.")
    return await _insert(app, work, place, await _with_value(app, work, place, row, given.get("value") or ""))


async def _known(app: Core, work: Work, place: Place, id: str, secret: bool | None) -> VariableRow:
    rows = await visible(app, work, place)
    target = next((row for row in rows if row.id == id), None)
    if target is None or (secret is not None and target.is_secret != secret):
        raise NotFound("There is no such variable here.")
    return target


async def _own(work: Work, place: Place, id: str, secret: bool) -> VariableRow:
    """A variable that is written exactly here."""
    row = found(await work.variables.get(id, lock=True), "variable")
    here = place.service_id or place.environment_id or place.project_id
    if (row.service_id or row.environment_id or row.project_id) != here or row.is_secret != secret:
        raise NotFound("There is no such variable here.")
    return row


# -- checked ----------------------------------------------------------------------------------------------------------


def check_key(key: str, path: str = "$.key") -> None:
    """A name that a process can have in its environment, and that isn't Slipway's."""
    if not variables.KEY.fullmatch(key):
        raise wrong((path, "must be letters, digits and _ and not begin with a digit"))
    if key.upper().startswith(variables.RESERVED):
        raise wrong((path, f"must not begin with {', '.join(variables.RESERVED)}"))


def _check_mount_path(path: str | None) -> None:
    if path and (not MOUNT_PATH.fullmatch(path) or ".." in path.split("/") or path.endswith("/")):
        raise wrong(("$.mount_path", "must be the absolute path of a file, without .."))


async def _check_leads_somewhere(app: Core, work: Work, place: Place, key: str) -> None:
    known = await plain(app, work, place, await visible(app, work, place), careful=False)
    elsewhere: frozenset[str] = frozenset()
    if not place.service_id:
        elsewhere = await work.variables.keys_below(place.project_id, place.environment_id or None)
    variables.check(key, known, elsewhere)


async def _check_unused(app: Core, work: Work, place: Place, row: VariableRow) -> None:
    """Refuse to take away what an alias, an override or `{{…}}` needs, unless a broader scope has the key, too."""
    targeting = await work.variables.targeting(row.id)
    users = {one.id: one for one in targeting}
    others = [one for one in await visible(app, work, place) if one.key == row.key and one.id != row.id]
    if not others:
        may = await work.variables.that_may_mention(
            row.key, place.project_id, place.environment_id or None, place.service_id or None
        )
        by_id = {one.id: one for one in may}
        for one in await plain(app, work, place, may, careful=False):
            if one.id != row.id and row.key in variables.mentions(one):
                users[one.id] = by_id[one.id]
    if users:
        raise InUse(row.key, [{"kind": "variable", "id": one.id, "name": one.key} for one in users.values()])


# -- told -------------------------------------------------------------------------------------------------------------


async def _answer(app: Core, work: Work, place: Place, row: VariableRow, secret: bool) -> Any:
    shown = await views.beside(work, place, await visible(app, work, place))
    return views.secret(row, shown) if secret else views.variable(row, shown)


async def _say(work: Work, place: Place, verb: str, before: VariableRow | None, after: VariableRow | None) -> None:
    """Variables are told as a change of where they stand; a secret only as changed."""
    row = after or before
    assert row is not None
    entity, id, name, version = await _holder(work, place)
    if verb == "updated" and before and after and after.ciphertext != before.ciphertext:
        state = "changed"
    else:
        state = "set" if verb == "created" else "unchanged"
    await work.changed(
        entity,
        "updated",
        place,
        id=id,
        name=name,
        version=version,
        before=_audited(before, "set") if before else None,
        after=_audited(after, state) if after else None,
        body={"variable": row.key, "verb": verb},
        target=await _target(work, place),
        sub_target="SECRET" if row.is_secret else "VARIABLE",
    )


async def _holder(work: Work, place: Place) -> tuple[str, str, str, int]:
    """The locked row of where a variable stands: news of one thing go out in order."""
    if place.service_id:
        service = found(await work.services.get(place.service_id, lock=True))
        return "service", service.id, service.name, service.version
    if place.environment_id:
        environment = found(await work.environments.get(place.environment_id, lock=True))
        return "environment", environment.id, environment.name, environment.version
    project = found(await work.projects.get(place.project_id, lock=True))
    return "project", project.id, project.name, project.version


async def _target(work: Work, place: Place) -> str:
    if place.service_id:
        return found(await work.services.get(place.service_id)).kind
    return "ENVIRONMENT" if place.environment_id else "PROJECT"


def _audited(row: VariableRow, secret: str) -> dict[str, Any]:
    return {
        "key": row.key,
        "value": secret if row.is_secret else row.value,
        "type": row.type,
        "mount_path": row.mount_path,
        "description": row.description,
    }
