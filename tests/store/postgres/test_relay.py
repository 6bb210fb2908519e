"""The outbox: what commits goes out once, in order per aggregate, whoever dies meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime

import pytest

from slipway_bus import Bus
from slipway_contracts.events import CHANGED, Event
from slipway_embedded import PostgresServer
from slipway_errors import Invalid, Unavailable
from slipway_postgres import Outbox, Pool, pool, relay, transaction
from slipway_testing import eventually
from slipway_testing.servers import DatabasesForTests, NatsForTests

OUTBOX = "CREATE TABLE things (id text PRIMARY KEY, version integer NOT NULL);"


def event(aggregate: str, version: int) -> Event:
    return Event(
        id=f"{aggregate}.{version}",
        organization_id="o",
        entity="thing",
        verb="updated",
        entity_id=aggregate,
        version=version,
        at=datetime.now(UTC),
    )


async def add(pool: Pool, aggregate: str, version: int, fail: bool = False) -> None:
    message = event(aggregate, version)
    async with transaction(pool) as connection:
        outbox = Outbox(connection)
        await outbox.add(
            CHANGED, message, id=message.id, aggregate=aggregate, organization_id="o", entity="thing", verb="updated"
        )
        if fail:
            raise LookupError(aggregate)


async def with_outbox(url: str) -> None:
    from importlib import resources

    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        await connection.execute((resources.files("slipway_postgres") / "outbox.sql").read_text())
    finally:
        await connection.close()


@pytest.fixture
async def outbox_pool(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Pool]:
    url = await database("empty")
    await with_outbox(url)
    async with pool(url, "test", max_size=12) as opened:
        yield opened


@contextlib.asynccontextmanager
async def relaying(pool: Pool, *buses: object) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(relay(pool, bus, stopping)) for bus in buses]  # type: ignore[arg-type]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)


class Recorder:
    """Stands where the bus stands: notes what it gets, refuses or fails as it is told."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.fail: Callable[[str], Exception | None] = lambda id: None

    async def publish_raw(
        self, subject: str, data: bytes, *, id: str | None = None, headers: Mapping[str, str] | None = None
    ) -> int:
        assert id is not None
        await asyncio.sleep(0.001)
        if (error := self.fail(id)) is not None:
            raise error
        self.ids.append(id)
        self.headers.append(headers or {})
        return len(self.ids)

    def of(self, aggregate: str) -> list[str]:
        return [id for id in self.ids if id.startswith(aggregate + ".")]


async def left(pool: Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM outbox")
    return count


async def test_news_go_out_when_and_only_when_their_transaction_commits(outbox_pool: Pool) -> None:
    bus = Recorder()
    async with relaying(outbox_pool, bus):
        with contextlib.suppress(LookupError):
            await add(outbox_pool, "a", 1, fail=True)
        await add(outbox_pool, "a", 2)
        await eventually(lambda: bus.ids == ["a.2"])
    assert await left(outbox_pool) == 0


async def test_a_commit_wakes_the_relay_at_once(outbox_pool: Pool) -> None:
    bus = Recorder()
    async with relaying(outbox_pool, bus):
        await add(outbox_pool, "warm", 1)
        await eventually(lambda: bus.ids)
        started = asyncio.get_running_loop().time()
        await add(outbox_pool, "a", 1)
        await eventually(lambda: "a.1" in bus.ids, every_seconds=0.002)
        assert asyncio.get_running_loop().time() - started < 0.5


async def test_many_relays_keep_the_order_of_each_aggregate_and_send_nothing_twice(outbox_pool: Pool) -> None:
    bus = Recorder()
    async with relaying(outbox_pool, bus, bus, bus, bus):
        for version in range(1, 41):
            await asyncio.gather(*(add(outbox_pool, aggregate, version) for aggregate in "abcdef"))
        await eventually(lambda: len(bus.ids) >= 240)
    for aggregate in "abcdef":
        assert bus.of(aggregate) == [f"{aggregate}.{version}" for version in range(1, 41)]


async def test_a_bus_that_is_away_is_waited_for_and_order_stays(outbox_pool: Pool) -> None:
    bus = Recorder()
    calls = 0

    def away(id: str) -> Exception | None:
        nonlocal calls
        calls += 1
        return Unavailable() if calls in (2, 3, 5) else None

    bus.fail = away
    for version in range(1, 6):
        await add(outbox_pool, "a", version)
    async with relaying(outbox_pool, bus):
        await eventually(lambda: len(bus.ids) == 5, 15)
    assert bus.ids == [f"a.{version}" for version in range(1, 6)]


async def test_a_message_that_is_refused_holds_back_its_aggregate_alone(outbox_pool: Pool) -> None:
    bus = Recorder()
    bus.fail = lambda id: Invalid("too large") if id == "bad.1" else None
    await add(outbox_pool, "bad", 1)
    await add(outbox_pool, "bad", 2)
    async with relaying(outbox_pool, bus):
        for version in range(1, 6):
            await add(outbox_pool, "good", version)
        await eventually(lambda: len(bus.of("good")) == 5)
        assert bus.of("bad") == []
        noted = "SELECT problem = 'too large' FROM outbox WHERE id = 'bad.1'"
        await eventually(lambda: outbox_pool.fetchval(noted))
        bus.fail = lambda id: None
        await eventually(lambda: bus.of("bad") == ["bad.1", "bad.2"])


async def test_trace_and_request_travel_with_the_news(outbox_pool: Pool) -> None:
    from structlog.contextvars import bound_contextvars

    bus = Recorder()
    async with relaying(outbox_pool, bus):
        with bound_contextvars(request_id="request-1"):
            await add(outbox_pool, "a", 1)
        await eventually(lambda: bus.headers)
    assert bus.headers[0]["Slipway-Request-Id"] == "request-1"


async def test_through_real_nats_each_is_in_the_stream_once(
    outbox_pool: Pool, bus_as: Callable[[str], Awaitable[Bus]]
) -> None:
    bus = await bus_as("core")
    async with relaying(outbox_pool, bus, bus):
        for version in range(1, 31):
            await asyncio.gather(*(add(outbox_pool, aggregate, version) for aggregate in "ab"))
        await eventually(lambda: left_is(outbox_pool, 0))
    got = [stored.message.id async for stored in bus.history(CHANGED)]
    assert [id for id in got if id.startswith("a.")] == [f"a.{version}" for version in range(1, 31)]
    assert len(got) == 60


async def left_is(pool: Pool, count: int) -> bool:
    return await left(pool) == count


async def test_servers_that_are_killed_and_come_back_lose_nothing(
    own_postgres: PostgresServer, own_nats: NatsForTests
) -> None:
    databases = DatabasesForTests(own_postgres)
    url = await databases.create("empty")
    await with_outbox(url)
    async with pool(url, "test", max_size=6) as opened, own_nats.bus_as("core") as bus, relaying(opened, bus):
        written: list[int] = []

        async def write() -> None:
            for version in range(1, 61):
                while True:
                    try:
                        await add(opened, "a", version)
                        break
                    except Unavailable:
                        await asyncio.sleep(0.05)
                written.append(version)
                await asyncio.sleep(0.01)

        writer = asyncio.create_task(write())
        await eventually(lambda: len(written) >= 10)
        await own_nats.server.kill()
        await eventually(lambda: len(written) >= 25, 20)
        await own_nats.server.start()
        await own_postgres.kill()
        await own_postgres.start()
        await asyncio.wait_for(writer, 30)
        await eventually(lambda: left_is(opened, 0), 30)
        got = [stored.message.version async for stored in bus.history(CHANGED)]
    # A commit whose answer was lost may have been written twice; the message id keeps it once.
    assert got == list(range(1, 61))
