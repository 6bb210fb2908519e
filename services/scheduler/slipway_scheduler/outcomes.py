"""What comes of a schedule that is due: what fires, what is missed or skipped and why, and what is due next. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from slipway_scheduler import times
from slipway_scheduler.schedules import CatchUp, Form, Overlap, Schedule

LATE_AFTER = timedelta(seconds=60)
"""Later than this is late: the next minute has begun."""
MOST_MISSED = 100
"""So many missed times of one outage are recorded one by one; the oldest of these stands for all before it."""
MOST_AT_ONCE = 50
"""So many are caught up in one go; then others have their turn."""
FIRED, LATE, MISSED, SKIPPED = "fired", "late", "missed", "skipped"


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one nominal time."""

    schedule: Schedule
    nominal_at: datetime
    outcome: str
    """fired, late, missed, skipped."""
    superseded_by: str = ""
    """The kind of what was due after it and counts instead."""
    why: str = ""
    """Why it was missed or skipped."""
    cancel_running: bool = False

    @property
    def told(self) -> bool:
        return self.outcome in (FIRED, LATE)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a due schedule."""

    firings: list[Firing]
    schedule: Schedule | None
    """As it is from now on; None: it is done."""


def decide(schedule: Schedule, siblings: Iterable[Schedule], now: datetime) -> Decision:
    """What a due schedule comes to. `siblings`: the environment's timetables, if it is one and late."""
    missed, nominal_times, next_at = _times(schedule, now)
    firings = [_missed(schedule, at, now) for at in missed]
    if missed and missed[0] > schedule.next_at:
        all_before = f"; so was every one since {schedule.next_at.isoformat()}"
        firings[0] = msgspec.structs.replace(firings[0], why=firings[0].why + all_before)
    state = schedule
    for nominal_at in nominal_times:
        state, fired = _turn(state, nominal_at, siblings, now)
        firings += fired
    if next_at is None:
        return Decision(firings=firings, schedule=None)
    return Decision(firings=firings, schedule=msgspec.structs.replace(state, next_at=next_at))


def end(schedule: Schedule, nominal_at: datetime, now: datetime) -> Decision:
    """What comes of the end of a run: the one that waited for it fires."""
    if schedule.running_at != nominal_at:
        return Decision(firings=[], schedule=schedule)
    state = msgspec.structs.replace(schedule, running_at=None, running_until=None)
    state, firings = _fire_waiting(state, now)
    return Decision(firings=firings, schedule=state)


def _times(schedule: Schedule, now: datetime) -> tuple[list[datetime], list[datetime], datetime | None]:
    """The nominal times that were missed, those that count, and the next one."""
    first, latest = schedule.next_at, now - schedule.jitter
    if schedule.form == Form.ONCE:
        return [], [first], None
    following = times.next_after(schedule.due, first)
    if following > latest:
        return [], [first], following
    if schedule.catch_up == CatchUp.ALL and schedule.form == Form.CRON:
        found = [first, *times.oldest_few(schedule.due, first, latest, MOST_AT_ONCE - 1)]
        return [], found, times.next_after(schedule.due, found[-1])
    found = times.newest_few(schedule.due, first, latest, MOST_MISSED + 1)
    found = found if len(found) > MOST_MISSED else [first, *found]
    return found[:-1], found[-1:], times.next_after(schedule.due, found[-1])


def _missed(schedule: Schedule, at: datetime, now: datetime) -> Firing:
    instead = "a later one counts" if schedule.catch_up == CatchUp.ONCE else "missed ones are not caught up"
    why = f"nobody was there until {now.isoformat(timespec='seconds')}; {instead}"
    return Firing(schedule=schedule, nominal_at=at, outcome=MISSED, why=why)


def _turn(
    schedule: Schedule, at: datetime, siblings: Iterable[Schedule], now: datetime
) -> tuple[Schedule, list[Firing]]:
    """What one nominal time comes to, and the schedule after it."""
    late = now - at - schedule.jitter > LATE_AFTER
    if schedule.is_paused:
        by = f" by {schedule.paused_by}" if schedule.paused_by else ""
        return schedule, [Firing(schedule=schedule, nominal_at=at, outcome=SKIPPED, why=f"paused{by}")]
    if schedule.form == Form.TIMETABLE:
        if late and (newer := _newer_than(at, siblings, now)):
            why = f"{newer.kind} was due later and counts"
            skipped = Firing(schedule=schedule, nominal_at=at, outcome=SKIPPED, superseded_by=newer.kind, why=why)
            return schedule, [skipped]
    elif late and schedule.catch_up == CatchUp.SKIP:
        return schedule, [_missed(schedule, at, now)]
    if schedule.overlap != Overlap.ALLOW:
        return _overlapping(schedule, at, now)
    return _run(schedule, at, now)


def _newer_than(at: datetime, siblings: Iterable[Schedule], now: datetime) -> Schedule | None:
    """The start or stop that was due after this one: it says what should be now."""
    newer = None
    for sibling in siblings:
        due = times.newest_due(sibling.due, sibling.since, now)
        if due is not None and due > at:
            newer = sibling
    return newer


def _overlapping(schedule: Schedule, at: datetime, now: datetime) -> tuple[Schedule, list[Firing]]:
    before: list[Firing] = []
    if not _is_running(schedule, now):
        schedule, before = _fire_waiting(schedule, now)
    if not _is_running(schedule, now) or schedule.overlap == Overlap.CANCEL:
        schedule, fired = _run(schedule, at, now, cancel=_is_running(schedule, now))
        return schedule, before + fired
    if schedule.overlap == Overlap.BUFFER and schedule.waiting_at is None:
        return msgspec.structs.replace(schedule, waiting_at=at), before
    running = f"the run of {schedule.running_at.isoformat()} goes on" if schedule.running_at else ""
    why = f"{running}, and one waits for it already" if schedule.waiting_at else running
    return schedule, [*before, Firing(schedule=schedule, nominal_at=at, outcome=SKIPPED, why=why)]


def _is_running(schedule: Schedule, now: datetime) -> bool:
    return schedule.running_until is not None and schedule.running_until > now


def _fire_waiting(schedule: Schedule, now: datetime) -> tuple[Schedule, list[Firing]]:
    if schedule.waiting_at is None:
        return schedule, []
    return _run(msgspec.structs.replace(schedule, waiting_at=None), schedule.waiting_at, now)


def _run(schedule: Schedule, at: datetime, now: datetime, cancel: bool = False) -> tuple[Schedule, list[Firing]]:
    late = now - at - schedule.jitter > LATE_AFTER
    firing = Firing(schedule=schedule, nominal_at=at, outcome=LATE if late else FIRED, cancel_running=cancel)
    if schedule.overlap == Overlap.ALLOW:
        return schedule, [firing]
    until = now + timedelta(seconds=schedule.longest_run_seconds)
    return msgspec.structs.replace(schedule, running_at=at, running_until=until), [firing]
