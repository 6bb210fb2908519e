"""What the tests of cronsim, croniter and robfig/cron expect of an expression; where we differ, on purpose and said."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from slipway_scheduler import times
from slipway_scheduler.problems import BadTimetable
from slipway_scheduler.times import Due

ORACLES = Path(__file__).parent / "oracles"
DOCS = Path(__file__).parents[3] / "docs" / "schedules.md"
HEADER_LINES = 2
NAMES = ("cronsim", "croniter", "robfig")


class Row(NamedTuple):
    expression: str
    timezone: str
    after: str
    expected: str
    difference: str = ""


def rows(name: str) -> Iterator[Row]:
    for line in (ORACLES / f"{name}.tsv").read_text().splitlines()[HEADER_LINES:]:
        yield Row(*line.split("\t"))


def ours(row: Row) -> str:
    due = Due(row.expression, row.timezone)
    try:
        times.check(due)
    except BadTimetable:
        return "refused"
    return next((at.isoformat() for at in times.times_after(due, datetime.fromisoformat(row.after))), "never")


def agree(expected: str, got: str) -> bool:
    if expected.startswith("not "):
        return got not in (expected.removeprefix("not "), "refused")
    # What is never due may as well be refused.
    return got == expected or (expected == "never" and got == "refused")


@pytest.mark.parametrize("name", NAMES)
def test_we_agree_where_the_meaning_is_the_same(name: str) -> None:
    wrong = [(row, got) for row in rows(name) if not row.difference and not agree(row.expected, got := ours(row))]
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_differences_are_real_and_written_down(name: str) -> None:
    text = DOCS.read_text()
    different = [row for row in rows(name) if row.difference]
    assert different
    assert [row for row in different if agree(row.expected, ours(row))] == []
    assert {row.difference for row in different if f"`{row.difference}`" not in text} == set()


def test_the_tables_are_as_long_as_they_were() -> None:
    assert {name: len(list(rows(name))) for name in NAMES} == {"cronsim": 533, "croniter": 671, "robfig": 83}


@pytest.mark.parametrize("name", NAMES)
def test_each_step_leads_on(name: str) -> None:
    """Whatever is due next is due strictly later, and the one after it later still."""
    for row in islice(rows(name), 0, None, 7):
        if ours(row) in ("refused", "never"):
            continue
        moments = list(
            islice(times.times_after(Due(row.expression, row.timezone), datetime.fromisoformat(row.after)), 4)
        )
        assert moments == sorted(set(moments))
