"""Clones: of a service into an environment, of an environment with everything in it.

A clone gets everything but what there can be only once: host names, webhook secrets, built-in repositories (it follows
the same ones), custom domains. Secrets are taken over without anybody seeing them: encrypted anew for their new row.
"""

import fnmatch
from typing import Any

import msgspec

from slipway_contracts.access import Permission
from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core import variables as policy
from slipway_core.api import answers, bodies
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of
from slipway_core.handlers import environments, git_links, services
from slipway_core.handlers.effective import plain, visible
from slipway_core.kinds import BY_NAME, Kind
from slipway_core.problems import wrong
from slipway_core.stores.environments import Environment
from slipway_core.stores.services import Service
from slipway_core.stores.variables import VariableRow
from slipway_errors import NotFound
from slipway_http import Call


async def service(app: Core, call: Call[bodies.CloneServiceRequest], kind: Kind) -> Any:
    """A copy of a service, in the same or in another environment of the organization."""
    given = msgspec.to_builtins(call.body)
    try:
        there = await call.locate("environment", given["environment_id"].lower(), Permission.MANAGE)
    except NotFound:
        raise wrong(("$.environment_id", "there is no such environment")) from None
    if there.organization_id != call.place.organization_id:
        raise wrong(("$.environment_id", "is of another organization"))
    async with app.work(actor_of(call)) as work:
        original = found(await work.services.get(call.place.service_id))
        made = await _service(app, work, original, there, given["name"])
        rows = await work.variables.visible(call.place.project_id, None, original.id)
        mine = [row for row in rows if row.service_id == original.id]
        await _variables(app, work, mine, there, {original.id: made.id}, {})
        await _check(app, work, msgspec.structs.replace(there, service_id=made.id))
        return await services.shown(work, made)


async def _service(app: Core, work: Work, original: Service, there: Place, name: str) -> Service:
    kind = BY_NAME[original.kind]
    made = await services.insert(work, there, kind, name, original.config, original.auto_deploy)
    if original.advanced:
        made = await work.services.set_advanced(made.id, original.advanced)
    await git_links.follow(app, work, there, made)
    for restriction in await work.restrictions.of_services([original.id]):
        await work.restrictions.add(uuid7(), made.id, restriction.mode, restriction.type, restriction.value)
    await services.say(work, there, "created", None, made)
    return made


async def environment(app: Core, call: Call[bodies.CloneEnvironmentRequest]) -> answers.Environment:
    """A copy of an environment with its stages, services, variables and timetable; nothing of it runs yet."""
    given = msgspec.to_builtins(call.body)
    project = await _project(call, given)
    mode = given.get("mode") or call.place.mode
    environments.check_mode(call, project, mode)
    async with app.work(actor_of(call)) as work:
        original = found(await work.environments.get(call.place.environment_id))
        cluster = given.get("cluster_id") or original.cluster_id
        cluster = await environments.chosen_cluster(work, call, project.organization_id, cluster, "$.cluster_id")
        made = await work.environments.add(
            uuid7(), project.project_id, cluster, given["name"], mode, work.actor.user_id
        )
        await environments.say(work, "created", made, None, made)
        await _timetable(work, original, made, bool(given.get("apply_deployment_rule")))
        await _contents(app, work, original, made)
        return environments.view(await work.environments.sure(made.id))


async def _project(call: Call[bodies.CloneEnvironmentRequest], given: dict[str, Any]) -> Place:
    """Where the clone stands: beside the original, or in another project of the organization."""
    id = (given.get("project_id") or call.place.project_id).lower()
    try:
        place = await call.locate("project", id)
    except NotFound:
        raise wrong(("$.project_id", "there is no such project")) from None
    if place.organization_id != call.place.organization_id:
        raise wrong(("$.project_id", "is of another organization"))
    return place


async def _timetable(work: Work, original: Environment, made: Environment, apply_rule: bool) -> None:
    """The original's timetable, or the one of the project's first rule that fits the new name."""
    rule = await work.deployment_rules.of_environment(original.id)
    config = dict(rule.config) if rule else dict(environments.NO_TIMETABLE)
    if apply_rule:
        for pattern in await work.deployment_rules.of_project(made.project_id):
            if pattern.config["mode"] == made.mode and fnmatch.fnmatchcase(made.name, _glob(pattern.config)):
                config |= {name: pattern.config[name] for name in config if name in pattern.config}
                break
    added = await work.deployment_rules.add(uuid7(), None, made.id, "", config)
    if config["auto_stop"]:
        place = environments.place_of(made)
        await work.changed("deployment_rule", "created", place, id=added.id, name=made.name, after=config, body=config)


def _glob(config: dict[str, Any]) -> str:
    """`[PR]*` means what it says: brackets are no sets of letters here."""
    return str(config.get("wildcard") or "*").replace("[", "[[]")


async def _contents(app: Core, work: Work, original: Environment, made: Environment) -> None:
    stages = {}
    for stage in await work.stages.all(original.id):
        stages[stage.id] = (await work.stages.add(uuid7(), made.id, stage.name, stage.description)).id
    there = environments.place_of(made)
    ids = {}
    for one in await work.services.of_environment(original.id):
        copy = await _service(app, work, one, there, one.name)
        await work.services.move(copy.id, stages[one.stage_id], one.is_skipped)
        ids[one.id] = copy.id
    rows = await work.variables.of_environment(original.id)
    outer = await _outer(work, original, made)
    await _variables(app, work, rows, there, ids, outer)
    await _check(app, work, there)
    for id in ids.values():
        await _check(app, work, msgspec.structs.replace(there, service_id=id))


async def _outer(work: Work, original: Environment, made: Environment) -> dict[str, str]:
    """Variables of the project that the original names → those of the clone's project under the same key."""
    old = await work.variables.visible(original.project_id, None, None)
    if original.project_id == made.project_id:
        return {row.id: row.id for row in old}
    new = {row.key: row.id for row in await work.variables.visible(made.project_id, None, None)}
    return {row.id: new[row.key] for row in old if row.key in new}


async def _variables(
    app: Core, work: Work, rows: list[VariableRow], there: Place, services: dict[str, str], outer: dict[str, str]
) -> None:
    """Copy variables into their new places: targets first, secrets encrypted anew."""
    ids = {row.id: uuid7() for row in rows}
    values = {one.id: one.value for one in await plain(app, work, there, rows)}
    for row in sorted(rows, key=lambda row: row.target_id is not None):
        copy = msgspec.structs.replace(
            row,
            id=ids[row.id],
            environment_id=there.environment_id if row.environment_id else None,
            service_id=services[row.service_id] if row.service_id else None,
            target_id=ids.get(row.target_id) or outer.get(row.target_id) if row.target_id else None,
        )
        if row.ciphertext is not None:
            bound_to = f"variables/{copy.id}"
            key_id, ciphertext = await app.encrypt(work, there.organization_id, values[row.id], bound_to)
            copy = msgspec.structs.replace(copy, data_key_id=key_id, ciphertext=ciphertext)
        await work.variables.add(copy)


async def _check(app: Core, work: Work, place: Place) -> None:
    """A clone whose variables would lead nowhere (in another project) is refused now, not when it is deployed."""
    known = await plain(app, work, place, await visible(app, work, place), careful=False)
    elsewhere: frozenset[str] = frozenset()
    if not place.service_id:
        elsewhere = await work.variables.keys_below(place.project_id, place.environment_id)
    for key in policy.visible(known):
        policy.check(key, known, elsewhere)
