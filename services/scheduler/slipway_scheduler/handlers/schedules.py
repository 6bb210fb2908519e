"""What people see of schedules: what is due next, what fired; what they pause, and try before they save it."""

from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec
import structlog

from slipway_errors import NotFound
from slipway_http import Call
from slipway_scheduler import times
from slipway_scheduler.app import Scheduler
from slipway_scheduler.schedules import Schedule
from slipway_scheduler.stores.firings import FiringRow

Count = Annotated[int, msgspec.Meta(ge=1, le=100)]
log = structlog.get_logger()


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """How much to show."""

    count: Count = 10


class FiringsPage(msgspec.Struct, frozen=True, kw_only=True):
    """How much to show, and of what."""

    count: Count = 10
    outcome: Literal["", "fired", "late", "missed", "skipped"] = ""
    schedule: str = ""
    """Id of a schedule."""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """An expression that may be saved later."""

    expression: str
    timezone: str = "UTC"
    skipped: times.Skipped = times.Skipped.RUN
    doubled: times.Doubled = times.Doubled.FIRST
    after: datetime | None = None
    count: Count = 10


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule of an environment."""

    id: str
    kind: str
    form: str
    service_id: str
    expression: str
    timezone: str
    skipped: str
    doubled: str
    catch_up: str
    overlap: str
    jitter_seconds: int
    next_at: datetime
    due_at: datetime | None
    is_paused: bool
    paused_by: str
    running_at: datetime | None
    waiting_at: datetime | None
    reason: str


class SchedulesView(msgspec.Struct, frozen=True, kw_only=True):
    """The schedules of an environment, and why its timetable or a job's can't be kept, if so."""

    results: list[ScheduleView]
    problem: str = ""


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """One moment at which something will be due."""

    schedule_id: str
    kind: str
    at: datetime
    local_time: str
    """In the schedule's time zone, with the offset of that day."""


class RunsView(msgspec.Struct, frozen=True, kw_only=True):
    """What comes next, in order."""

    results: list[RunView]


class PreviewRun(msgspec.Struct, frozen=True, kw_only=True):
    """One moment at which an expression would be due."""

    at: datetime
    local_time: str
    clock_change: bool
    """Since the run before, the clocks of the time zone were changed."""


class PreviewView(msgspec.Struct, frozen=True, kw_only=True):
    """The next moments, in order."""

    results: list[PreviewRun]


class FiringsView(msgspec.Struct, frozen=True, kw_only=True):
    """What was due, the newest first."""

    results: list[FiringRow]


async def list_schedules(app: Scheduler, call: Call[None]) -> SchedulesView:
    """List the schedules of an environment."""
    environment_id = call.path["environmentId"]
    async with app.reading() as work:
        schedules = await work.schedules.of([environment_id])
        problem = await work.timetables.problem_of(environment_id) or await work.definitions.problem_of(environment_id)
    return SchedulesView(results=[_view(one) for one in schedules], problem=problem)


def _view(schedule: Schedule) -> ScheduleView:
    return msgspec.convert(schedule, ScheduleView, from_attributes=True)


async def next_runs(app: Scheduler, call: Call[None]) -> RunsView:
    """Show when the schedules of an environment are due next."""
    async with app.reading() as work:
        schedules = await work.schedules.of([call.path["environmentId"]])
    runs = [run for one in schedules if not one.is_paused for run in _runs(one, app.now(), call.query.count)]
    return RunsView(results=sorted(runs, key=lambda run: run.at)[: call.query.count])


def _runs(schedule: Schedule, now: datetime, count: int) -> list[RunView]:
    zone = times.zone(schedule.timezone)
    moments = islice(times.times_after(schedule.due, now), count) if schedule.expression else [schedule.next_at]
    return [
        RunView(schedule_id=schedule.id, kind=schedule.kind, at=at, local_time=at.astimezone(zone).isoformat())
        for at in (moment + schedule.jitter for moment in moments)
    ]


async def preview(app: Scheduler, call: Call[None]) -> PreviewView:
    """Show when an expression would be due next, before it is saved; a wrong one is refused with its position."""
    asked: Preview = call.query
    due = times.Due(asked.expression, asked.timezone, asked.skipped, asked.doubled)
    times.check(due)
    zone, runs = times.zone(asked.timezone), list[PreviewRun]()
    after = times.moment(asked.after or app.now())
    offset = after.astimezone(zone).utcoffset()
    for at in islice(times.times_after(due, after), asked.count):
        local = at.astimezone(zone)
        runs.append(PreviewRun(at=at, local_time=local.isoformat(), clock_change=local.utcoffset() != offset))
        offset = local.utcoffset()
    return PreviewView(results=runs)


async def list_firings(app: Scheduler, call: Call[None]) -> FiringsView:
    """List what fired, came late, was missed or skipped in an environment, the newest first."""
    asked: FiringsPage = call.query
    async with app.reading() as work:
        found = await work.firings.of(call.path["environmentId"], asked.count, asked.outcome, asked.schedule)
    return FiringsView(results=found)


async def pause(app: Scheduler, call: Call[None]) -> ScheduleView:
    """Pause a schedule: its times pass, on record, until somebody resumes it."""
    return await _set_paused_by(app, call, call.caller.name or call.caller.id)


async def resume(app: Scheduler, call: Call[None]) -> ScheduleView:
    """Let a paused schedule go on. A one-shot whose time has passed fires now."""
    return await _set_paused_by(app, call, "")


async def _set_paused_by(app: Scheduler, call: Call[Any], name: str) -> ScheduleView:
    async with app.work() as work:
        schedule = await work.schedules.lock(call.path["scheduleId"])
        if schedule is None or schedule.environment_id != call.path["environmentId"]:
            raise NotFound
        schedule = msgspec.structs.replace(schedule, paused_by=name)
        await work.schedules.pause(schedule)
    log.info("schedule paused" if name else "schedule resumed", schedule_id=schedule.id, caller=call.caller.id)
    app.changed.set()
    return _view(schedule)
