"""Back to what ran after an earlier deployment: code, configuration and variables of then, shown as a plan first.

Auto-deploy is switched off for what changes, so that the next push doesn't undo it; the answer says so.
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from slipway_core import planner, rollbacks
from slipway_core.api.forms import Body, Id, Text
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of
from slipway_core.handlers import deployments, freezing, plans, snapshots
from slipway_core.handlers.situations import situation
from slipway_core.machine import Action
from slipway_core.planner import Request, Wish
from slipway_core.problems import ReleaseGone, wrong
from slipway_core.stores.deployments import Ground
from slipway_core.stores.releases import Release
from slipway_core.views import full, view
from slipway_http import Call


class RollBack(Body, frozen=True, kw_only=True):
    """Go back to what ran after a deployment."""

    deployment_id: Id
    old_secrets: list[Text] | UnsetType = UNSET
    """Keys of secrets that get their values of then; all others keep those of today."""


async def service(app: Core, call: Call[RollBack]) -> dict[str, Any]:
    """Put back what ran of a service after an earlier deployment. Auto-deploy is switched off for it."""
    return await _roll_back(app, call, only=call.place.service_id)


async def environment(app: Core, call: Call[RollBack]) -> dict[str, Any]:
    """Put back what ran in an environment after an earlier deployment. Auto-deploy is switched off for what changes."""
    return await _roll_back(app, call, only=None)


async def plan_of_service(app: Core, call: Call[RollBack]) -> plans.PlanAnswer:
    """What going back would change at a service."""
    return await _plan(app, call, only=call.place.service_id)


async def plan_of_environment(app: Core, call: Call[RollBack]) -> plans.PlanAnswer:
    """What going back would change in an environment."""
    return await _plan(app, call, only=None)


async def _roll_back(app: Core, call: Call[RollBack], only: str | None) -> dict[str, Any]:
    async with app.work(actor_of(call)) as work:
        ground = await deployments.locked(work, call.place.environment_id)
        releases = await _target(work, ground, call.body, only)
        request = _request(releases, call.body)
        notes = await _notes(app, work, ground, releases, request)
        request = msgspec.structs.replace(request, notes=notes, override=freezing.override_of(call))
        await freezing.refuse_frozen(work, ground, request)
        changed = {step.service_id for step in planner.plan(await situation(app, work, ground, request), request).steps}
        for service_id in sorted(changed):
            if await work.releases.switch_off_auto_deploy(service_id):
                await _say_switched_off(work, service_id)
        run = await deployments.ask(app, work, ground, request, "rollback")
        return full(view(run, work.now))


async def _plan(app: Core, call: Call[RollBack], only: str | None) -> plans.PlanAnswer:
    async with app.reading() as work:
        ground = found(await work.deployments.ground(call.place.environment_id), "environment")
        releases = await _target(work, ground, call.body, only)
        request = _request(releases, call.body)
        notes = await _notes(app, work, ground, releases, request)
        return await plans.show(app, work, ground, request, notes)


async def _target(work: Work, ground: Ground, body: RollBack, only: str | None) -> dict[str, Release]:
    """service id → what ran after the deployment, as far as it is kept."""
    target = await work.deployments.get(body.deployment_id.lower())
    if target is None or target.environment_id != ground.environment_id or target.ended_at is None:
        raise wrong(("$.deployment_id", "is no ended deployment of this environment"))
    kept = await work.releases.at(ground.environment_id, target.ended_at)
    releases = {id: release for id, release in kept.items() if only in (None, id)}
    if not releases:
        raise ReleaseGone(f"What ran after deployment {target.number} is not kept any more.")
    return releases


def _request(releases: dict[str, Release], body: RollBack) -> Request:
    asked = [] if body.old_secrets is UNSET else list(body.old_secrets)
    wishes = {id: Wish(release_id=release.id, old_secrets=asked) for id, release in releases.items()}
    return Request(action=Action.DEPLOY, wishes=wishes)


async def _notes(app: Core, work: Work, ground: Ground, releases: dict[str, Release], request: Request) -> list[str]:
    """What people should know of it; an old secret that nobody kept is refused."""
    before = await situation(app, work, ground, request)
    today = {one.id: one for one in before.services}
    touched = {step.service_id for step in planner.plan(before, request).steps}
    then = await snapshots.read(app, work, [release.id for release in releases.values()])
    _check_old_secrets(request, then)
    services = {service.id: service for service in await work.services.of_environment(ground.environment_id)}
    notes = []
    for id, release in releases.items():
        name = services[id].name
        if release.id not in then:
            notes.append(f"{name}: its variables of then were not kept; it gets those of today")
        missing = rollbacks.lost(then.get(release.id, []), today[id].variables, request.wishes[id].old_secrets)
        if missing:
            notes.append(f"{name}: {', '.join(missing)} were deleted since and are left out unless asked for by name")
        if id in touched and services[id].auto_deploy:
            notes.append(f"{name}: auto-deploy is switched off, so that the next push doesn't undo this")
    return notes


def _check_old_secrets(request: Request, then: dict[str, list[Any]]) -> None:
    known = {one.key for variables in then.values() for one in variables if one.is_secret}
    asked = next(iter(request.wishes.values())).old_secrets
    if unknown := [key for key in asked if key not in known]:
        raise wrong(*(("$.old_secrets", f"{key} was no secret then") for key in unknown))


async def _say_switched_off(work: Work, service_id: str) -> None:
    place = await work.places.locate("service", service_id)
    service = await work.services.get(service_id)
    if place is None or service is None:
        return
    await work.changed(
        "service",
        "updated",
        place,
        id=service_id,
        name=service.name,
        version=service.version,
        before={"auto_deploy": True},
        after={"auto_deploy": False},
        target=service.kind,
    )
