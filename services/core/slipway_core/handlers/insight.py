"""Environments and services at a glance: overviews, what is said of deployments, where requests come in."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any
from uuid import UUID, uuid5

import msgspec
from msgspec import UNSET

from slipway_contracts.access import Permission
from slipway_contracts.live import LOGGED, LogBatch, LogLine
from slipway_core.api import answers
from slipway_core.app import Core, found
from slipway_core.callers import id_in
from slipway_core.handlers import deployments, outside, services
from slipway_core.handlers.environments import place_of
from slipway_core.handlers.pictures import picture, pictures
from slipway_core.handlers.statuses import environment_status, reference, status
from slipway_core.machine import Action, StepState
from slipway_core.progress import Run, Step
from slipway_core.stores.environments import Environment
from slipway_errors import NotFound
from slipway_http import Call

NAMESPACE = UUID("8a1c0f62-3a55-4c52-9a63-5d8f3f1f3f0e")
LINES = 1000
READ_SECONDS = 5.0
KINDS_OF_ACTION = {Action.STOP: "PAUSE", Action.DELETE: "DELETE"}
"""StatusKindEnum of the reference; everything else is a DEPLOYMENT."""


# Overviews


async def overview(app: Core, call: Call[None]) -> answers.EnvironmentOverviewResponseList:
    """The environments of a project with their clusters, sizes and last deployments."""
    async with app.reading() as work:
        environments = await work.environments.all(project_id=call.place.project_id)
        seen = [one for one in environments if call.caller.may(Permission.READ, place_of(one))]
        known = await pictures(app, work, [one.id for one in seen])
    shown = [_overview(one, environment_status(known[one.id])) for one in seen if one.id in known]
    return answers.EnvironmentOverviewResponseList(results=shown)


def _overview(one: Environment, known: answers.EnvironmentStatus) -> answers.EnvironmentOverviewResponse:
    cluster = answers.ClusterOverviewResponse(
        id=one.cluster_id,
        name=one.cluster_name,
        cloud_provider=one.cluster_config.get("cloud_provider", "ON_PREMISE"),
        is_demo=one.cluster_kind == "LOCAL",
    )
    mode: Any = one.mode
    return answers.EnvironmentOverviewResponse(
        id=one.id,
        created_at=one.created_at,
        updated_at=one.updated_at,
        name=one.name,
        mode=mode,
        cluster=cluster,
        services_overview=answers.ServicesOverviewResponse(service_count=one.services, managed_by="QOVERY"),
        deployment_status=known,
    )


async def of_registry(app: Core, call: Call[None]) -> answers.ReferenceObjectStatusResponseList:
    """What the last deployments did to the containers that come from a registry."""
    id = id_in(call, outside.PARAMS[outside.REGISTRY])
    organization = call.place.organization_id
    async with app.reading() as work:
        found(await work.outside_accesses.get(id, organization, outside.REGISTRY))
        users = [one for one in await work.outside_accesses.users(organization, id) if one.kind == "CONTAINER"]
        known = await pictures(app, work, {one.environment_id for one in users})
    shown = []
    for user in users:
        one = known.get(user.environment_id)
        service = next((each for each in one.services if each.id == user.service_id), None) if one else None
        place = services.place_in(call.place, user.project_id, one.ground.mode if one else "")
        if one is not None and service is not None and call.caller.may(Permission.READ, place):
            shown.append(reference(status(one, service)))
    return answers.ReferenceObjectStatusResponseList(results=shown)


async def ingress(app: Core, call: Call[None]) -> answers.IngressDeploymentStatusResponse:
    """Whether requests are led to a service: what leads them there is changed together with it."""
    async with app.reading() as work:
        one = await picture(app, work, call.place.environment_id)
    service = found(next((each for each in one.services if each.id == call.place.service_id), None), "service")
    if service.kind != call.path["serviceType"].upper():
        raise NotFound(f"This service is of kind {service.kind}.")
    if not services.is_public(service):
        raise NotFound("Nothing leads to this service from outside: it has no public port.")
    return answers.IngressDeploymentStatusResponse(
        routerId=str(uuid5(NAMESPACE, service.id)), status=status(one, service).state
    )


# What is said of a deployment


class Said(msgspec.Struct, frozen=True):
    """A line of a build or deployment, or the failure of a step."""

    at: datetime
    id: str
    step: Step | None
    text: str
    failed: bool = False


async def log(app: Core, call: Call[None]) -> answers.EnvironmentLogResponseList:
    """The newest 1,000 lines of the last deployment that began in an environment."""
    run, said = await _said(app, call, "")
    shown = [msgspec.convert(_log(run, one), answers.EnvironmentLog) for one in said] if run is not None else []
    return answers.EnvironmentLogResponseList(results=shown)


async def logs(app: Core, call: Call[None]) -> list[answers.EnvironmentLogs]:
    """The newest 1,000 lines of a deployment (`version`: its id or number), or of the last one that began."""
    version = "" if call.query.version is UNSET else call.query.version
    run, said = await _said(app, call, version)
    return [msgspec.convert(_logs(run, one), answers.EnvironmentLogs) for one in said] if run is not None else []


async def _said(app: Core, call: Call[None], version: str) -> tuple[Run | None, list[Said]]:
    run = await _run(app, call.place.environment_id, version)
    if run is None:
        return None, []
    said = _failures(run)
    steps = {step.id: step for step in run.steps}
    async with asyncio.timeout(READ_SECONDS):
        async for batch in _batches(app, run):
            said.extend(_line(batch, line, steps.get(batch.step_id)) for line in batch.lines)
            if len(said) > 4 * LINES:
                said = nlargest(LINES, said, key=_when)
    return run, sorted(nlargest(LINES, said, key=_when), key=_when)


async def _run(app: Core, environment_id: str, version: str) -> Run | None:
    """The deployment that is meant, with its steps."""
    async with app.reading() as work:
        if version:
            named = await work.deployments.named(environment_id, version)
            return await deployments.reloaded(work, found(named, "deployment in this environment").id)
        last = (await work.deployments.last_started(environment_id)).get(environment_id)
        return await deployments.reloaded(work, last.id) if last is not None else None


def _when(one: Said) -> tuple[datetime, str]:
    return one.at, one.id


async def _batches(app: Core, run: Run) -> AsyncIterator[LogBatch]:
    for kind in ("build", "deploy"):
        history = app.bus.history(
            LOGGED, since=run.created_at, cluster_id=run.cluster_id, environment_id=run.environment_id, kind=kind
        )
        async for stored in history:
            if stored.message.deployment_id == run.id:
                yield stored.message


def _line(batch: LogBatch, line: LogLine, step: Step | None) -> Said:
    at = datetime.fromtimestamp(line.time_ns / 1e9, UTC)
    return Said(at, str(uuid5(NAMESPACE, f"{batch.epoch}/{line.sequence:012}")), step, line.text)


def _failures(run: Run) -> list[Said]:
    return [
        Said(step.ended_at, step.id, step, step.message, failed=True)
        for step in run.steps
        if step.state is StepState.FAILED and step.ended_at is not None
    ]


def _log(run: Run, one: Said) -> dict[str, Any]:
    word = KINDS_OF_ACTION.get(run.action, "DEPLOYMENT")
    step = one.step
    scope = {"type": "ENVIRONMENT", "id": run.environment_id, "name": ""}
    if step is not None and step.service_id:
        kind = "DATABASE" if step.service_kind == "DATABASE" else "APPLICATION"
        scope = {"type": kind, "id": step.service_id, "name": step.service_name}
    return {
        "id": one.id,
        "created_at": one.at,
        "scope": scope,
        "state": f"{word}_ERROR" if one.failed else f"{word}_IN_PROGRESS",
        "message": one.text,
        "execution_id": run.id,
    } | ({"hint": step.details} if one.failed and step is not None and step.details else {})


def _logs(run: Run, one: Said) -> dict[str, Any]:
    step = one.step
    stage = {"step": step.kind, "id": None, "name": step.stage} if step else {"step": run.action.lower(), "id": None}
    transmitter = {"id": run.environment_id, "name": "", "type": "Environment"}
    if step is not None and step.service_id:
        transmitter = {"id": step.service_id, "name": step.service_name, "type": step.service_kind.capitalize()}
    details = {
        "organization_id": run.organization_id,
        "cluster_id": run.cluster_id,
        "execution_id": run.id,
        "transmitter": transmitter,
        "stage": stage,
    }
    shown = {"type": "error" if one.failed else "info", "timestamp": one.at, "details": details}
    if not one.failed or step is None:
        return shown | {"message": {"safe_message": one.text}}
    inner = {"message": step.message, "full_details": step.details}
    return shown | {"error": {"tag": step.code, "user_log_message": one.text, "underlying_error": inner}}
