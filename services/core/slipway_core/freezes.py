"""When nothing may be deployed: once from here to there, or every week. Pure."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

WEEK = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
WEEK_MINUTES = 7 * 24 * 60


class Weekly(msgspec.Struct, frozen=True, kw_only=True):
    """From one moment of the week to another, by the clock on the wall there."""

    timezone: str
    from_day: str
    from_time: str
    """HH:MM."""
    to_day: str
    to_time: str


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What is frozen, when, and why."""

    reason: str = ""
    modes: list[str] = msgspec.field(default_factory=lambda: ["PRODUCTION"])
    """Modes of the environments that it is about."""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    weekly: Weekly | None = None


def until(window: Window, mode: str, now: datetime) -> datetime | None:
    """When it ends, if it is in force now for an environment of this mode; else None."""
    if mode not in window.modes:
        return None
    if window.weekly is not None:
        return _weekly_until(window.weekly, now)
    if window.starts_at is None or window.ends_at is None or not window.starts_at <= now < window.ends_at:
        return None
    return window.ends_at


def _weekly_until(weekly: Weekly, now: datetime) -> datetime | None:
    zone = ZoneInfo(weekly.timezone)
    local = now.astimezone(zone)
    present = local.weekday() * 24 * 60 + local.hour * 60 + local.minute
    begins, ends = _minute(weekly.from_day, weekly.from_time), _minute(weekly.to_day, weekly.to_time)
    if (present - begins) % WEEK_MINUTES >= (ends - begins) % WEEK_MINUTES:
        return None
    days = (WEEK.index(weekly.to_day) - local.weekday()) % 7
    ends_at = time.fromisoformat(weekly.to_time)
    if days == 0 and (local.hour, local.minute) >= (ends_at.hour, ends_at.minute):
        days = 7
    return datetime.combine(local.date() + timedelta(days=days), ends_at, zone)


def _minute(day: str, at: str) -> int:
    clock = time.fromisoformat(at)
    return WEEK.index(day) * 24 * 60 + clock.hour * 60 + clock.minute
