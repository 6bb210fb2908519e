"""Freezes: in force exactly inside their window, by the clock of their place, also over the end of a week."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_core import freezes
from slipway_core.freezes import WEEK, Weekly, Window, until

START = datetime(2026, 12, 24, 12, tzinfo=UTC)
CHRISTMAS = Window(starts_at=START, ends_at=START + timedelta(days=3))
WEEKEND = Weekly(timezone="Europe/Berlin", from_day="FRIDAY", from_time="16:00", to_day="MONDAY", to_time="08:00")


@pytest.mark.parametrize(("hours", "frozen"), [(-1, False), (0, True), (71, True), (72, False)])
def test_from_its_first_moment_until_its_last(hours: int, frozen: bool) -> None:
    assert until(CHRISTMAS, "PRODUCTION", START + timedelta(hours=hours)) == (CHRISTMAS.ends_at if frozen else None)


def test_only_the_modes_it_is_about() -> None:
    assert until(CHRISTMAS, "DEVELOPMENT", START) is None
    assert until(Window(modes=["DEVELOPMENT"], starts_at=START, ends_at=START + timedelta(1)), "DEVELOPMENT", START)


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("2026-06-05T13:59:00+00:00", None),
        ("2026-06-05T14:00:00+00:00", "2026-06-08T06:00:00+00:00"),
        ("2026-06-07T21:00:00+00:00", "2026-06-08T06:00:00+00:00"),
        ("2026-06-08T05:59:00+00:00", "2026-06-08T06:00:00+00:00"),
        ("2026-06-08T06:00:00+00:00", None),
        # Winter: the same wall clock, another hour of UTC.
        ("2026-12-04T14:59:00+00:00", None),
        ("2026-12-04T15:00:00+00:00", "2026-12-07T07:00:00+00:00"),
    ],
)
def test_a_weekend_by_the_clock_on_the_wall(at: str, ends: str | None) -> None:
    end = until(Window(weekly=WEEKEND), "PRODUCTION", datetime.fromisoformat(at))
    assert end == (datetime.fromisoformat(ends) if ends else None)


@given(
    st.sampled_from(WEEK), st.integers(0, 23), st.sampled_from(WEEK), st.integers(0, 23), st.datetimes().map(
        lambda at: at.replace(year=2026, tzinfo=UTC, day=min(at.day, 28))
    ),
)  # fmt: skip
def test_an_end_lies_ahead_and_is_an_end(from_day: str, begins: int, to_day: str, ends: int, now: datetime) -> None:
    weekly = Weekly(
        timezone="UTC", from_day=from_day, from_time=f"{begins:02}:00", to_day=to_day, to_time=f"{ends:02}:00"
    )
    window = Window(weekly=weekly)
    end = freezes.until(window, "PRODUCTION", now)
    if end is not None:
        assert now < end <= now + timedelta(days=7)
        assert freezes.until(window, "PRODUCTION", end) is None
        assert freezes.until(window, "PRODUCTION", end - timedelta(minutes=1)) == end
