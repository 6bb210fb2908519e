"""From an environment's timetable to its schedules. Pure."""

import uuid
from datetime import datetime

import msgspec

from slipway_scheduler import times
from slipway_scheduler.problems import BadTimetable
from slipway_scheduler.schedules import Schedule

START, STOP = "environment-start", "environment-stop"
NAMESPACE = uuid.UUID("0b1f6c3e-6c43-5f0e-9a54-6b1b8a3c8f11")


class Timetable(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment rule says of an environment's hours."""

    auto_stop: bool = False
    timezone: str = "UTC"
    start_time: str = ""
    stop_time: str = ""
    weekdays: list[str] = []


def schedules_of(
    timetable: Timetable, *, rule_id: str, organization_id: str, environment_id: str, since: datetime
) -> list[Schedule]:
    """The schedules of a timetable; none when it is off. Their ids stay the same over changes of the rule."""
    if not timetable.auto_stop or not timetable.weekdays:
        return []
    start, stop = times.clock_time(timetable.start_time), times.clock_time(timetable.stop_time)
    if start == stop:
        raise BadTimetable("Start and stop are at the same time.")
    # Hours over midnight belong to the day on which they begin, so they end on the day after.
    expressions = (
        (START, start, times.weekly(start, timetable.weekdays)),
        (STOP, stop, times.weekly(stop, timetable.weekdays, later_days=1 if stop < start else 0)),
    )
    return [
        Schedule(
            id=str(uuid.uuid5(NAMESPACE, f"{rule_id} {kind}")),
            rule_id=rule_id,
            organization_id=organization_id,
            environment_id=environment_id,
            kind=kind,
            expression=expression,
            timezone=timetable.timezone,
            since=since,
            next_at=times.next_after(times.Due(expression, timetable.timezone), since),
            reason=f"timetable: {'start' if kind == START else 'stop'} at {_shown(at)} ({timetable.timezone})",
        )
        for kind, at, expression in expressions
    ]


def _shown(time: tuple[int, int]) -> str:
    return f"{time[0]:02}:{time[1]:02}"
