"""Durable consumers: everything is handled, or given up with its reason, and nothing is forgotten on the way."""

import asyncio
import itertools
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from slipway_bus import Bus, Subscription, consuming, dead_letters, replay
from slipway_contracts.dead import DIED
from slipway_contracts.schedules import FIRED, Fired
from slipway_errors import Busy, Conflict, NotFound, Unavailable

Rig = Any
Until = Any


def fired(id: str, kind: str) -> Fired:
    now = datetime.now(UTC)
    return Fired(schedule_id=id, kind=kind, organization_id="o", nominal_at=now, fired_at=now)


class Consuming:
    """A consumer of one kind of firings, running in the background."""

    def __init__(self, bus: Bus, handler: Any, durable: str, **options: Any) -> None:
        self.stopping = asyncio.Event()
        subscription = Subscription(FIRED, handler, durable, filter_ids={"kind": durable}, **options)
        self.task = asyncio.create_task(bus.consume(subscription, None, self.stopping))

    async def __aenter__(self) -> "Consuming":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopping.set()
        await asyncio.wait_for(self.task, 5)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consuming, "FIRST_DELAY_SECONDS", 0.02)
    monkeypatch.setattr(consuming, "LONGEST_DELAY_SECONDS", 0.1)


async def test_messages_are_handled_in_order_one_at_a_time(rig: Rig, until: Until) -> None:
    handled: list[str] = []
    running = 0

    async def handler(app: None, message: Fired) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        handled.append(message.schedule_id)
        running -= 1

    async with rig.connect_as("scheduler") as scheduler, rig.connect_as("core") as core:
        for number in range(100):
            await scheduler.publish(FIRED, fired(str(number), "order"), kind="order")
        async with Consuming(core, handler, "order"):
            await until(lambda: len(handled) == 100)
    assert handled == [str(number) for number in range(100)]


async def test_many_are_handled_at_once_up_to_the_limit(rig: Rig, until: Until) -> None:
    running = most = done = 0
    go_on = asyncio.Event()

    async def handler(app: None, message: Fired) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await go_on.wait()
        running -= 1
        done += 1

    async with rig.connect_as("scheduler") as scheduler, rig.connect_as("core") as core:
        for number in range(20):
            await scheduler.publish(FIRED, fired(str(number), "many"), kind="many")
        async with Consuming(core, handler, "many", max_in_flight=8):
            await until(lambda: running == 8)
            go_on.set()
            await until(lambda: done == 20)
    assert most == 8


async def test_replicas_share_the_work_each_message_once(rig: Rig, until: Until) -> None:
    handled: list[tuple[int, str]] = []

    def handler_of(replica: int) -> Any:
        async def handler(app: None, message: Fired) -> None:
            handled.append((replica, message.schedule_id))
            await asyncio.sleep(0.001)

        return handler

    async with (
        rig.connect_as("scheduler") as scheduler,
        rig.connect_as("core") as one,
        rig.connect_as("core") as two,
        Consuming(one, handler_of(1), "shared", max_in_flight=4),
        Consuming(two, handler_of(2), "shared", max_in_flight=4),
    ):
        for number in range(200):
            await scheduler.publish(FIRED, fired(str(number), "shared"), kind="shared")
        await until(lambda: len(handled) >= 200)
    assert sorted(int(id) for _, id in handled) == list(range(200))
    assert {replica for replica, _ in handled} == {1, 2}


async def test_a_failing_message_is_tried_spaced_and_then_kept_in_dead_without_holding_up_others(
    rig: Rig, until: Until
) -> None:
    attempts: list[float] = []
    others: list[str] = []

    async def handler(app: None, message: Fired) -> None:
        if message.schedule_id == "poison":
            attempts.append(time.monotonic())
            raise Conflict("It can't be done.")
        others.append(message.schedule_id)

    async with rig.connect_as("scheduler") as scheduler, rig.connect_as("core") as core:
        async with Consuming(core, handler, "poison", attempts=4):
            await scheduler.publish(FIRED, fired("poison", "poison"), kind="poison")
            await scheduler.publish(FIRED, fired("honest", "poison"), kind="poison")

            async def died() -> Any:
                return await core.last(DIED, stream="SCHEDULES", consumer="poison")

            await until(died)
        letter = (await died()).message
        assert (letter.reason, letter.code, letter.deliveries) == ("It can't be done.", "conflict", 4)
        assert b"poison" in letter.data
        assert letter.subject == "schedules.fired.poison"
        info = await core.api("CONSUMER.INFO.SCHEDULES.poison")
        assert (info["num_pending"], info["num_ack_pending"]) == (0, 0)
    assert others == ["honest"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(attempts)]
    assert len(attempts) == 4
    assert min(gaps) >= 0.015


async def test_a_bug_counts_like_a_failure_and_an_unreadable_message_is_given_up_at_once(
    rig: Rig, until: Until
) -> None:
    async def handler(app: None, message: Fired) -> None:
        raise RuntimeError("bug")

    async with rig.connect_as("scheduler") as scheduler, rig.connect_as("core") as core:
        async with Consuming(core, handler, "bug", attempts=2):
            await scheduler.publish_raw("schedules.fired.bug", b'{"not": "a firing"}')
            await scheduler.publish(FIRED, fired("x", "bug"), kind="bug")

            async def letters() -> bool:
                return len([one async for one in core.history(DIED, stream="SCHEDULES", consumer="bug")]) == 2

            await until(letters)
        found = [one.message async for one in core.history(DIED, stream="SCHEDULES", consumer="bug")]
    assert [(one.code, one.deliveries) for one in found] == [("message.unreadable", 1), ("internal", 2)]


@pytest.mark.parametrize("fault", [Unavailable("The database is away."), Busy("Later.", retry_after_seconds=0.01)])
async def test_later_is_tried_for_ever_and_is_no_attempt(rig: Rig, until: Until, fault: Exception) -> None:
    if isinstance(fault, Unavailable):
        fault.retry_after_seconds = 0.01
    durable = type(fault).__name__.lower()
    tries = 0

    async def handler(app: None, message: Fired) -> None:
        nonlocal tries
        tries += 1
        if tries < 12:
            raise fault

    async with rig.connect_as("scheduler") as scheduler, rig.connect_as("core") as core:
        async with Consuming(core, handler, durable, attempts=2):
            await scheduler.publish(FIRED, fired("x", durable), kind=durable)
            await until(lambda: tries == 12)
        assert await core.last(DIED, stream="SCHEDULES", consumer=durable) is None


async def test_a_long_handler_keeps_its_message(rig: Rig, until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consuming, "ACK_WAIT_SECONDS", 0.5)
    monkeypatch.setattr(consuming, "HEARTBEAT_SECONDS", 0.1)
    begun = done = 0

    async def handler(app: None, message: Fired) -> None:
        nonlocal begun, done
        begun += 1
        await asyncio.sleep(1.5)
        done += 1

    async with (
        rig.connect_as("scheduler") as scheduler,
        rig.connect_as("core") as core,
        Consuming(core, handler, "long", max_in_flight=4),
    ):
        await scheduler.publish(FIRED, fired("x", "long"), kind="long")
        await until(lambda: done == 1)
    assert begun == 1


async def test_stopping_waits_for_what_is_in_hand_and_is_quick_when_idle(rig: Rig, until: Until) -> None:
    begun = asyncio.Event()
    done = False

    async def handler(app: None, message: Fired) -> None:
        nonlocal done
        begun.set()
        await asyncio.sleep(0.3)
        done = True

    async with rig.connect_as("scheduler") as scheduler, rig.connect_as("core") as core:
        async with Consuming(core, handler, "stopping"):
            await scheduler.publish(FIRED, fired("x", "stopping"), kind="stopping")
            await begun.wait()
        assert done
        started = time.monotonic()
        async with Consuming(core, handler, "stopping"):
            await asyncio.sleep(0.3)
            started = time.monotonic()
        assert time.monotonic() - started < 0.5


async def test_a_deleted_consumer_is_made_again(rig: Rig, until: Until) -> None:
    handled: list[str] = []

    async def handler(app: None, message: Fired) -> None:
        handled.append(message.schedule_id)

    async with (
        rig.connect_as("scheduler") as scheduler,
        rig.connect_as("core") as core,
        Consuming(core, handler, "deleted"),
    ):
        await scheduler.publish(FIRED, fired("1", "deleted"), kind="deleted")
        await until(lambda: handled)
        await core.api("CONSUMER.DELETE.SCHEDULES.deleted")
        await scheduler.publish(FIRED, fired("2", "deleted"), kind="deleted")
        await until(lambda: "2" in handled)


async def test_a_dead_letter_can_be_sent_again(rig: Rig, until: Until) -> None:
    works = False
    handled: list[str] = []

    async def handler(app: None, message: Fired) -> None:
        if not works:
            raise Conflict("Not yet.")
        handled.append(message.schedule_id)

    async with (
        rig.connect_as("scheduler") as scheduler,
        rig.connect_as("core") as core,
        rig.connect_as("operator") as operator,
        Consuming(core, handler, "replayed", attempts=1),
    ):
        await scheduler.publish(FIRED, fired("again", "replayed"), id="again", kind="replayed")

        async def letter() -> Any:
            found = [one async for one in dead_letters(operator, "SCHEDULES") if one.message.consumer == "replayed"]
            return found[0] if found else None

        await until(letter)
        works = True
        await replay(operator, (await letter()).sequence)
        await until(lambda: handled == ["again"])
        with pytest.raises(NotFound):
            await replay(operator, 10**9)
