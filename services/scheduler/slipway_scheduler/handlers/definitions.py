"""Cron jobs and one-shots: as core tells of services, and as it asks over the bus."""

from itertools import islice

import msgspec
import structlog

from slipway_contracts.events import Event
from slipway_contracts.schedules import (
    PreviewSchedule,
    PutSchedule,
    RemoveSchedule,
    RunEnded,
    ScheduleAnswer,
    SchedulePreview,
)
from slipway_errors import Fault
from slipway_scheduler import definitions, times
from slipway_scheduler.app import Scheduler, Work
from slipway_scheduler.handlers.firing import record
from slipway_scheduler.outcomes import end
from slipway_scheduler.problems import BadTimetable
from slipway_scheduler.schedules import Schedule

MOST_PREVIEWED = 100
FOR_EVER = 2**62
"""The version of a deletion: services don't come back."""
log = structlog.get_logger()


async def service_changed(app: Scheduler, message: Event) -> None:
    """Take over when a job is due. What says nothing of times changes nothing."""
    if message.verb == "deleted":
        async with app.work() as work:
            await _remove(work, message.entity_id, message.organization_id, message.environment_id, FOR_EVER)
        return
    if message.body.get("kind") != "JOB" or "schedule" not in message.body:
        return
    schedule, problem = None, ""
    try:
        put = definitions.of_service(message)
        schedule = definitions.schedule_of(put, message.at) if put else None
    except (BadTimetable, TypeError, AttributeError) as error:
        problem = str(error)
        log.warning("cron job can't be kept", service_id=message.entity_id, reason=problem)
    async with app.work() as work:
        ids = (message.entity_id, message.organization_id, message.environment_id)
        if await work.definitions.put(*ids, message.version, problem, message.at):
            await _replace(work, message.entity_id, schedule)
    app.changed.set()


async def put(app: Scheduler, message: PutSchedule, ids: dict[str, str]) -> ScheduleAnswer:
    """Keep a schedule, unless it is wrong; a version that is known, or too old, changes nothing."""
    try:
        schedule = definitions.schedule_of(message, app.now())
        async with app.work() as work:
            one = (message.id, message.organization_id, message.environment_id)
            if not await work.definitions.put(*one, message.version, "", work.now):
                return ScheduleAnswer(code="schedule.known", message="This version, or a newer one, is known.")
            await _replace(work, message.id, schedule)
    except Fault as fault:
        return ScheduleAnswer(ok=False, code=fault.code, message=fault.detail, position=fault.facts.get("position", -1))
    app.changed.set()
    return ScheduleAnswer(next_at=schedule.next_at)


async def remove(app: Scheduler, message: RemoveSchedule, ids: dict[str, str]) -> ScheduleAnswer:
    """Nothing is due any more under this id."""
    try:
        async with app.work() as work:
            await _remove(work, message.id, "", "", message.version)
    except Fault as fault:
        return ScheduleAnswer(ok=False, code=fault.code, message=fault.detail)
    return ScheduleAnswer()


async def ended(app: Scheduler, message: RunEnded, ids: dict[str, str]) -> ScheduleAnswer:
    """A run has come to its end: the one that waited for it fires."""
    try:
        async with app.work() as work:
            schedule = await work.schedules.lock(message.schedule_id)
            if schedule is not None:
                decision = end(schedule, message.nominal_at, work.now)
                await record(work, [decision])
                await work.schedules.advance([decision.schedule] if decision.schedule else [])
    except Fault as fault:
        return ScheduleAnswer(ok=False, code=fault.code, message=fault.detail)
    return ScheduleAnswer()


async def preview(app: Scheduler, message: PreviewSchedule, ids: dict[str, str]) -> SchedulePreview:
    """When this would be due next, before anything is saved."""
    due = times.Due(message.expression, message.timezone, message.skipped, message.doubled)
    try:
        times.check(due)
        count = max(1, min(message.count, MOST_PREVIEWED))
        return SchedulePreview(
            runs=list(islice(times.times_after(due, times.moment(message.after or app.now())), count))
        )
    except Fault as fault:
        return SchedulePreview(
            ok=False, code=fault.code, message=fault.detail, position=fault.facts.get("position", -1)
        )


async def _replace(work: Work, id: str, schedule: Schedule | None) -> None:
    """A schedule whose times stay the same keeps what is due: saving it in an outage loses nothing."""
    if schedule is None:
        await work.schedules.replace(id, [])
        return
    known = await work.schedules.lock(schedule.id)
    if known is not None:
        next_at = known.next_at if known.expression and known.due == schedule.due else schedule.next_at
        schedule = msgspec.structs.replace(schedule, next_at=next_at, paused_by=known.paused_by)
    await work.schedules.replace(id, [schedule])


async def _remove(work: Work, id: str, organization_id: str, environment_id: str, version: int) -> None:
    if await work.definitions.delete(id, organization_id, environment_id, version, work.now):
        await work.schedules.replace(id, [])
