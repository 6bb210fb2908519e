"""Deployment stages: ordered, and every service stands in exactly one."""

from typing import Any

import msgspec

from slipway_contracts.base import uuid7
from slipway_core.api import answers, bodies
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.problems import InUse
from slipway_core.stores.stages import Placed, Stage
from slipway_errors import Conflict, NotFound
from slipway_http import Call


async def all(app: Core, call: Call[None]) -> answers.DeploymentStageResponseList:
    """The stages of an environment, in order, with their services."""
    async with app.reading() as work:
        return await _list(work, call.place.environment_id)


async def _list(work: Work, environment_id: str) -> answers.DeploymentStageResponseList:
    placed = await work.stages.placed(environment_id)
    stages = await work.stages.all(environment_id)
    return answers.DeploymentStageResponseList(results=[_view(stage, placed) for stage in stages])


async def get(app: Core, call: Call[None]) -> answers.DeploymentStageResponse:
    """One stage."""
    async with app.reading() as work:
        stage = found(await work.stages.get(id_in(call, "deploymentStageId")))
        return _view(stage, await work.stages.placed(stage.environment_id))


async def of_service(app: Core, call: Call[None]) -> answers.DeploymentStageResponse:
    """The stage of a service."""
    async with app.reading() as work:
        service = found(await work.services.get(call.place.service_id))
        stage = found(await work.stages.get(service.stage_id))
        return _view(stage, await work.stages.placed(stage.environment_id))


async def create(app: Core, call: Call[bodies.DeploymentStageRequest]) -> answers.DeploymentStageResponse:
    """A new stage after all others."""
    name, description = _fields(call.body)
    async with app.work(actor_of(call)) as work:
        stage = await work.stages.add(uuid7(), call.place.environment_id, name, description)
        await _say(work, call, "created", None, stage)
    return _view(stage, [])


async def edit(app: Core, call: Call[bodies.DeploymentStageRequest]) -> answers.DeploymentStageResponse:
    """Rename or describe a stage."""
    name, description = _fields(call.body)
    async with app.work(actor_of(call)) as work:
        before = found(await work.stages.get(id_in(call, "deploymentStageId"), lock=True))
        stage = await work.stages.update(before.id, name, description)
        await _say(work, call, "updated", before, stage)
        return _view(stage, await work.stages.placed(stage.environment_id))


def _fields(body: bodies.DeploymentStageRequest) -> tuple[str, str]:
    given = msgspec.to_builtins(body)
    return given["name"], given.get("description") or ""


async def delete(app: Core, call: Call[None]) -> None:
    """Remove a stage in which no service stands."""
    async with app.work(actor_of(call)) as work:
        stage = found(await work.stages.get(id_in(call, "deploymentStageId"), lock=True))
        await work.environments.get(stage.environment_id, lock=True)
        if users := await work.stages.used_by(stage.id):
            raise InUse(f"The stage {stage.name}", [msgspec.to_builtins(user) for user in users])
        if len(await work.stages.all(stage.environment_id)) == 1:
            raise Conflict("An environment needs at least one stage.")
        await work.stages.delete(stage.id)
        await _say(work, call, "deleted", stage, None)


async def move_after(app: Core, call: Call[None]) -> answers.DeploymentStageResponseList:
    """Put a stage right after another one."""
    return await _move(app, call, 1)


async def move_before(app: Core, call: Call[None]) -> answers.DeploymentStageResponseList:
    """Put a stage right before another one."""
    return await _move(app, call, 0)


async def _move(app: Core, call: Call[None], offset: int) -> answers.DeploymentStageResponseList:
    moved, other = id_in(call, "deploymentStageId"), id_in(call, "stageId")
    if moved == other:
        raise Conflict("A stage can't be moved around itself.")
    async with app.work(actor_of(call)) as work:
        stage = found(await work.stages.get(moved))
        await work.environments.get(stage.environment_id, lock=True)
        ids = [one.id for one in await work.stages.all(stage.environment_id)]
        if other not in ids:
            raise NotFound("There is no such stage in this environment.")
        ids.remove(moved)
        ids.insert(ids.index(other) + offset, moved)
        await work.stages.reorder(stage.environment_id, ids)
        after = found(await work.stages.get(moved))
        await _say(work, call, "updated", stage, after)
        return await _list(work, stage.environment_id)


async def attach(
    app: Core, call: Call[bodies.AttachServiceToDeploymentStageBody]
) -> answers.DeploymentStageResponseList:
    """Move a service into a stage of its environment; `is_skipped` leaves it out of environment-wide actions."""
    given = msgspec.to_builtins(call.body)
    async with app.work(actor_of(call)) as work:
        stage = found(await work.stages.get(id_in(call, "deploymentStageId")))
        service = found(await work.services.get(id_in(call, "serviceId"), lock=True))
        if service.environment_id != stage.environment_id:
            raise NotFound("There is no such service in this environment.")
        skipped = given.get("is_skipped", service.is_skipped)
        await work.services.move(service.id, stage.id, skipped)
        place = msgspec.structs.replace(call.place, service_id=service.id)
        await work.changed(
            "service",
            "updated",
            place,
            id=service.id,
            name=service.name,
            version=service.version + 1,
            before={"stage_id": service.stage_id, "is_skipped": service.is_skipped},
            after={"stage_id": stage.id, "is_skipped": skipped},
            target=service.kind,
            sub_target="DEPLOYMENT_STAGE",
        )
        return await _list(work, stage.environment_id)


async def _say(work: Work, call: Call[Any], verb: str, before: Stage | None, after: Stage | None) -> None:
    stage = after or before
    assert stage is not None
    await work.changed(
        "deployment_stage",
        verb,
        call.place,
        id=stage.id,
        name=stage.name,
        version=stage.version + (verb == "deleted"),
        before=_audited(before) if before else None,
        after=_audited(after) if after else None,
        target="ENVIRONMENT",
        sub_target="DEPLOYMENT_STAGE",
    )


def _audited(stage: Stage) -> dict[str, Any]:
    return {"name": stage.name, "description": stage.description, "position": stage.position}


def _view(stage: Stage, placed: list[Placed]) -> answers.DeploymentStageResponse:
    services = [
        {
            "id": one.id,
            "created_at": one.created_at,
            "updated_at": one.updated_at,
            "service_id": one.id,
            "service_type": one.kind,
            "is_skipped": one.is_skipped,
        }
        for one in placed
        if one.stage_id == stage.id
    ]
    shown = {
        "id": stage.id,
        "created_at": stage.created_at,
        "updated_at": stage.updated_at,
        "environment": {"id": stage.environment_id},
        "name": stage.name,
        "description": stage.description,
        "deployment_order": stage.position,
        "services": services,
    }
    return msgspec.convert(shown, answers.DeploymentStageResponse)
