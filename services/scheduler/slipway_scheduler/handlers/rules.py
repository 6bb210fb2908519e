"""Deployment rules as core tells of them: an environment's timetable becomes schedules."""

import msgspec
import structlog

from slipway_contracts.events import Event
from slipway_scheduler.app import Scheduler, Work
from slipway_scheduler.problems import BadTimetable
from slipway_scheduler.schedules import Schedule
from slipway_scheduler.timetables import Timetable, schedules_of

log = structlog.get_logger()


async def rule_changed(app: Scheduler, message: Event) -> None:
    """Take over a timetable, unless a newer version is known. Rules of a whole project have no hours of their own."""
    environment_id = message.body.get("environment_id") or message.environment_id
    if not environment_id:
        return
    if message.verb == "deleted":
        await _rule_deleted(app, message, environment_id)
        return
    timetable, schedules, problem = _read(message, environment_id)
    async with app.work() as work:
        newer = await work.timetables.put(
            message.entity_id,
            message.organization_id,
            environment_id,
            message.version,
            timetable,
            problem,
            message.at,
        )
        if newer:
            await work.schedules.replace(message.entity_id, await _as_paused(work, schedules))
    app.changed.set()


async def _as_paused(work: Work, schedules: list[Schedule]) -> list[Schedule]:
    """What people paused stays so in a new version of the rule."""
    known = {one.id: one for one in [await work.schedules.lock(schedule.id) for schedule in schedules] if one}
    return [
        msgspec.structs.replace(one, paused_by=known[one.id].paused_by) if one.id in known else one for one in schedules
    ]


def _read(message: Event, environment_id: str) -> tuple[Timetable, list[Schedule], str]:
    """A timetable that can't be kept is kept as a problem for people to see, not tried again and again."""
    timetable = Timetable()
    try:
        timetable = msgspec.convert(message.body, Timetable)
        schedules = schedules_of(
            timetable,
            rule_id=message.entity_id,
            organization_id=message.organization_id,
            environment_id=environment_id,
            since=message.at,
        )
    except (BadTimetable, msgspec.ValidationError) as error:
        log.warning("timetable can't be kept", rule_id=message.entity_id, reason=str(error))
        return timetable, [], str(error)
    return timetable, schedules, ""


async def _rule_deleted(app: Scheduler, message: Event, environment_id: str) -> None:
    async with app.work() as work:
        await work.timetables.delete(
            message.entity_id, message.organization_id, environment_id, message.version, message.at
        )
        await work.schedules.replace(message.entity_id, [])


async def environment_deleted(app: Scheduler, message: Event) -> None:
    """Nothing is due any more in an environment that is gone."""
    async with app.work() as work:
        await work.timetables.delete_of(message.entity_id, message.at)
        await work.definitions.delete_of(message.entity_id, message.at)
        await work.schedules.delete_of(message.entity_id)
