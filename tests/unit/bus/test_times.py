"""Delays grow and are bounded; the server's time stamps are read whatever their fraction."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_bus.consuming import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, delay_seconds
from slipway_bus.direct import parse_time


@given(st.integers(1, 10**6))
def test_a_delay_is_never_nothing_and_never_too_long(attempt: int) -> None:
    assert FIRST_DELAY_SECONDS * 0.8 <= delay_seconds(attempt) <= LONGEST_DELAY_SECONDS * 1.2


def test_delays_grow() -> None:
    assert delay_seconds(4) > delay_seconds(1)
    assert delay_seconds(8) > delay_seconds(4)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-01-02T03:04:05Z", 0),
        ("2026-01-02T03:04:05.6Z", 600000),
        ("2026-01-02T03:04:05.123456789Z", 123456),
        ("2026-01-02T03:04:05.000001Z", 1),
    ],
)
def test_a_time_stamp_is_read(text: str, microsecond: int) -> None:
    assert parse_time(text) == datetime(2026, 1, 2, 3, 4, 5, microsecond, UTC)
