"""The scheduler on real NATS and Postgres: from an event of core to exactly one firing."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest

from slipway_bus import Bus
from slipway_contracts.access import ACCESS
from slipway_contracts.base import uuid7
from slipway_contracts.events import CHANGED, Event
from slipway_contracts.places import LOCATE, Locate, Place
from slipway_contracts.schedules import FIRED, Fired
from slipway_postgres import pool
from slipway_scheduler.__main__ import serve
from slipway_scheduler.app import Scheduler
from slipway_scheduler.handlers import firing, rules
from slipway_scheduler.settings import Settings
from slipway_scheduler.timetables import START, STOP
from slipway_testing import AccessForTests, eventually, free_port, started
from slipway_testing.servers import NatsForTests

BusAs = Callable[[str], Awaitable[Bus]]
DatabaseOf = Callable[[str], Awaitable[str]]
EVERY_DAY = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


def rule(version: int = 1, verb: str = "updated", **changes: Any) -> Event:
    environment_id = changes.pop("environment_id", "") or uuid7()
    at = changes.pop("at", datetime.now(UTC))
    body = {"auto_stop": True, "timezone": "UTC", "start_time": "08:00", "stop_time": "19:00", "weekdays": EVERY_DAY}
    return Event(
        id=uuid7(),
        organization_id=changes.pop("organization_id", "organization"),
        environment_id=environment_id,
        entity="deployment_rule",
        verb=verb,
        entity_id=changes.pop("rule_id", "") or uuid7(),
        version=version,
        body=body | changes,
        at=at,
    )


def due_now(kind: str = STOP, **changes: Any) -> Event:
    """A rule whose stop (or start) is due this minute, and the other one later."""
    now = datetime.now(UTC)
    clock, other = now.strftime("%H:%M"), (now + timedelta(hours=5)).strftime("%H:%M")
    start, stop = (other, clock) if kind == STOP else (clock, other)
    return rule(
        start_time=start, stop_time=stop, at=now.replace(second=0, microsecond=0) - timedelta(seconds=1), **changes
    )


async def tell(bus: Bus, event: Event) -> None:
    await bus.publish(
        CHANGED, event, id=event.id, organization_id=event.organization_id, entity=event.entity, verb=event.verb
    )


async def fired(bus: Bus) -> list[Fired]:
    return [stored.message async for stored in bus.history(FIRED)]


def settings(nats: NatsForTests, url: str) -> Settings:
    return Settings(
        postgres_url=url, nats_url=nats.url, nats_password=nats.passwords["scheduler"], listen_port=free_port()
    )


async def test_a_rule_of_core_fires_when_its_time_has_come(
    nats: NatsForTests, bus_as: BusAs, database: DatabaseOf
) -> None:
    core = await bus_as("core")
    event = due_now(STOP)
    async with started(serve, settings(nats, await database("scheduler"))):
        await tell(core, event)
        got = await eventually(lambda: fired(core))
    assert [(one.kind, one.environment_id, one.organization_id) for one in got] == [
        (STOP, event.environment_id, "organization")
    ]
    assert got[0].nominal_at.second == 0
    assert "UTC" in got[0].reason


async def test_three_replicas_fire_each_once(nats: NatsForTests, bus_as: BusAs, database: DatabaseOf) -> None:
    core, url = await bus_as("core"), await database("scheduler")
    events = [due_now(STOP if n % 2 else START) for n in range(60)]
    async with (
        started(serve, settings(nats, url)),
        started(serve, settings(nats, url)),
        started(serve, settings(nats, url)),
    ):
        await asyncio.gather(*(tell(core, event) for event in events))
        await eventually(lambda: all_fired(core, len(events)), 20)
    got = await fired(core)
    assert sorted(one.environment_id for one in got) == sorted(event.environment_id for event in events)


async def all_fired(bus: Bus, count: int) -> bool:
    return len(await fired(bus)) >= count


async def test_after_an_outage_only_what_should_be_now_is_told(
    nats: NatsForTests, bus_as: BusAs, database: DatabaseOf
) -> None:
    core, url = await bus_as("core"), await database("scheduler")
    now = datetime.now(UTC)
    hours = {
        "start_time": (now - timedelta(hours=6)).strftime("%H:%M"),
        "stop_time": (now - timedelta(hours=1)).strftime("%H:%M"),
    }
    event = rule(at=now - timedelta(days=3), **hours)
    await tell(core, event)
    async with started(serve, settings(nats, url)):
        await eventually(lambda: fired(core))
    assert [one.kind for one in await fired(core)] == [STOP]
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT kind, superseded_by FROM firings WHERE outcome <> 'missed' ORDER BY kind")
    await connection.close()
    assert [tuple(row) for row in rows] == [(START, STOP), (STOP, "")]


async def test_a_rule_that_was_changed_deleted_or_lost_its_environment_fires_no_more(database: DatabaseOf) -> None:
    async with pool(await database("scheduler"), "test", max_size=3) as opened:
        app = Scheduler(opened)
        changed, deleted, orphan = due_now(), due_now(), due_now()
        for event in (changed, deleted, orphan):
            await rules.rule_changed(app, event)
        ids = {"rule_id": changed.entity_id, "environment_id": changed.environment_id}
        await rules.rule_changed(app, rule(version=2, auto_stop=False, **ids))
        ids = {"rule_id": deleted.entity_id, "environment_id": deleted.environment_id}
        await rules.rule_changed(app, rule(version=2, verb="deleted", **ids))
        gone = Event(
            id=uuid7(),
            organization_id="organization",
            entity="environment",
            verb="deleted",
            entity_id=orphan.environment_id,
            version=3,
            at=datetime.now(UTC),
        )
        await rules.environment_deleted(app, gone)
        # Late news, delivered again and out of order, change nothing.
        for event in (changed, deleted, orphan):
            await rules.rule_changed(app, event)
        assert await firing.fire_due(app) == 0
        assert await opened.fetchval("SELECT count(*) FROM schedules") == 0


async def test_firing_again_at_the_same_nominal_time_tells_nothing_again(database: DatabaseOf) -> None:
    async with pool(await database("scheduler"), "test", max_size=3) as opened:
        app = Scheduler(opened)
        event = due_now()
        await rules.rule_changed(app, event)
        assert await firing.fire_due(app) == 1
        # The rule is saved again in the same minute: its schedule is due once more.
        ids = {"rule_id": event.entity_id, "environment_id": event.environment_id}
        await rules.rule_changed(app, due_now(version=2, **ids))
        await firing.fire_due(app)
        assert await opened.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_timetable_that_cannot_be_kept_says_why_and_harms_nobody(database: DatabaseOf) -> None:
    async with pool(await database("scheduler"), "test", max_size=3) as opened:
        app = Scheduler(opened)
        bad = [rule(timezone="Mars/Olympus"), rule(start_time="soon"), rule(weekdays=["SOMEDAY"]), rule(weekdays=5)]
        for event in bad:
            await rules.rule_changed(app, event)
        good, broken = due_now(), due_now()
        await rules.rule_changed(app, good)
        await rules.rule_changed(app, broken)
        await opened.execute("UPDATE schedules SET timezone = 'Was/Removed' WHERE rule_id = $1", broken.entity_id)
        await firing.fire_due(app)
        told = await opened.fetch("SELECT aggregate FROM outbox")
        assert [row["aggregate"] for row in told] == [good.environment_id]
        async with app.work() as work:
            for event in [*bad, broken]:
                assert await work.timetables.problem_of(event.environment_id)


async def test_rules_of_a_project_have_no_hours(database: DatabaseOf) -> None:
    async with pool(await database("scheduler"), "test", max_size=3) as opened:
        event = rule()
        project_rule = Event(
            id=event.id,
            organization_id="o",
            entity="deployment_rule",
            verb="created",
            entity_id=event.entity_id,
            version=1,
            body=event.body,
            at=event.at,
        )
        await rules.rule_changed(Scheduler(opened), project_rule)
        assert await opened.fetchval("SELECT count(*) FROM schedules") == 0


async def test_killed_replicas_lose_nothing_and_repeat_nothing(
    nats: NatsForTests, bus_as: BusAs, database: DatabaseOf
) -> None:
    core, url = await bus_as("core"), await database("scheduler")
    environment = {
        "PATH": os.environ["PATH"],
        "SLIPWAY_POSTGRES_URL": url,
        "SLIPWAY_NATS_URL": nats.url,
        "SLIPWAY_NATS_PASSWORD": nats.passwords["scheduler"],
    }

    async def replica() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "slipway_scheduler", env=environment, stderr=asyncio.subprocess.DEVNULL
        )

    replicas = [await replica(), await replica()]
    try:
        events = [due_now() for _ in range(120)]
        telling = asyncio.gather(*(tell(core, event) for event in events))
        for seconds in (0.8, 0.5):
            # A random moment in the middle of the work: that is what a crash is.
            await asyncio.sleep(seconds)
            victim = replicas.pop(0)
            victim.send_signal(signal.SIGKILL)
            await victim.wait()
            replicas.append(await replica())
        await telling
        # What a killed replica had in hand comes again after the acknowledgement's time.
        await eventually(lambda: all_fired(core, len(events)), 60)
    finally:
        for process in replicas:
            process.terminate()
            await process.wait()
    got = [one.environment_id for one in await fired(core)]
    assert sorted(got) == sorted(event.environment_id for event in events)


@pytest.fixture
def environment_id() -> str:
    return uuid7()


async def test_people_see_what_is_due_next_and_what_fired(
    nats: NatsForTests, bus_as: BusAs, database: DatabaseOf, access: AccessForTests, environment_id: str
) -> None:
    core = await bus_as("core")
    table = await core.table(ACCESS)
    headers, foreign = access.bearer("viewer", "mine"), access.bearer("owner", "theirs")
    for key, entry in access.entries.items():
        await table.put(key, entry)

    async def locate(message: Locate, ids: dict[str, str]) -> Place:
        return Place(found=message.id == environment_id, organization_id="mine", environment_id=message.id)

    await core.serve(LOCATE, locate)
    chosen = settings(nats, await database("scheduler"))
    url = f"http://127.0.0.1:{chosen.listen_port}/api/scheduler/environment/{environment_id}"
    async with started(serve, chosen), aiohttp.ClientSession(headers=headers) as client:
        await tell(core, due_now(environment_id=environment_id, timezone="UTC"))
        await eventually(lambda: fired(core))

        async def get(path: str) -> Any:
            async with client.get(url + path) as response:
                assert response.status == 200, await response.text()
                return (await response.json())["results"]

        assert {one["kind"] for one in await get("/schedule")} == {START, STOP}
        runs = await get("/nextRun?count=4")
        assert [one["kind"] for one in runs] == [START, STOP, START, STOP]
        assert [one["kind"] for one in await get("/firing")] == [STOP]
        assert await get("/firing?outcome=missed") == []
        async with client.get(url + "/schedule", headers=foreign) as response:
            assert response.status == 404
        async with client.get(url + "/nextRun?count=5000") as response:
            assert response.status == 422
        async with client.get(url + "/firing?outcome=maybe") as response:
            assert response.status == 422


async def test_who_may_deploy_may_pause_and_nobody_elses_schedule(
    nats: NatsForTests, bus_as: BusAs, database: DatabaseOf, access: AccessForTests, environment_id: str
) -> None:
    core, other_id = await bus_as("core"), uuid7()
    table = await core.table(ACCESS)
    owner, viewer = access.bearer("owner", "mine"), access.bearer("viewer", "mine")
    for key, entry in access.entries.items():
        await table.put(key, entry)

    async def locate(message: Locate, ids: dict[str, str]) -> Place:
        return Place(found=True, organization_id="mine", environment_id=message.id)

    await core.serve(LOCATE, locate)
    chosen = settings(nats, await database("scheduler"))
    url = f"http://127.0.0.1:{chosen.listen_port}/api/scheduler/environment"
    async with started(serve, chosen), aiohttp.ClientSession(headers=owner) as client:
        await tell(core, rule(environment_id=environment_id))

        async def listed() -> Any:
            async with client.get(f"{url}/{environment_id}/schedule") as response:
                return (await response.json())["results"]

        one = (await eventually(listed))[0]

        async def post(environment: str, verb: str, headers: dict[str, str] | None = None) -> Any:
            path = f"{url}/{environment}/schedule/{one['id']}/{verb}"
            async with client.post(path, headers=headers) as response:
                return response.status, await response.json()

        assert (await post(environment_id, "pause", viewer))[0] == 403
        assert (await post(other_id, "pause"))[0] == 404
        status, shown = await post(environment_id, "pause")
        assert (status, shown["is_paused"], shown["paused_by"]) == (200, True, "owner-mine@example.com")
        async with client.get(f"{url}/{environment_id}/nextRun") as response:
            assert one["id"] not in {run["schedule_id"] for run in (await response.json())["results"]}
        assert (await post(environment_id, "resume"))[1]["is_paused"] is False


async def test_an_expression_is_tried_before_it_is_saved(
    nats: NatsForTests, bus_as: BusAs, database: DatabaseOf, access: AccessForTests
) -> None:
    core = await bus_as("core")
    table = await core.table(ACCESS)
    headers = access.bearer("viewer", "mine")
    for key, entry in access.entries.items():
        await table.put(key, entry)
    chosen = settings(nats, await database("scheduler"))
    url = f"http://127.0.0.1:{chosen.listen_port}/api/scheduler/preview"
    berlin = {"timezone": "Europe/Berlin", "after": "2026-03-27T12:00:00Z"}
    async with started(serve, chosen), aiohttp.ClientSession() as client:

        async def get(status: int = 200, **query: str) -> Any:
            async with client.get(url, params=query, headers=headers) as response:
                assert response.status == status, await response.text()
                return await response.json()

        runs = (await get(expression="30 2 * * *", **berlin))["results"]
        assert len(runs) == 10
        assert [run["local_time"] for run in runs[:3]] == [
            "2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"
        ]  # fmt: skip
        assert [run["clock_change"] for run in runs[:3]] == [False, True, False]
        skipping = (await get(expression="30 2 * * *", skipped="skip", count="2", **berlin))["results"]
        assert skipping[1]["local_time"] == "2026-03-30T02:30:00+02:00"
        wrong = await get(422, expression="30 2 * JANUARY *")
        assert (wrong["code"], wrong["position"], wrong["field"]) == ("schedule.bad_expression", 7, "month")
        assert (await get(422, expression="@daily", timezone="Mars/Olympus"))["code"] == "schedule.bad_timetable"
        assert (await get(422, expression="@daily", skipped="maybe"))["status"] == 422
        assert (await get(422, expression="@daily", count="1000"))["status"] == 422
        for after in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01T00:00:00", "soon"):
            assert (await get(422, expression="@daily", after=after))["status"] == 422
        # What never comes: no times, and no wait for them.
        assert (await get(expression="0 0 */31 * MON#4"))["results"] == []
        async with client.get(url, params={"expression": "@daily"}) as response:
            assert response.status == 401
