"""Fast ingest: together on the way, each durable when its future is done, whatever happens to its neighbours."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from slipway_bus import ingest as ingesting
from slipway_bus.publishing import encode
from slipway_contracts.base import uuid7
from slipway_contracts.git import GIT_PUSHED, Push
from slipway_errors import Busy, Unavailable
from slipway_testing import eventually

Rig = Any


class Line:
    """A subject of the test's own, in a stream that all share."""

    def __init__(self) -> None:
        self.provider = uuid7()
        self.subject = GIT_PUSHED.subject(provider=self.provider)

    def put(self, bus: Any, number: int, id: str, **more: Any) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = bus.ingest(self.subject, push(number, **more), f"{self.provider}-{id}")
        return future

    async def kept(self, bus: Any) -> list[str]:
        return [stored.message.delivery_id async for stored in bus.history(GIT_PUSHED, provider=self.provider)]


@pytest.fixture
def line() -> Line:
    return Line()


def push(number: int, **more: Any) -> bytes:
    fields: dict[str, Any] = {
        "link_id": "l",
        "delivery_id": str(number),
        "provider": "fast",
        "organization_id": "o",
        "repository": "a/b",
        "clone_url": "",
        "ref": "refs/heads/main",
        "before": "",
        "after": "",
        "received_at": datetime.now(UTC),
    }
    return encode(Push(**fields | more))


async def test_what_is_done_is_in_the_stream_in_order(line: Line, rig: Rig) -> None:
    async with rig.connect_as("webhooks") as bus:
        await line.put(bus, 0, "0")
        assert await line.kept(bus) == ["0"]
        await asyncio.gather(*[line.put(bus, number, str(number)) for number in range(1, 2000)])
        assert await line.kept(bus) == [str(number) for number in range(2000)]


async def test_the_same_id_is_kept_once_in_one_batch_and_in_another(line: Line, rig: Rig) -> None:
    async with rig.connect_as("webhooks") as bus:
        await asyncio.gather(*[line.put(bus, number // 2, f"d{number // 2}") for number in range(10)])
        await asyncio.gather(*[line.put(bus, number, f"d{number}") for number in range(6)])
        await bus.publish_raw(line.subject, push(5), id=f"{line.provider}-d5")
        assert await line.kept(bus) == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("bad", [0, 1, 5, 8, 9])
async def test_a_message_that_is_refused_takes_none_of_its_neighbours_along(line: Line, rig: Rig, bad: int) -> None:
    async with rig.connect_as("webhooks") as bus:
        huge = "x" * 1_100_000
        futures = [line.put(bus, number, str(number), ref=huge if number == bad else "x") for number in range(10)]
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        failed = [number for number, outcome in enumerate(outcomes) if outcome is not None]
        assert failed == [bad]
        assert isinstance(outcomes[bad], Unavailable)
        assert sorted(await line.kept(bus)) == [str(number) for number in range(10) if number != bad]


async def test_a_stream_that_takes_no_batches_gets_them_one_by_one(line: Line, rig: Rig) -> None:
    async with rig.connect_as("core") as core:
        config = (await core.api("STREAM.INFO.GIT"))["config"]
        await core.api("STREAM.UPDATE.GIT", {**config, "allow_batched": False})
        try:
            async with rig.connect_as("webhooks") as bus:
                await asyncio.gather(*[line.put(bus, number, f"s{number}") for number in range(20)])
                assert sorted(await line.kept(bus), key=int) == [str(number) for number in range(20)]
        finally:
            await core.api("STREAM.UPDATE.GIT", config)


async def test_more_than_may_wait_is_refused_at_once(line: Line, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingesting, "WAITING", 10)
    async with rig.connect_as("webhooks") as bus:
        futures = [line.put(bus, number, f"w{number}") for number in range(10)]
        assert bus.ingest_full
        with pytest.raises(Busy):
            line.put(bus, 11, "w11")
        await asyncio.gather(*futures)
        assert not bus.ingest_full
        await line.put(bus, 11, "w11")


@pytest.mark.parametrize("id", ["a\r\nb", "a\nPUB x 0\r\n", "\x00", "é"])
async def test_an_id_that_could_write_commands_is_refused(line: Line, rig: Rig, id: str) -> None:
    async with rig.connect_as("webhooks") as bus:
        with pytest.raises(ValueError, match="can't be the id"):
            line.put(bus, 1, id)


async def test_a_lost_connection_is_told_at_once_and_later_messages_arrive(line: Line, own_nats: Any) -> None:
    async with own_nats.bus_as("webhooks") as bus:
        await line.put(bus, 0, "k0")
        await own_nats.server.kill()
        futures: list[Any] = []
        for number in range(1, 50):
            try:
                futures.append(line.put(bus, number, f"k{number}"))
            except Unavailable as fault:
                futures.append(asyncio.sleep(0, fault))
        async with asyncio.timeout(6):
            outcomes = await asyncio.gather(*futures, return_exceptions=True)
        assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
        await own_nats.server.start()
        await eventually(lambda: bus.connected)
        await asyncio.gather(*[line.put(bus, number, f"k{number}") for number in range(1, 50)])
        assert await line.kept(bus) == [str(number) for number in range(50)]
