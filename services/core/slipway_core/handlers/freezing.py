"""Freezes: set and lifted by admins, told to whoever is refused, overridden with a reason that stays visible."""

import re
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from slipway_contracts.access import Permission
from slipway_contracts.base import uuid7
from slipway_core import freezes
from slipway_core.api.forms import Answer, Body, Limited, Name
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.freezes import WEEK, Window
from slipway_core.machine import Action
from slipway_core.planner import Request
from slipway_core.problems import DeploymentsFrozen, one_of, wrong
from slipway_core.service_rules import Draft, check_zone
from slipway_core.stores.deployments import Ground
from slipway_core.stores.freezes import Freeze
from slipway_errors import Forbidden
from slipway_http import Call

OVERRIDE = "Slipway-Override-Freeze"
"""Header: deploy all the same, for this reason."""
MODES = ("PRODUCTION", "STAGING", "DEVELOPMENT", "PREVIEW")
CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
FREE = frozenset({Action.RESTART})
"""What changes nothing about what runs."""


class WeeklyBody(Body, frozen=True, kw_only=True):
    """From one moment of every week to another."""

    timezone: str
    from_day: str
    from_time: str
    to_day: str
    to_time: str


class FreezeRequest(Body, frozen=True, kw_only=True):
    """A window: either `starts_at` and `ends_at`, or `weekly`."""

    name: Name
    reason: Limited | UnsetType = UNSET
    modes: list[str] | UnsetType = UNSET
    """Modes of environments; PRODUCTION when left out."""
    starts_at: datetime | UnsetType = UNSET
    ends_at: datetime | UnsetType = UNSET
    weekly: WeeklyBody | UnsetType = UNSET


class FreezeAnswer(Answer, frozen=True, kw_only=True):
    """A freeze, and whether it is in force."""

    id: str
    name: str
    project_id: str | None
    environment_id: str | None
    reason: str
    modes: list[str]
    starts_at: datetime | None
    ends_at: datetime | None
    weekly: freezes.Weekly | None
    in_force_until: datetime | None
    created_by: str
    created_at: datetime


class FreezeList(Answer, frozen=True, kw_only=True):
    results: list[FreezeAnswer]


async def listed(app: Core, call: Call[Any]) -> FreezeList:
    """The freezes of a place and of what it stands in."""
    place = call.place
    async with app.reading() as work:
        around = await work.freezes.around(
            place.organization_id, place.project_id or None, place.environment_id or None
        )
    return FreezeList(results=[_shown(freeze, app.clock()) for freeze in around])


async def create(app: Core, call: Call[FreezeRequest]) -> FreezeAnswer:
    """From now on nothing is deployed inside the window."""
    window = _window(call.body, app.clock())
    place = call.place
    async with app.work(actor_of(call)) as work:
        freeze = await work.freezes.add(
            Freeze(
                id=uuid7(),
                organization_id=place.organization_id,
                project_id=place.project_id or None,
                environment_id=place.environment_id or None,
                name=call.body.name,
                config=msgspec.to_builtins(window),
                created_by=work.actor.name,
                created_at=work.now,
            )
        )
        await _say(work, call, "created", None, freeze)
    return _shown(freeze, app.clock())


async def delete(app: Core, call: Call[Any]) -> None:
    """Lift a freeze."""
    async with app.work(actor_of(call)) as work:
        freeze = found(await work.freezes.delete(id_in(call, "freezeId"), call.place.organization_id), "freeze")
        await _say(work, call, "deleted", freeze, None)


async def _say(work: Work, call: Call[Any], verb: str, before: Freeze | None, after: Freeze | None) -> None:
    freeze = after or before
    assert freeze is not None
    await work.changed(
        "freeze",
        verb,
        call.place,
        id=freeze.id,
        name=freeze.name,
        before=before.config if before else None,
        after=after.config if after else None,
        target="ENVIRONMENT" if freeze.environment_id else "PROJECT" if freeze.project_id else "ORGANIZATION",
        sub_target="DEPLOYMENT_RULE",
    )


def _window(body: FreezeRequest, now: datetime) -> Window:
    draft = Draft(config={})
    modes = ["PRODUCTION"] if body.modes is UNSET else body.modes
    for mode in modes:
        if mode not in MODES:
            draft.refuse("modes", one_of(mode, MODES))
    if not modes:
        draft.refuse("modes", "must name at least one mode")
    _check_times(draft, body, now)
    if draft.errors:
        raise wrong(*draft.errors)
    return Window(
        reason="" if body.reason is UNSET else body.reason,
        modes=modes,
        starts_at=None if body.starts_at is UNSET else body.starts_at,
        ends_at=None if body.ends_at is UNSET else body.ends_at,
        weekly=None if body.weekly is UNSET else msgspec.convert(msgspec.to_builtins(body.weekly), freezes.Weekly),
    )


def _check_times(draft: Draft, body: FreezeRequest, now: datetime) -> None:
    if body.weekly is not UNSET:
        if body.starts_at is not UNSET or body.ends_at is not UNSET:
            draft.refuse("weekly", "is either weekly, or from starts_at to ends_at")
        return _check_weekly(draft, body.weekly)
    if body.starts_at is UNSET or body.ends_at is UNSET:
        return draft.refuse("starts_at", "starts_at and ends_at are needed, or weekly")
    if body.starts_at.tzinfo is None or body.ends_at.tzinfo is None:
        return draft.refuse("starts_at", "needs a time zone, such as 2026-12-24T12:00:00Z")
    if body.ends_at <= max(body.starts_at, now):
        draft.refuse("ends_at", "must be after starts_at, and not over yet")


def _check_weekly(draft: Draft, weekly: WeeklyBody) -> None:
    check_zone(draft, "weekly.timezone", weekly.timezone)
    for name in ("from_day", "to_day"):
        if getattr(weekly, name) not in WEEK:
            draft.refuse(f"weekly.{name}", one_of(getattr(weekly, name), WEEK))
    for name in ("from_time", "to_time"):
        if not CLOCK.fullmatch(getattr(weekly, name)):
            draft.refuse(f"weekly.{name}", "is no time such as 16:30")
    if (weekly.from_day, weekly.from_time) == (weekly.to_day, weekly.to_time):
        draft.refuse("weekly.to_time", "must be another moment of the week than the beginning")


def _shown(freeze: Freeze, now: datetime) -> FreezeAnswer:
    window = freeze.window
    in_force = [end for mode in window.modes if (end := freezes.until(window, mode, now)) is not None]
    return FreezeAnswer(
        id=freeze.id,
        name=freeze.name,
        project_id=freeze.project_id,
        environment_id=freeze.environment_id,
        reason=window.reason,
        modes=window.modes,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        weekly=window.weekly,
        in_force_until=in_force[0] if in_force else None,
        created_by=freeze.created_by,
        created_at=freeze.created_at,
    )


# What is frozen


async def in_force(work: Work, ground: Ground, request: Request) -> str:
    """Why this can't be done now, in one sentence; empty when nothing stands against it."""
    if request.action in FREE or request.override:
        return ""
    for freeze in await work.freezes.around(ground.organization_id, ground.project_id, ground.environment_id):
        end = freezes.until(freeze.window, ground.mode, work.now)
        if end is not None:
            why = f" ({freeze.window.reason})" if freeze.window.reason else ""
            return (
                f"{ground.environment_name} is frozen until {end:%Y-%m-%d %H:%M %Z} by “{freeze.name}”{why}: "
                "owners and admins may override it with a reason."
            )
    return ""


async def refuse_frozen(work: Work, ground: Ground, request: Request) -> None:
    """DeploymentsFrozen when a freeze is in force and not overridden."""
    if why := await in_force(work, ground, request):
        raise DeploymentsFrozen(why, header=OVERRIDE)


def override_of(call: Call[Any]) -> str:
    """The reason with which the caller overrides freezes; empty: they hold."""
    reason = call.headers.get(OVERRIDE, "").strip()[:255]
    if reason and not call.may(Permission.ADMIN):
        raise Forbidden("Only owners and admins may override a freeze.")
    return reason
