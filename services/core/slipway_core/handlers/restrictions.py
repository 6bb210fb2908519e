"""Deployment restrictions: which paths of a push make a service deploy by itself."""

import re
from typing import Any

import msgspec

from slipway_contracts.base import uuid7
from slipway_core.api import answers
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.problems import wrong
from slipway_core.stores.domains import Restriction
from slipway_http import Call

VALUE = re.compile(r"[^\x00-\x1f\x7f/*][^\x00-\x1f\x7f*]{0,1023}")


async def all(app: Core, call: Call[None], kind: str) -> Any:
    """The restrictions of a service."""
    async with app.reading() as work:
        listed = await work.restrictions.of_services([call.place.service_id])
    return LISTS[kind](results=[_view(one, kind) for one in listed])


async def create(app: Core, call: Call[Any], kind: str) -> Any:
    """One more restriction."""
    mode, type, value = _checked(call.body)
    async with app.work(actor_of(call)) as work:
        made = await work.restrictions.add(uuid7(), call.place.service_id, mode, type, value)
        await _say(work, call, None, made)
    return _view(made, kind)


async def edit(app: Core, call: Call[Any], kind: str) -> Any:
    """Another restriction instead."""
    mode, type, value = _checked(call.body)
    async with app.work(actor_of(call)) as work:
        before = await _one(work, call)
        made = await work.restrictions.change(before.id, mode, type, value)
        await _say(work, call, before, made)
    return _view(made, kind)


async def delete(app: Core, call: Call[None]) -> None:
    """One restriction less."""
    async with app.work(actor_of(call)) as work:
        before = await _one(work, call)
        await work.restrictions.delete(before.id)
        await _say(work, call, before, None)


async def _one(work: Work, call: Call[Any]) -> Restriction:
    return found(await work.restrictions.get(id_in(call, "deploymentRestrictionId"), call.place.service_id))


def _checked(body: Any) -> tuple[str, str, str]:
    if not VALUE.fullmatch(body.value) or ".." in body.value.split("/"):
        raise wrong(("$.value", "must be the beginning of a path inside the repository, without leading / or *"))
    return body.mode, body.type, body.value


def _view(one: Restriction, kind: str) -> Any:
    return msgspec.convert(msgspec.structs.asdict(one), ONE[kind])


ONE: dict[str, Any] = {
    "application": answers.ApplicationDeploymentRestriction,
    "job": answers.JobDeploymentRestrictionResponse,
}
LISTS: dict[str, Any] = {
    "application": answers.ApplicationDeploymentRestrictionResponseList,
    "job": answers.JobDeploymentRestrictionResponseList,
}


async def _say(work: Work, call: Call[Any], before: Restriction | None, after: Restriction | None) -> None:
    service = found(await work.services.get(call.place.service_id, lock=True))
    await work.changed(
        "service",
        "updated",
        call.place,
        id=service.id,
        name=service.name,
        version=service.version,
        before=_audited(before) if before else None,
        after=_audited(after) if after else None,
        target=service.kind,
        sub_target="CONFIG",
    )


def _audited(one: Restriction) -> dict[str, str]:
    return {"mode": one.mode, "type": one.type, "value": one.value}
