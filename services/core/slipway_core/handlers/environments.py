"""Environments: what stands together on one cluster."""

from typing import Any

import msgspec

from slipway_contracts.access import Permission
from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_core.api import answers, bodies
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of
from slipway_core.problems import wrong
from slipway_core.stores.environments import Environment
from slipway_errors import Forbidden, NotFound
from slipway_http import Call, etag, require_match


def place_of(environment: Environment) -> Place:
    return Place(
        organization_id=environment.organization_id,
        project_id=environment.project_id,
        environment_id=environment.id,
        cluster_id=environment.cluster_id,
        mode=environment.mode,
        name=environment.name,
    )


def _seen(call: Call[Any], environments: list[Environment]) -> list[Environment]:
    """Custom roles see some modes only."""
    return [one for one in environments if call.caller.may(Permission.READ, place_of(one))]


async def of_project(app: Core, call: Call[None]) -> answers.EnvironmentResponseList:
    """The environments of a project."""
    async with app.reading() as work:
        environments = await work.environments.all(project_id=call.place.project_id)
    return answers.EnvironmentResponseList(results=[view(one) for one in _seen(call, environments)])


async def of_organization(app: Core, call: Call[None]) -> answers.ListEnvironmentsByOrganizationIdAnswer:
    """The environments of all projects."""
    async with app.reading() as work:
        environments = await work.environments.all(organization_id=call.place.organization_id)
    shown = [
        {
            "id": one.id,
            "created_at": one.created_at,
            "updated_at": one.updated_at,
            "name": one.name,
            "organization": {"id": one.organization_id},
            "project": {"id": one.project_id},
            "mode": one.mode,
        }
        for one in _seen(call, environments)
    ]
    return msgspec.convert({"results": shown}, answers.ListEnvironmentsByOrganizationIdAnswer)


async def stats(app: Core, call: Call[None]) -> answers.EnvironmentStatsResponseList:
    """How many services each environment has."""
    async with app.reading() as work:
        environments = await work.environments.all(project_id=call.place.project_id)
    return answers.EnvironmentStatsResponseList(
        results=[
            answers.EnvironmentStats(id=one.id, service_total_number=float(one.services))
            for one in _seen(call, environments)
        ]
    )


async def create(app: Core, call: Call[bodies.CreateEnvironmentRequest]) -> answers.Environment:
    """A new environment with its four default stages."""
    given = msgspec.to_builtins(call.body)
    mode = given.get("mode", "DEVELOPMENT")
    project = call.place
    check_mode(call, project, mode)
    async with app.work(actor_of(call)) as work:
        cluster_id = await chosen_cluster(work, call, project.organization_id, given.get("cluster"), "$.cluster")
        environment = await work.environments.add(
            uuid7(), project.project_id, cluster_id, given["name"], mode, work.actor.user_id
        )
        await work.stages.add_defaults(environment.id)
        await work.deployment_rules.add(uuid7(), None, environment.id, "", dict(NO_TIMETABLE))
        await say(work, "created", environment, None, environment)
    return view(environment)


NO_TIMETABLE: dict[str, Any] = {
    "on_demand_preview": False,
    "auto_preview": False,
    "auto_stop": False,
    "timezone": "UTC",
    "start_time": "1970-01-01T08:00:00Z",
    "stop_time": "1970-01-01T19:00:00Z",
    "weekdays": ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"],
}
"""The rule of a new environment: nothing happens by itself."""


def check_mode(call: Call[Any], project: Place, mode: str) -> None:
    """A custom role may manage environments of some modes only."""
    there = msgspec.structs.replace(project, mode=mode)
    if not call.caller.may(Permission.MANAGE, there):
        raise Forbidden(f"This needs the permission `manage` in {mode} environments of this project.")


async def chosen_cluster(work: Work, call: Call[Any], organization_id: str, id: str | None, path: str) -> str:
    """The cluster that a body names, if the caller may put something there; else the organization's first."""
    if id is None:
        first = await work.environments.default_cluster(organization_id)
        if first is None:
            raise wrong((path, "is needed: this organization has no cluster yet"))
        id = first
    try:
        place = await call.locate("cluster", id.lower(), Permission.DEPLOY)
    except NotFound:
        raise wrong((path, "there is no such cluster")) from None
    if place.organization_id != organization_id:
        raise wrong((path, "there is no such cluster in this organization"))
    return place.cluster_id


async def get(app: Core, call: Call[None]) -> answers.Environment:
    """One environment."""
    async with app.reading() as work:
        environment = found(await work.environments.get(call.place.environment_id))
    call.response_headers["ETag"] = etag(environment.version)
    return view(environment)


async def edit(app: Core, call: Call[bodies.EnvironmentEditRequest]) -> answers.Environment:
    """Rename an environment, or change its mode."""
    given = msgspec.to_builtins(call.body)
    async with app.work(actor_of(call)) as work:
        before = found(await work.environments.get(call.place.environment_id, lock=True))
        require_match(call, before.version)
        mode = given.get("mode", before.mode)
        check_mode(call, call.place, mode)
        after = await work.environments.update(before.id, given.get("name", before.name), mode, work.actor.user_id)
        await say(work, "updated", after, before, after)
    call.response_headers["ETag"] = etag(after.version)
    return view(after)


async def say(
    work: Work, verb: str, environment: Environment, before: Environment | None, after: Environment | None
) -> None:
    await work.changed(
        "environment",
        verb,
        place_of(environment),
        id=environment.id,
        name=environment.name,
        version=environment.version,
        before=_audited(before) if before else None,
        after=_audited(after) if after else None,
        body={"mode": environment.mode, "cluster_id": environment.cluster_id},
    )


def _audited(environment: Environment) -> dict[str, Any]:
    return {"name": environment.name, "mode": environment.mode, "cluster_id": environment.cluster_id}


def view(environment: Environment) -> answers.Environment:
    """As the public API shows it."""
    shown = {
        "id": environment.id,
        "created_at": environment.created_at,
        "updated_at": environment.updated_at,
        "name": environment.name,
        "organization": {"id": environment.organization_id},
        "project": {"id": environment.project_id},
        "cloud_provider": {
            "provider": environment.cluster_config.get("cloud_provider", ""),
            "cluster": environment.cluster_config.get("region", ""),
        },
        "mode": environment.mode,
        "cluster_id": environment.cluster_id,
        "cluster_name": environment.cluster_name,
    }
    if environment.last_updated_by:
        shown["last_updated_by"] = environment.last_updated_by
    return msgspec.convert(shown, answers.Environment)
