"""From what others ask to be told of, cron jobs of services and one-shots, to a schedule. Pure."""

import re
from datetime import datetime
from typing import Any

import msgspec

from slipway_contracts.events import Event
from slipway_contracts.schedules import PutSchedule
from slipway_scheduler import times
from slipway_scheduler.problems import BadTimetable
from slipway_scheduler.schedules import CatchUp, Form, Overlap, Schedule

CRON_JOB = "cron-job"
KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
LONGEST_JITTER_SECONDS = 86_400
LONGEST_RUN_SECONDS = 30 * 86_400
MOST_BODY_BYTES = 4096
CHOICES: dict[str, type[times.Skipped] | type[times.Doubled] | type[CatchUp] | type[Overlap]] = {
    "skipped": times.Skipped,
    "doubled": times.Doubled,
    "catch_up": CatchUp,
    "overlap": Overlap,
}


class CronJob(msgspec.Struct, frozen=True, kw_only=True):
    """`schedule.cronjob` of a job, as the public API has it, and what can be chosen beside it."""

    scheduled_at: str
    timezone: str = "UTC"
    skipped: str = times.Skipped.RUN
    doubled: str = times.Doubled.FIRST
    catch_up: str = CatchUp.ONCE
    overlap: str = Overlap.ALLOW
    longest_run_seconds: int = 3600
    jitter_seconds: int = 0
    paused: bool = False


def of_service(event: Event) -> PutSchedule | None:
    """What a job wants to be told; None when it is not due at times."""
    schedule: dict[str, Any] = event.body["schedule"] or {}
    if not schedule.get("cronjob"):
        return None
    try:
        job = msgspec.convert(schedule["cronjob"], CronJob)
    except msgspec.ValidationError as error:
        raise BadTimetable(str(error)) from error
    chosen = msgspec.structs.asdict(job)
    expression = chosen.pop("scheduled_at")
    return PutSchedule(
        id=event.entity_id,
        kind=CRON_JOB,
        organization_id=event.organization_id,
        environment_id=event.environment_id,
        service_id=event.entity_id,
        version=event.version,
        expression=expression,
        reason=f"cron job: {expression} ({job.timezone})",
        **chosen,
    )


def schedule_of(put: PutSchedule, since: datetime) -> Schedule:
    """The schedule that is asked for; BadTimetable says what is wrong with it."""
    _check(put)
    due = times.Due(put.expression, put.timezone, put.skipped, put.doubled)
    return Schedule(
        id=put.id,
        rule_id=put.id,
        organization_id=put.organization_id,
        environment_id=put.environment_id,
        service_id=put.service_id,
        kind=put.kind,
        form=Form.ONCE if put.at else Form.CRON,
        expression=put.expression,
        timezone=put.timezone,
        skipped=put.skipped,
        doubled=put.doubled,
        catch_up=put.catch_up,
        overlap=put.overlap,
        longest_run_seconds=put.longest_run_seconds,
        jitter_seconds=put.jitter_seconds,
        body=msgspec.json.encode(put.body).decode(),
        since=since,
        next_at=times.moment(put.at) if put.at else times.next_after(due, since),
        paused=put.paused,
        reason=put.reason,
    )


def _check(put: PutSchedule) -> None:
    if not KIND.fullmatch(put.kind):
        raise BadTimetable(f"{put.kind!r} is not a kind: letters, digits and dashes, 64 at most.")
    if not put.id or len(put.id) > 128 or not put.id.isascii() or not put.id.isprintable():
        raise BadTimetable("A schedule needs an id of 128 characters at most.")
    if bool(put.expression) == (put.at is not None):
        raise BadTimetable("A schedule has either an expression or a moment.")
    for name, choice in CHOICES.items():
        if getattr(put, name) not in list(choice):
            raise BadTimetable(f"{name} is one of {', '.join(choice)}.")
    if not 0 <= put.jitter_seconds <= LONGEST_JITTER_SECONDS:
        raise BadTimetable(f"jitter_seconds is between 0 and {LONGEST_JITTER_SECONDS}.")
    if not 1 <= put.longest_run_seconds <= LONGEST_RUN_SECONDS:
        raise BadTimetable(f"longest_run_seconds is between 1 and {LONGEST_RUN_SECONDS}.")
    if len(put.reason) > 500 or len(msgspec.json.encode(put.body)) > MOST_BODY_BYTES:
        raise BadTimetable(f"The reason has 500 characters at most, the body {MOST_BODY_BYTES} bytes.")
    times.zone(put.timezone)
