"""The scheduler's tables: what is claimed by whom, noted once, kept and forgotten."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from slipway_contracts.schedules import PutSchedule
from slipway_postgres import Pool
from slipway_scheduler.app import Scheduler
from slipway_scheduler.definitions import schedule_of
from slipway_scheduler.handlers import firing
from slipway_scheduler.outcomes import Firing
from slipway_scheduler.schedules import Schedule

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
async def app(pool_of: Callable[[str], Awaitable[Pool]]) -> Scheduler:
    return Scheduler(await pool_of("scheduler"), now=lambda: NOW)


def hourly(id: str, **changes: object) -> Schedule:
    put = PutSchedule(id=id, kind="cron-job", organization_id="o", environment_id="e", expression="0 * * * *")
    return msgspec.structs.replace(schedule_of(put, NOW - timedelta(hours=1)), **changes)


async def keep(app: Scheduler, *schedules: Schedule) -> None:
    async with app.work() as work:
        for one in schedules:
            await work.schedules.replace(one.rule_id, [one])


async def test_a_schedule_comes_back_as_it_was_kept(app: Scheduler) -> None:
    kept = hourly("a", jitter_seconds=60, overlap="skip", body='{"x": "y"}', paused=True, reason="nightly")
    await keep(app, kept)
    async with app.work() as work:
        assert await work.schedules.of(["e"]) == [kept]
        assert await work.schedules.lock("a") == kept
        assert await work.schedules.lock("b") is None


async def test_what_one_replica_claimed_another_does_not_get(app: Scheduler) -> None:
    await keep(app, *(hourly(str(n)) for n in range(10)))
    async with app.work() as one, app.work() as other:
        mine, theirs = await one.schedules.claim_due(NOW, 6), await other.schedules.claim_due(NOW, 6)
    assert (len(mine), len(theirs)) == (6, 4)
    assert {each.id for each in mine}.isdisjoint(each.id for each in theirs)


async def test_nothing_is_claimed_before_its_jitter_has_passed(app: Scheduler) -> None:
    late = hourly("a", jitter_seconds=3600)
    await keep(app, late)
    async with app.work() as work:
        assert await work.schedules.claim_due(NOW, 5) == []
        assert await work.schedules.claim_due(NOW + late.jitter, 5) == [late]


async def test_a_nominal_time_is_noted_once(app: Scheduler) -> None:
    schedule = hourly("a")
    await keep(app, schedule)
    made = [Firing(schedule=schedule, nominal_at=NOW, outcome="fired")]
    async with app.work() as work:
        assert await work.firings.add(made, NOW, "one") == made
        assert await work.firings.add(made, NOW, "other") == []
        assert [(row.owner, row.outcome) for row in await work.firings.of("e", 10)] == [("one", "fired")]


async def test_lists_of_firings_can_be_narrowed(app: Scheduler) -> None:
    a, b = hourly("a"), hourly("b", paused=True)
    await keep(app, a, b)
    assert await firing.fire_due(app) == 2
    async with app.work() as work:
        assert [row.schedule_id for row in await work.firings.of("e", 10, "skipped")] == ["b"]
        assert [row.outcome for row in await work.firings.of("e", 10, "", "a")] == ["fired"]
        assert await work.firings.of("", 10) == []


async def test_what_people_paused_stays_paused_in_a_new_version(app: Scheduler) -> None:
    await keep(app, hourly("a"))
    async with app.work() as work:
        schedule = await work.schedules.lock("a")
        assert schedule is not None
        await work.schedules.pause(msgspec.structs.replace(schedule, paused_by="ada"))
    await keep(app, hourly("a", expression="30 * * * *"))
    async with app.work() as work:
        found = await work.schedules.lock("a")
    assert found is not None
    assert (found.paused_by, found.expression) == ("ada", "30 * * * *")


async def test_old_firings_and_done_definitions_are_forgotten_living_ones_are_not(app: Scheduler) -> None:
    await keep(app, hourly("living"))
    async with app.work() as work:
        for id in ("living", "done"):
            await work.definitions.put(id, "o", "e", 1, "", NOW - timedelta(days=200))
        await work.definitions.put("wrong", "o", "e", 1, "no time zone", NOW - timedelta(days=200))
        schedule = hourly("living")
        await work.firings.add([Firing(schedule=schedule, nominal_at=NOW, outcome="fired")], NOW, "one")
        old = NOW - timedelta(days=200)
        await work.firings.add([Firing(schedule=schedule, nominal_at=old, outcome="fired")], old, "one")
    await firing.forget(app)
    async with app.pool.acquire() as connection:
        assert await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM definitions") == ["living", "wrong"]
        assert await connection.fetchval("SELECT array_agg(nominal_at) FROM firings") == [NOW]


async def test_who_adds_a_message_sends_it_unless_another_of_its_aggregate_must_go_first(app: Scheduler) -> None:
    alone, other = hourly("a", environment_id="e1"), hourly("b", environment_id="e2")
    first = Firing(schedule=alone, nominal_at=NOW, outcome="fired")
    two = [Firing(schedule=other, nominal_at=NOW + timedelta(hours=n), outcome="late") for n in range(2)]
    async with app.work() as work:
        held = await work.news.add([first, *two], NOW, 3)
        assert [one.id for one in held] == [f"a.{NOW.isoformat()}"]
        later = Firing(schedule=alone, nominal_at=NOW + timedelta(hours=1), outcome="fired")
        assert await work.news.add([later], NOW, 3) == [], "one of its environment waits before it"
        assert await work.news.add([Firing(schedule=hourly("c"), nominal_at=NOW, outcome="fired")], NOW, 0) == []
        await work.news.sent([one.sequence for one in held])
    async with app.pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox WHERE retry_at > now()") == 0
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 4


async def test_a_definition_is_replaced_and_removed_with_its_schedule(app: Scheduler) -> None:
    await keep(app, hourly("a"), hourly("b"))
    async with app.work() as work:
        await work.schedules.replace("a", [hourly("a", expression="30 * * * *")])
        await work.schedules.replace("b", [])
        assert [(one.id, one.expression) for one in await work.schedules.of(["e"])] == [("a", "30 * * * *")]
