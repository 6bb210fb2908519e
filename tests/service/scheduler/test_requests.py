"""Cron jobs and one-shots on real NATS and Postgres: as core asks for them, and as it tells of services."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slipway_bus import Bus
from slipway_contracts.base import uuid7
from slipway_contracts.events import CHANGED, Event
from slipway_contracts.schedules import (
    FIRED,
    SCHEDULE_PREVIEW,
    SCHEDULE_PUT,
    SCHEDULE_REMOVE,
    Fired,
    PreviewSchedule,
    PutSchedule,
    RemoveSchedule,
    RunEnded,
    ScheduleAnswer,
    SchedulePreview,
)
from slipway_postgres import Pool, pool
from slipway_scheduler.__main__ import serve
from slipway_scheduler.app import Scheduler
from slipway_scheduler.handlers import definitions, firing
from slipway_scheduler.settings import Settings
from slipway_testing import eventually, free_port, started
from slipway_testing.servers import NatsForTests

BusAs = Callable[[str], Awaitable[Bus]]
DatabaseOf = Callable[[str], Awaitable[str]]
NOBODY: dict[str, str] = {}


@pytest.fixture
async def opened(database: DatabaseOf) -> AsyncIterator[Pool]:
    async with pool(await database("scheduler"), "test", max_size=3) as opened:
        yield opened


def once(at: datetime, **changes: Any) -> PutSchedule:
    return PutSchedule(**{"id": uuid7(), "kind": "preview-stop", "organization_id": "o", "at": at} | changes)


def every_minute(**changes: Any) -> PutSchedule:
    return PutSchedule(
        **{"id": uuid7(), "kind": "cron-job", "organization_id": "o", "expression": "* * * * *"} | changes
    )


def job(version: int, verb: str = "updated", entity_id: str = "", **cronjob: Any) -> Event:
    return Event(
        id=uuid7(),
        organization_id="o",
        environment_id="e",
        entity="service",
        verb=verb,
        entity_id=entity_id or uuid7(),
        version=version,
        body={"kind": "JOB", "name": "nightly", "schedule": {"cronjob": {"scheduled_at": "@daily", **cronjob}}},
        at=datetime.now(UTC),
    )


async def fired(bus: Bus) -> list[Fired]:
    return [stored.message async for stored in bus.history(FIRED)]


class Clock:
    """A clock that a test puts forward."""

    def __init__(self) -> None:
        self.at = datetime(2026, 6, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, minutes: int) -> None:
        self.at += timedelta(minutes=minutes)


async def test_a_one_shot_that_core_asks_for_fires_once_with_what_was_put(
    nats: NatsForTests, bus_as: BusAs, database: DatabaseOf
) -> None:
    core = await bus_as("core")
    settings = Settings(
        postgres_url=await database("scheduler"),
        nats_url=nats.url,
        nats_password=nats.passwords["scheduler"],
        listen_port=free_port(),
    )
    message = once(datetime.now(UTC) + timedelta(seconds=0.3), body={"environment": "pr-7"}, reason="stops after 2 h")
    async with started(serve, settings):
        answer = await core.request(SCHEDULE_PUT, message, ScheduleAnswer)
        assert (answer.ok, answer.next_at) == (True, message.at)
        got = await eventually(lambda: fired(core))
        # Asking again, as who lost the answer does, changes nothing.
        assert (await core.request(SCHEDULE_PUT, message, ScheduleAnswer)).ok
        gone = await core.request(SCHEDULE_REMOVE, RemoveSchedule(id=message.id, version=2), ScheduleAnswer)
        assert gone.ok
    assert [(one.kind, one.body, one.reason, one.late) for one in got] == [
        ("preview-stop", {"environment": "pr-7"}, "stops after 2 h", False)
    ]
    assert len(await fired(core)) == 1


async def test_a_preview_is_answered_on_the_bus_with_times_or_the_position_of_the_error(
    nats: NatsForTests, bus_as: BusAs, database: DatabaseOf
) -> None:
    core = await bus_as("core")
    settings = Settings(
        postgres_url=await database("scheduler"),
        nats_url=nats.url,
        nats_password=nats.passwords["scheduler"],
        listen_port=free_port(),
    )
    after = datetime(2026, 10, 24, tzinfo=UTC)
    async with started(serve, settings):
        asked = PreviewSchedule(expression="30 2 * * *", timezone="Europe/Berlin", after=after, count=3)
        shown = await core.request(SCHEDULE_PREVIEW, asked, SchedulePreview)
        wrong = await core.request(SCHEDULE_PREVIEW, PreviewSchedule(expression="30 25 * * *"), SchedulePreview)
        refused = await core.request(SCHEDULE_PUT, every_minute(expression="* * 32 * *"), ScheduleAnswer)
    assert [at.strftime("%d %H:%M") for at in shown.runs] == ["24 00:30", "25 00:30", "26 01:30"]
    assert (wrong.ok, wrong.code, wrong.position) == (False, "schedule.bad_expression", 3)
    assert (refused.ok, refused.position) == (False, 4)


async def test_older_versions_and_late_news_change_nothing(opened: Pool) -> None:
    app = Scheduler(opened)
    new, old = every_minute(version=3), every_minute(version=2, expression="@daily")
    assert (await definitions.put(app, new, NOBODY)).ok
    answer = await definitions.put(app, PutSchedule(**{**_fields(old), "id": new.id}), NOBODY)
    assert (answer.ok, answer.code) == (True, "schedule.known")
    assert await opened.fetchval("SELECT expression FROM schedules") == "* * * * *"
    await definitions.remove(app, RemoveSchedule(id=new.id, version=2), NOBODY)
    assert await opened.fetchval("SELECT count(*) FROM schedules") == 1
    await definitions.remove(app, RemoveSchedule(id=new.id, version=4), NOBODY)
    assert (await definitions.put(app, new, NOBODY)).code == "schedule.known"
    assert await opened.fetchval("SELECT count(*) FROM schedules") == 0
    again = PutSchedule(**{**_fields(new), "version": 5})
    assert (await definitions.put(app, again, NOBODY)).next_at is not None
    assert await opened.fetchval("SELECT count(*) FROM schedules") == 1


def _fields(message: PutSchedule) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__struct_fields__}


async def test_a_new_version_in_an_outage_loses_nothing_that_was_due(opened: Pool) -> None:
    clock = Clock()
    app, message = Scheduler(opened, now=clock), every_minute(catch_up="all")
    await definitions.put(app, message, NOBODY)
    clock.forward(5)
    await definitions.put(app, PutSchedule(**{**_fields(message), "version": 2, "reason": "renamed"}), NOBODY)
    await firing.fire_due(app)
    assert await opened.fetchval("SELECT count(*) FROM outbox") == 5


async def test_the_end_of_a_run_lets_the_waiting_one_go(opened: Pool) -> None:
    clock = Clock()
    app, message = Scheduler(opened, now=clock), every_minute(overlap="buffer")
    await definitions.put(app, message, NOBODY)
    for _ in range(3):
        clock.forward(1)
        await firing.fire_due(app)
    outcomes = await opened.fetch("SELECT outcome, nominal_at FROM firings ORDER BY nominal_at")
    assert [row["outcome"] for row in outcomes] == ["fired", "skipped"]
    ended = RunEnded(schedule_id=message.id, nominal_at=outcomes[0]["nominal_at"])
    for _ in range(2):
        assert (await definitions.ended(app, ended, NOBODY)).ok
    assert await opened.fetchval("SELECT count(*) FROM outbox") == 2
    assert (await definitions.ended(app, RunEnded(schedule_id="gone", nominal_at=datetime.now(UTC)), NOBODY)).ok


async def test_jobs_of_core_become_cron_jobs_and_go_with_their_service(opened: Pool) -> None:
    app, first = Scheduler(opened), job(1, "created", timezone="Europe/Berlin", overlap="skip", jitter_seconds=30)
    await definitions.service_changed(app, first)
    row = await opened.fetchrow("SELECT * FROM schedules")
    assert row is not None
    assert (row["kind"], row["service_id"], row["timezone"]) == ("cron-job", first.entity_id, "Europe/Berlin")
    assert (row["overlap"], row["jitter_seconds"], row["environment_id"]) == ("skip", 30, "e")
    # Events that say nothing of times change nothing; services of other kinds neither.
    silent = Event(**{**_event(job(2, entity_id=first.entity_id)), "body": {"kind": "JOB", "name": "x"}})
    other = Event(**{**_event(job(3)), "body": {"kind": "APPLICATION", "schedule": {}}})
    await definitions.service_changed(app, silent)
    await definitions.service_changed(app, other)
    assert await opened.fetchval("SELECT count(*) FROM schedules") == 1
    await definitions.service_changed(app, job(1, "deleted", entity_id=first.entity_id))
    await definitions.service_changed(app, job(4, entity_id=first.entity_id))
    assert await opened.fetchval("SELECT count(*) FROM schedules") == 0


def _event(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


@pytest.mark.parametrize(
    "cronjob",
    [
        {"scheduled_at": "0 25 * * *"},
        {"scheduled_at": 5},
        {"timezone": "Mars/Olympus"},
        {"overlap": "never"},
        {"jitter_seconds": -5},
    ],
)
async def test_a_job_that_cannot_be_kept_says_why(opened: Pool, cronjob: dict[str, Any]) -> None:
    app = Scheduler(opened)
    bad, good = job(1, **cronjob), job(1)
    await definitions.service_changed(app, bad)
    await definitions.service_changed(app, good)
    async with app.work() as work:
        assert await work.definitions.problem_of("e")
    assert await opened.fetchval("SELECT array_agg(id) FROM schedules") == [good.entity_id]
    await definitions.service_changed(app, job(2, entity_id=bad.entity_id))
    async with app.work() as work:
        assert await work.definitions.problem_of("e") == ""


async def test_three_replicas_share_a_crowd_of_one_shots_each_once(
    nats: NatsForTests, bus_as: BusAs, database: DatabaseOf
) -> None:
    core, url = await bus_as("core"), await database("scheduler")

    def settings() -> Settings:
        password = nats.passwords["scheduler"]
        return Settings(postgres_url=url, nats_url=nats.url, nats_password=password, listen_port=free_port())

    async with started(serve, settings()), started(serve, settings()), started(serve, settings()):
        at = datetime.now(UTC) + timedelta(seconds=2)
        asked = [once(at) for _ in range(600)]
        answers = await asyncio.gather(*(core.request(SCHEDULE_PUT, one, ScheduleAnswer, 20) for one in asked))
        assert all(answer.ok for answer in answers)

        async def all_came() -> bool:
            return len(await fired(core)) >= len(asked)

        await eventually(all_came, 20)
    came = await fired(core)
    assert sorted(one.schedule_id for one in came) == sorted(one.id for one in asked)
    async with pool(url, "test", max_size=1) as opened:
        assert await opened.fetchval("SELECT count(*) FROM schedules") == 0
        assert await opened.fetchval("SELECT count(*) FROM outbox") == 0


async def test_events_of_services_come_in_through_the_stream(
    nats: NatsForTests, bus_as: BusAs, database: DatabaseOf
) -> None:
    core, url = await bus_as("core"), await database("scheduler")
    event = job(1)
    await core.publish(CHANGED, event, id=event.id, organization_id="o", entity="service", verb="updated")
    settings = Settings(
        postgres_url=url, nats_url=nats.url, nats_password=nats.passwords["scheduler"], listen_port=free_port()
    )
    async with started(serve, settings), pool(url, "test", max_size=1) as opened:
        await eventually(lambda: opened.fetchval("SELECT count(*) FROM schedules WHERE id = $1", event.entity_id))
