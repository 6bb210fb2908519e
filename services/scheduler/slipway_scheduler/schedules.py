"""A schedule: what is due, when, and what holds when times were missed or the run before goes on. Pure."""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from slipway_scheduler.times import Due


class Form(StrEnum):
    """Where a schedule's times come from, and what is made of missed ones."""

    TIMETABLE = "timetable"
    """An environment's hours: start and stop say what should be, the newest counts."""
    CRON = "cron"
    ONCE = "once"


class CatchUp(StrEnum):
    """What is made of times that were missed in an outage."""

    ONCE = "once"
    ALL = "all"
    SKIP = "skip"


class Overlap(StrEnum):
    """What holds while the run before goes on."""

    ALLOW = "allow"
    SKIP = "skip"
    BUFFER = "buffer"
    CANCEL = "cancel"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is due once, or again and again."""

    id: str
    rule_id: str
    """What it was made from: a deployment rule, a definition."""
    organization_id: str
    environment_id: str
    service_id: str = ""
    kind: str
    form: str = Form.TIMETABLE
    expression: str = ""
    timezone: str = "UTC"
    skipped: str = "run"
    doubled: str = "first"
    catch_up: str = CatchUp.ONCE
    overlap: str = Overlap.ALLOW
    longest_run_seconds: int = 3600
    jitter_seconds: int = 0
    body: str = "{}"
    """Handed on when it fires, as JSON."""
    since: datetime
    """In force since: what was due before doesn't count."""
    next_at: datetime
    """The nominal time that comes next."""
    paused: bool = False
    paused_by: str = ""
    """Who of the people paused it, whatever was put."""
    running_at: datetime | None = None
    """Nominal time of the run that nobody said the end of."""
    running_until: datetime | None = None
    waiting_at: datetime | None = None
    """Nominal time of the run that waits for the end of that one."""
    reason: str = ""

    @property
    def due(self) -> Due:
        return Due(self.expression, self.timezone, self.skipped, self.doubled)

    @property
    def is_paused(self) -> bool:
        return self.paused or bool(self.paused_by)

    @property
    def jitter(self) -> timedelta:
        """By how much it fires later than its nominal time: always the same."""
        if self.jitter_seconds <= 0:
            return timedelta()
        number = int.from_bytes(hashlib.sha256(self.id.encode()).digest()[:8], "big")
        return timedelta(milliseconds=number % (self.jitter_seconds * 1000))

    @property
    def due_at(self) -> datetime | None:
        """When it fires next. A one-shot that is paused waits; others pass their times, on record."""
        if self.is_paused and self.form == Form.ONCE:
            return None
        return self.next_at + self.jitter
