"""When something is due: pure functions of an expression, a time zone and a moment.

Clock changes: what is due at fixed times counts at the first moment after the gap when its local time is skipped, and
the first time only when that comes twice; both can be chosen otherwise. What is due every minute or every hour goes by
the clock on the wall: it isn't due in an hour that doesn't exist, and goes on through one that comes twice. All moments
that go in or come out are UTC.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim

from slipway_scheduler import expressions
from slipway_scheduler.problems import BadTimetable

WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
CLOCK = re.compile(r"(?:.*T)?([01]\d|2[0-3]):([0-5]\d)(?::\d{2}.*)?")
NEAR = timedelta(hours=25)
"""A clock change that matters to a moment is not farther away than this."""
FIRST_MOMENT, LAST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Nothing is planned before or behind these."""
WINDOWS = (timedelta(hours=2), timedelta(hours=16), *(timedelta(days=8**n) for n in range(1, 6)))


class Skipped(StrEnum):
    """What becomes of a local time that a clock change leaves out."""

    RUN = "run"
    """It counts at the first moment after the gap."""
    SKIP = "skip"
    """It doesn't count that day."""


class Doubled(StrEnum):
    """What becomes of a local time that comes twice."""

    FIRST = "first"
    """It counts the first time."""
    BOTH = "both"
    """It counts both times."""


@dataclass(frozen=True)
class Due:
    """When: an expression on the clocks of a time zone."""

    expression: str
    timezone: str
    skipped: str = Skipped.RUN
    doubled: str = Doubled.FIRST


def zone(name: str) -> ZoneInfo:
    """The time zone of this name; BadTimetable when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadTimetable(f"{name!r} is not a time zone; one is named like Europe/Berlin.") from error


def clock_time(text: str) -> tuple[int, int]:
    """Hour and minute of `19:00`, or of the reference's `1970-01-01T19:00:00.000Z`, whose date means nothing."""
    match = CLOCK.fullmatch(text)
    if match is None:
        raise BadTimetable(f"{text!r} is not a time of day; one looks like 19:00.")
    return int(match[1]), int(match[2])


def weekly(time: tuple[int, int], weekdays: Sequence[str], later_days: int = 0) -> str:
    """The cron expression for a time of day on weekdays (`MONDAY` …), or so many days after them."""
    unknown = [day for day in weekdays if day not in WEEKDAYS]
    if unknown:
        raise BadTimetable(f"{unknown[0]!r} is not a weekday.")
    days = sorted({(WEEKDAYS.index(day) + later_days) % 7 for day in weekdays})
    return f"{time[1]} {time[0]} * * {','.join(WEEKDAYS[day][:3] for day in days)}"


def times_after(due: Due, after: datetime) -> Iterator[datetime]:
    """The moments at which this is due, strictly after `after`, in order."""
    last = after
    for moment in _in_order(due, after):
        if moment > LAST_MOMENT:
            return
        if moment > last:
            last = moment
            yield moment


def _in_order(due: Due, after: datetime) -> Iterator[datetime]:
    """Moments for each local time from around `after` on, some of them before it, one perhaps twice."""
    clock = zone(due.timezone)
    expression = expressions.parse(due.expression)
    run = due.skipped == Skipped.RUN and not expression.frequent
    both = due.doubled == Doubled.BOTH or expression.frequent
    second_times: list[datetime] = []
    for local in CronSim(expression.text, _local_start(clock, after)):
        first, second = _moments(clock, local)
        if first < second:
            yield first
            if both:
                second_times.append(second)
            continue
        yield from second_times
        second_times.clear()
        if first == second:
            yield first
        elif run:
            yield _end_of_gap(clock, second, first)
    yield from second_times


def _local_start(clock: ZoneInfo, after: datetime) -> datetime:
    """A local time such that all that is due after `after` is due after it: earlier where clocks are put back."""
    offsets = [_offset(clock, moment) for moment in (after - NEAR, after, after + NEAR)]
    local = after.replace(tzinfo=None) + offsets[1]
    if offsets[0] == offsets[1] == offsets[2]:
        return local
    return local - (max(offsets) - min(offsets)) - timedelta(minutes=1)


def _offset(clock: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(clock).utcoffset() or timedelta()


def _moments(clock: ZoneInfo, local: datetime) -> tuple[datetime, datetime]:
    """When this local time is: equal, first before second when it comes twice, second before first in a gap."""
    first = local.replace(tzinfo=clock)
    offset, other = first.utcoffset(), first.replace(fold=1).utcoffset()
    one = (local - (offset or timedelta())).replace(tzinfo=UTC)
    if other == offset:
        return one, one
    return one, (local - (other or timedelta())).replace(tzinfo=UTC)


def _end_of_gap(clock: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The moment between these two at which the clock is put forward."""
    later = _offset(clock, after)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if _offset(clock, middle) == later:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


@lru_cache(maxsize=8192)
def next_after(due: Due, after: datetime) -> datetime:
    """The first moment after `after` at which this is due."""
    for at in times_after(due, after):
        return at
    raise BadTimetable(f"{due.expression!r} is never due.")


def check(due: Due) -> None:
    """Refuse what can't be kept."""
    expressions.parse(due.expression)
    zone(due.timezone)


def moment(at: datetime) -> datetime:
    """A moment that somebody named, in UTC; BadTimetable when nothing can be planned there."""
    if at.tzinfo is None:
        raise BadTimetable("A moment needs its offset from UTC.")
    if not FIRST_MOMENT <= at <= LAST_MOMENT:
        raise BadTimetable(f"A moment lies between the years {FIRST_MOMENT.year} and {LAST_MOMENT.year}.")
    return at.astimezone(UTC)


def newest_due(due: Due, since: datetime, now: datetime) -> datetime | None:
    """The newest moment in (since, now] at which this was due, however many were missed before it."""
    newest = newest_few(due, since, now, 1)
    return newest[-1] if newest else None


def newest_few(due: Due, since: datetime, now: datetime, most: int) -> list[datetime]:
    """The newest of the moments in (since, now], in order, `most` at most: a long outage costs no more than a short."""
    for window in WINDOWS:
        start = max(since, now - window)
        found = []
        for moment in times_after(due, start):
            if moment > now:
                break
            found.append(moment)
        if len(found) >= most or start == since:
            return found[-most:]
    return found[-most:]


def oldest_few(due: Due, since: datetime, now: datetime, most: int) -> list[datetime]:
    """The oldest of the moments in (since, now], in order, `most` at most."""
    found: list[datetime] = []
    for moment in times_after(due, since):
        if moment > now or len(found) == most:
            break
        found.append(moment)
    return found
