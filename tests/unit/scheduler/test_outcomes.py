"""What comes of a due schedule: catching up, overlaps, pauses, jitter, one-shots."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_contracts.schedules import PutSchedule
from slipway_scheduler import outcomes, times
from slipway_scheduler.definitions import schedule_of
from slipway_scheduler.outcomes import Decision, decide
from slipway_scheduler.problems import BadTimetable
from slipway_scheduler.schedules import Schedule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def hourly(**changes: Any) -> Schedule:
    return scheduled(**{"expression": "0 * * * *"} | changes)


def scheduled(since: datetime = NOON, **changes: Any) -> Schedule:
    return schedule_of(PutSchedule(**{"id": "s", "kind": "cron-job", "organization_id": "o"} | changes), since)


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return NOON.replace(hour=hour, minute=minute, second=second)


def came(decision: Decision) -> list[tuple[int, str]]:
    return [(firing.nominal_at.hour, firing.outcome) for firing in decision.firings]


def after(decision: Decision) -> Schedule:
    assert decision.schedule is not None
    return decision.schedule


def test_on_time_it_fires_and_is_due_again() -> None:
    decision = decide(hourly(), [], at(13, 0, 1))
    assert came(decision) == [(13, "fired")]
    assert after(decision).next_at == at(14)


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("once", [(13, "missed"), (14, "missed"), (15, "missed"), (16, "late")]),
        ("all", [(13, "late"), (14, "late"), (15, "late"), (16, "late")]),
        ("skip", [(13, "missed"), (14, "missed"), (15, "missed"), (16, "missed")]),
    ],
)
def test_what_was_missed_is_caught_up_as_chosen(catch_up: str, expected: list[tuple[int, str]]) -> None:
    decision = decide(hourly(catch_up=catch_up), [], at(16, 30))
    assert came(decision) == expected
    assert after(decision).next_at == at(17)
    assert all(firing.why for firing in decision.firings if not firing.told)


def test_who_skips_missed_ones_still_fires_what_is_due_this_minute() -> None:
    assert came(decide(hourly(catch_up="skip"), [], at(14, 0, 20))) == [(13, "missed"), (14, "fired")]


@pytest.mark.parametrize("catch_up", ["once", "all"])
def test_a_time_that_the_expression_no_longer_has_comes_out_too(catch_up: str) -> None:
    """The clocks of a zone were decided otherwise since the next time was set."""
    schedule = msgspec.structs.replace(hourly(catch_up=catch_up), next_at=at(12, 30))
    first, second = decide(schedule, [], at(13, 0, 5)).firings
    assert (first.nominal_at, second.nominal_at) == (at(12, 30), at(13))
    assert (first.outcome, second.outcome) == ("missed" if catch_up == "once" else "late", "fired")


def test_a_long_outage_records_the_newest_and_says_since_when() -> None:
    decision = decide(scheduled(expression="* * * * *"), [], NOON + timedelta(days=400))
    assert len(decision.firings) == outcomes.MOST_MISSED + 1
    assert [firing.outcome for firing in decision.firings[-2:]] == ["missed", "fired"]
    assert "2026-06-01T12:01" in decision.firings[0].why
    assert decision.firings[-1].nominal_at == NOON + timedelta(days=400)


def test_catching_up_all_goes_on_in_portions_without_a_gap() -> None:
    schedule, now, fired = scheduled(expression="* * * * *", catch_up="all"), at(15), []
    while schedule.next_at <= now:
        decision = decide(schedule, [], now)
        assert len(decision.firings) <= outcomes.MOST_AT_ONCE
        fired += [firing.nominal_at for firing in decision.firings]
        schedule = after(decision)
    assert fired == [NOON + timedelta(minutes=n + 1) for n in range(180)]


def test_overlap_allow_fires_whatever_runs() -> None:
    schedule = after(decide(hourly(overlap="allow"), [], at(13)))
    assert came(decide(schedule, [], at(14))) == [(14, "fired")]


def test_overlap_skip_leaves_out_what_is_due_while_the_run_before_goes_on() -> None:
    schedule = after(decide(hourly(overlap="skip", longest_run_seconds=9000), [], at(13)))
    decision = decide(schedule, [], at(14))
    assert came(decision) == [(14, "skipped")]
    assert "13:00" in decision.firings[0].why
    ended = after(outcomes.end(after(decision), at(13), at(14, 10)))
    assert came(decide(ended, [], at(15))) == [(15, "fired")]
    # Nobody said the end: it counts as over after its longest time.
    assert came(decide(after(decision), [], at(16))) == [(15, "missed"), (16, "fired")]


def test_overlap_buffer_keeps_one_until_the_run_before_has_ended() -> None:
    schedule = after(decide(hourly(overlap="buffer", longest_run_seconds=86_000), [], at(13)))
    waiting = decide(schedule, [], at(14))
    assert waiting.firings == []
    full = decide(after(waiting), [], at(15))
    assert came(full) == [(15, "skipped")]
    assert came(outcomes.end(after(full), at(12), at(15, 10))) == [], "another run ended"
    ended = outcomes.end(after(full), at(13), at(15, 10))
    assert came(ended) == [(14, "late")]
    assert after(ended).running_at == at(14)
    assert after(ended).waiting_at is None


def test_overlap_buffer_fires_in_order_when_nobody_said_the_end() -> None:
    schedule = after(decide(hourly(overlap="buffer", longest_run_seconds=5000), [], at(13)))
    schedule = after(decide(schedule, [], at(14)))
    decision = decide(schedule, [], at(15))
    assert came(decision) == [(14, "late")]
    assert after(decision).waiting_at == at(15)


def test_overlap_cancel_fires_and_says_so() -> None:
    schedule = after(decide(hourly(overlap="cancel"), [], at(13)))
    (firing,) = decide(msgspec.structs.replace(schedule, running_until=at(15)), [], at(14)).firings
    assert (firing.outcome, firing.cancel_running) == ("fired", True)


def test_paused_times_pass_on_record() -> None:
    decision = decide(msgspec.structs.replace(hourly(), paused_by="ada"), [], at(13))
    assert came(decision) == [(13, "skipped")]
    assert decision.firings[0].why == "paused by ada"
    assert after(decision).next_at == at(14)


def test_a_one_shot_fires_once_waits_while_paused_and_can_be_too_late() -> None:
    once = scheduled(at=at(13), kind="preview-stop")
    assert decide(once, [], at(13)).schedule is None
    assert came(decide(once, [], at(13))) == [(13, "fired")]
    assert came(decide(once, [], at(18))) == [(13, "late")]
    assert came(decide(scheduled(at=at(13), catch_up="skip"), [], at(18))) == [(13, "missed")]
    assert msgspec.structs.replace(once, paused=True).due_at is None


@given(st.text(min_size=1, max_size=20), st.integers(1, 86_400))
def test_jitter_is_always_the_same_and_within_its_limit(id: str, seconds: int) -> None:
    schedule = msgspec.structs.replace(hourly(jitter_seconds=seconds), id=id)
    assert timedelta() <= schedule.jitter < timedelta(seconds=seconds)
    assert schedule.jitter == msgspec.structs.replace(schedule, next_at=at(20)).jitter
    assert schedule.due_at == schedule.next_at + schedule.jitter


def test_jitter_spreads() -> None:
    jitters = {msgspec.structs.replace(hourly(jitter_seconds=60), id=str(n)).jitter for n in range(1000)}
    assert len(jitters) > 950


def test_jitter_longer_than_the_interval_loses_nothing() -> None:
    schedule = msgspec.structs.replace(scheduled(expression="* * * * *", jitter_seconds=86_400), id="x")
    assert schedule.jitter > timedelta(minutes=2)
    fired = []
    for _ in range(10):
        assert schedule.due_at is not None
        decision = decide(schedule, [], schedule.due_at)
        fired += came(decision)
        schedule = after(decision)
    assert [outcome for _, outcome in fired] == ["fired"] * 10


@given(
    st.sampled_from(["once", "all", "skip"]),
    st.sampled_from(["allow", "skip", "buffer", "cancel"]),
    st.lists(st.integers(1, 5000), min_size=1, max_size=30),
    st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_whatever_happens_each_nominal_time_comes_out_once(
    catch_up: str, overlap: str, minutes: list[int], ends: list[bool]
) -> None:
    """Replicas come and go at random, runs end or don't: no nominal time twice, none forgotten below the cap."""
    schedule = hourly(catch_up=catch_up, overlap=overlap, longest_run_seconds=7200)
    now, seen = NOON, []
    for step, ended in zip(minutes, ends, strict=False):
        now += timedelta(minutes=step)
        while schedule.next_at <= now:
            decision = decide(schedule, [], now)
            seen += [firing.nominal_at for firing in decision.firings]
            schedule = after(decision)
        if ended and schedule.running_at:
            decision = outcomes.end(schedule, schedule.running_at, now)
            seen += [firing.nominal_at for firing in decision.firings]
            schedule = after(decision)
    expected = set(times.oldest_few(schedule.due, NOON, now, 10**6)) - {schedule.waiting_at}
    assert len(seen) == len(set(seen))
    assert set(seen) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"expression": ""},
        {"expression": "0 * * * *", "at": NOON},
        {"expression": "0 * * * *", "kind": "a.b"},
        {"expression": "0 * * * *", "kind": "*"},
        {"expression": "0 * * * *", "id": ""},
        {"expression": "0 * * * *", "id": "a\nb"},
        {"expression": "0 * * * *", "timezone": "Mars/Olympus"},
        {"expression": "0 * * * *", "skipped": "maybe"},
        {"expression": "0 * * * *", "overlap": "all"},
        {"expression": "0 * * * *", "jitter_seconds": -1},
        {"expression": "0 * * * *", "jitter_seconds": 10**9},
        {"expression": "0 * * * *", "longest_run_seconds": 0},
        {"expression": "0 * * * *", "reason": "x" * 501},
        {"expression": "0 * * * *", "body": {"x": "y" * 5000}},
        {"expression": "0 * * *"},
        {"expression": "", "at": datetime(9999, 12, 31, 23, tzinfo=UTC)},
        {"expression": "", "at": datetime(1, 1, 1, tzinfo=UTC)},
        {"expression": "", "at": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is the case
    ],
)
def test_what_is_wrong_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadTimetable):
        scheduled(**changes)
