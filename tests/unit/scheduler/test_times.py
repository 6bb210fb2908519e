"""When something is due, clock changes and leap days included; what counts after an outage."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from slipway_scheduler import times
from slipway_scheduler.outcomes import decide
from slipway_scheduler.problems import BadTimetable
from slipway_scheduler.schedules import Schedule
from slipway_scheduler.times import Due
from slipway_scheduler.timetables import START, STOP, Timetable, schedules_of

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(expression: str, zone: str, after: str, count: int) -> list[str]:
    moments = islice(times.times_after(Due(expression, zone), utc(after)), count)
    return [moment.strftime("%m-%d %H:%M") for moment in moments]


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        # Berlin, 29 March 2026: 02:00 becomes 03:00 (01:00 UTC). 02:30 counts at the first moment after the gap.
        (BERLIN, "30 2 * * *", "2026-03-28 00:00", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
        (BERLIN, "0 2 * * *", "2026-03-28 12:00", ["03-29 01:00", "03-30 00:00"]),
        (BERLIN, "0 3 * * *", "2026-03-28 12:00", ["03-29 01:00", "03-30 01:00"]),
        # Asked inside the gap's first hour: today's is over.
        (BERLIN, "30 2 * * *", "2026-03-29 01:00", ["03-30 00:30"]),
        # Berlin, 25 October 2026: 03:00 becomes 02:00 (01:00 UTC). 02:30 comes twice and counts once, the first time.
        (BERLIN, "30 2 * * *", "2026-10-24 00:00", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        (BERLIN, "30 2 * * *", "2026-10-25 00:45", ["10-26 01:30"]),
        (BERLIN, "30 2 * * *", "2026-10-25 01:10", ["10-26 01:30"]),
        # What runs often goes on through both hours.
        (BERLIN, "*/30 * * * *", "2026-10-25 00:00", ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]),
        # New York, 8 March and 1 November 2026.
        (NEW_YORK, "30 2 * * *", "2026-03-07 12:00", ["03-08 07:00", "03-09 06:30"]),
        (NEW_YORK, "30 1 * * *", "2026-10-31 12:00", ["11-01 05:30", "11-02 06:30"]),
        # Lord Howe moves by half an hour: 4 October 2026 02:00 becomes 02:30 (3 October, 15:30 UTC).
        (LORD_HOWE, "15 2 * * *", "2026-10-03 00:00", ["10-03 15:30", "10-04 15:15"]),
        # A weekday in the zone, not in UTC.
        ("Pacific/Auckland", "0 8 * * MON", "2026-06-01 00:00", ["06-07 20:00"]),
        ("UTC", "0 0 29 2 *", "2026-01-01 00:00", ["02-29 00:00"]),
    ],
)
def test_due_moments(zone: str, expression: str, after: str, expected: list[str]) -> None:
    assert due(expression, zone, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("zone", "expression", "skipped", "doubled", "after", "expected"),
    [
        # Skipped: left out that day, if so chosen.
        (BERLIN, "30 2 * * *", "skip", "first", "2026-03-28 12:00", ["03-30 00:30"]),
        (BERLIN, "30 2,4 * * *", "skip", "first", "2026-03-28 12:00", ["03-29 02:30", "03-30 00:30"]),
        # Several skipped times, and one right behind the gap, count together.
        (BERLIN, "0,30 2,3 * * *", "run", "first", "2026-03-28 12:00", ["03-29 01:00", "03-29 01:30", "03-30 00:00"]),
        # Doubled: both, if so chosen; in order, also when asked in between.
        (BERLIN, "30 2 * * *", "run", "both", "2026-10-24 12:00", ["10-25 00:30", "10-25 01:30", "10-26 01:30"]),
        (BERLIN, "0,30 2 * * *", "run", "both", "2026-10-25 00:15", ["10-25 00:30", "10-25 01:00", "10-25 01:30"]),
        (BERLIN, "30 2 * * *", "run", "both", "2026-10-25 00:45", ["10-25 01:30", "10-26 01:30"]),
        (BERLIN, "30 2 * * *", "run", "both", "2026-10-25 01:10", ["10-25 01:30", "10-26 01:30"]),
        (LORD_HOWE, "45 1 * * *", "run", "both", "2026-04-04 00:00", ["04-04 14:45", "04-04 15:15", "04-05 15:15"]),
        # What runs often is not moved out of a gap: the hour isn't there.
        (BERLIN, "*/20 2 * * *", "run", "first", "2026-03-28 12:00", ["03-30 00:00"]),
        (BERLIN, "15 * * * *", "run", "first", "2026-03-29 00:00", ["03-29 00:15", "03-29 01:15", "03-29 02:15"]),
        (BERLIN, "15 * * * *", "run", "first", "2026-10-24 23:30", ["10-25 00:15", "10-25 01:15", "10-25 02:15"]),
        # Midnight that isn't there: Beirut, 29 March 2026, and a day that wasn't: Samoa, 30 December 2011.
        ("Asia/Beirut", "@daily", "run", "first", "2026-03-28 12:00", ["03-28 22:00", "03-29 21:00"]),
        (
            "Pacific/Apia",
            "0 9 * * *",
            "run",
            "first",
            "2011-12-29 00:00",
            ["12-29 19:00", "12-30 10:00", "12-30 19:00"],
        ),
        # Morocco puts its clocks back for Ramadan.
        ("Africa/Casablanca", "30 2 * * *", "run", "first", "2026-02-14 12:00", ["02-15 01:30", "02-16 02:30"]),
    ],
)
def test_clock_changes_follow_the_chosen_policy(
    zone: str, expression: str, skipped: str, doubled: str, after: str, expected: list[str]
) -> None:
    moments = islice(times.times_after(Due(expression, zone, skipped, doubled), utc(after)), len(expected))
    assert [moment.strftime("%m-%d %H:%M") for moment in moments] == expected


ZONES = [BERLIN, NEW_YORK, LORD_HOWE, "UTC", "Asia/Kathmandu", "Africa/Casablanca", "Asia/Beirut", "America/Santiago"]


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["*/30 * * * *", "15 * * * *", "30 2 * * *", "0,30 1,2,3 * * *", "0 0 * * *", "5 */2 * * SUN"]),
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001 - made aware below
)
def test_clock_changes_agree_with_cronsim(zone: str, expression: str, start: datetime) -> None:
    """Its own handling (Debian's) is another implementation of our defaults."""
    after = start.replace(tzinfo=UTC, second=0, microsecond=0)
    theirs: list[datetime] = []
    for moment in CronSim(expression, after.astimezone(ZoneInfo(zone))):
        at = moment.astimezone(UTC)
        # Asked between the two passes of an hour, it gives the first pass again.
        if at > max([after, *theirs[-1:]]):
            theirs.append(at)
        if len(theirs) == 8:
            break
    assert list(islice(times.times_after(Due(expression, zone), after), 8)) == theirs


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["*/30 * * * *", "30 2 * * *", "0,30 1,2,3 * * *", "0 0 * * *"]),
    st.sampled_from(["run", "skip"]),
    st.sampled_from(["first", "both"]),
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001 - made aware below
    st.integers(1, 4000),
)
def test_where_one_asks_from_changes_nothing(
    zone: str, expression: str, skipped: str, doubled: str, start: datetime, minutes: int
) -> None:
    """Asking step by step, or from any moment in between, gives what asking once gives."""
    due, after = Due(expression, zone, skipped, doubled), start.replace(tzinfo=UTC)
    between = after + timedelta(minutes=minutes)
    every = list(islice(times.times_after(due, after), 12))
    rest = [moment for moment in every if moment > between]
    assert list(islice(times.times_after(due, between), len(rest))) == rest
    assert [times.next_after(due, before) for before in [after, *every[:-1]]] == every


@given(
    st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, "UTC", "Asia/Kathmandu", "America/Sao_Paulo", "Africa/Casablanca"]),
    st.integers(0, 23),
    st.integers(0, 59),
    st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001 - made aware below
)
def test_a_daily_time_is_due_once_on_each_local_day(zone: str, hour: int, minute: int, start: datetime) -> None:
    after = start.replace(tzinfo=UTC)
    moments = list(islice(times.times_after(Due(f"{minute} {hour} * * *", zone), after), 20))
    days = [moment.astimezone(ZoneInfo(zone)).date() for moment in moments]
    assert moments == sorted(set(moments))
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))


@given(st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)), st.integers(1, 40 * 24))  # noqa: DTZ001
def test_the_newest_due_is_the_last_of_all_that_were_due(start: datetime, hours: int) -> None:
    since = start.replace(tzinfo=UTC)
    now = since + timedelta(hours=hours)
    expression = "15 7 * * MON,THU"
    every = []
    for moment in times.times_after(Due(expression, BERLIN), since):
        if moment > now:
            break
        every.append(moment)
    assert times.newest_due(Due(expression, BERLIN), since, now) == (every[-1] if every else None)


@pytest.mark.parametrize("text", ["", "25:00", "8:00", "19:60", "evening", "1970-01-01"])
def test_a_wrong_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(BadTimetable):
        times.clock_time(text)


@pytest.mark.parametrize(
    ("text", "time"), [("08:05", (8, 5)), ("1970-01-01T19:00:00.000Z", (19, 0)), ("23:59:59", (23, 59))]
)
def test_a_time_of_day_is_read_also_from_the_form_of_the_reference(text: str, time: tuple[int, int]) -> None:
    assert times.clock_time(text) == time


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Europe", "\0"])
def test_a_wrong_time_zone_is_refused(name: str) -> None:
    with pytest.raises(BadTimetable):
        times.zone(name)


def schedules(start: str, stop: str, weekdays: list[str], since: str, zone: str = "UTC") -> dict[str, Schedule]:
    timetable = Timetable(auto_stop=True, timezone=zone, start_time=start, stop_time=stop, weekdays=weekdays)
    made = schedules_of(timetable, rule_id="r", organization_id="o", environment_id="e", since=utc(since))
    return {schedule.kind: schedule for schedule in made}


WORKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]


def test_hours_over_midnight_end_on_the_day_after() -> None:
    made = schedules("22:00", "06:00", ["FRIDAY"], "2026-06-01 00:00")
    assert made[START].next_at == utc("2026-06-05 22:00")
    assert made[STOP].next_at == utc("2026-06-06 06:00")


def test_a_timetable_that_is_off_or_has_no_days_gives_nothing() -> None:
    off = Timetable(auto_stop=False, start_time="08:00", stop_time="19:00", weekdays=WORKDAYS)
    assert schedules_of(off, rule_id="r", organization_id="o", environment_id="e", since=utc("2026-06-01 00:00")) == []
    assert schedules("08:00", "19:00", [], "2026-06-01 00:00") == {}


def test_start_and_stop_at_the_same_time_are_refused() -> None:
    with pytest.raises(BadTimetable):
        schedules("08:00", "08:00", WORKDAYS, "2026-06-01 00:00")


def test_ids_stay_the_same_over_changes_of_the_rule() -> None:
    before = schedules("08:00", "19:00", WORKDAYS, "2026-06-01 00:00")
    after = schedules("09:00", "20:00", ["MONDAY"], "2026-06-02 00:00", BERLIN)
    assert {kind: one.id for kind, one in before.items()} == {kind: one.id for kind, one in after.items()}
    assert before[START].id != before[STOP].id


@pytest.mark.parametrize(
    ("back_at", "counts", "nominal"),
    [
        ("2026-06-01 19:00", STOP, "2026-06-01 19:00"),
        # Away from Monday evening to Thursday noon: it should be on since Thursday morning, and nothing else happens.
        ("2026-06-04 12:00", START, "2026-06-04 08:00"),
        ("2026-06-04 23:00", STOP, "2026-06-04 19:00"),
        # Sunday: off since Friday evening.
        ("2026-06-07 12:00", STOP, "2026-06-05 19:00"),
        # Away for a year.
        ("2027-06-07 12:00", START, "2027-06-07 08:00"),
    ],
)
def test_after_an_outage_what_should_be_now_is_fired_once(back_at: str, counts: str, nominal: str) -> None:
    made = schedules("08:00", "19:00", WORKDAYS, "2026-06-01 12:00")
    now = utc(back_at)
    late = [one for one in made.values() if one.next_at <= now]
    decisions = [decide(one, made.values(), now) for one in late]
    told = [firing for decision in decisions for firing in decision.firings if firing.told]
    assert [(one.schedule.kind, one.nominal_at) for one in told] == [(counts, utc(nominal))]
    assert all(one.schedule and one.schedule.next_at > now for one in decisions)
    assert {firing.superseded_by for one in decisions for firing in one.firings} <= {"", counts}


def test_what_was_due_before_the_rule_came_into_force_does_not_count() -> None:
    made = schedules("08:00", "19:00", WORKDAYS, "2026-06-01 18:59")
    (firing,) = decide(made[STOP], made.values(), utc("2026-06-01 19:00")).firings
    assert (firing.outcome, firing.superseded_by) == ("fired", "")
    assert firing.nominal_at == utc("2026-06-01 19:00")
