"""kill -9 of Postgres, of NATS and of replicas while much is due: none is lost, none comes twice."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg

from slipway_bus import Bus
from slipway_contracts.schedules import FIRED
from slipway_embedded import PostgresServer
from slipway_postgres import migrate
from slipway_testing import eventually
from slipway_testing.servers import NatsForTests

COUNT = 6000
FILL = """
    INSERT INTO schedules (id, rule_id, organization_id, environment_id, kind, form, expression, timezone, since,
        next_at, due_at, reason)
    SELECT n::text, n::text, 'o', 'e' || n, 'cron-job', 'cron', '0 0 1 1 *', 'UTC', now(), $1, $1, 'test'
    FROM generate_series(1, $2) AS n
"""


async def replica(url: str, nats: NatsForTests) -> asyncio.subprocess.Process:
    environment = {
        "PATH": os.environ["PATH"],
        "SLIPWAY_POSTGRES_URL": url,
        "SLIPWAY_NATS_URL": nats.url,
        "SLIPWAY_NATS_PASSWORD": nats.passwords["scheduler"],
    }
    command = (sys.executable, "-m", "slipway_scheduler")
    return await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.DEVNULL)


@asynccontextmanager
async def replicas(url: str, nats: NatsForTests, count: int) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    running = [await replica(url, nats) for _ in range(count)]
    try:
        yield running
    finally:
        for process in running:
            if process.returncode is None:
                process.terminate()
        await asyncio.gather(*(process.wait() for process in running))


async def fill(url: str, at: datetime) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL, at, COUNT)
    finally:
        await connection.close()


async def came(bus: Bus) -> list[str]:
    return [stored.message.schedule_id async for stored in bus.history(FIRED)]


async def begun(bus: Bus) -> bool:
    return any([True async for _ in bus.history(FIRED, limit=1)])


async def all_came(bus: Bus) -> bool:
    return len(set(await came(bus))) == COUNT


async def each_came_once(bus: Bus) -> None:
    await eventually(lambda: all_came(bus), 60, 0.2)
    assert sorted(await came(bus)) == sorted(str(n + 1) for n in range(COUNT))


async def test_postgres_killed_in_the_middle_of_a_burst(own_nats: NatsForTests, own_postgres: PostgresServer) -> None:
    url = await own_postgres.create_service("scheduler")
    await migrate(url, "slipway_scheduler")
    async with own_nats.bus_as("core") as core, replicas(url, own_nats, 2):
        await fill(url, datetime.now(UTC) + timedelta(seconds=1))
        await eventually(lambda: begun(core), 30, 0.01)
        await own_postgres.kill()
        await own_postgres.start()
        await each_came_once(core)


async def test_replicas_killed_in_the_middle_of_a_burst(own_nats: NatsForTests, own_postgres: PostgresServer) -> None:
    url = await own_postgres.create_service("scheduler")
    await migrate(url, "slipway_scheduler")
    async with own_nats.bus_as("core") as core, replicas(url, own_nats, 2) as running:
        await fill(url, datetime.now(UTC) + timedelta(seconds=1))
        await eventually(lambda: begun(core), 30, 0.01)
        for process in list(running):
            process.send_signal(signal.SIGKILL)
        assert not await all_came(core), "they were too fast for this test"
        running.append(await replica(url, own_nats))
        await each_came_once(core)


async def test_nats_killed_in_the_middle_of_a_burst(own_nats: NatsForTests, own_postgres: PostgresServer) -> None:
    url = await own_postgres.create_service("scheduler")
    await migrate(url, "slipway_scheduler")
    async with own_nats.bus_as("core") as core, replicas(url, own_nats, 2):
        await fill(url, datetime.now(UTC) + timedelta(seconds=1))
        await eventually(lambda: begun(core), 30, 0.01)
        await own_nats.server.kill()
        await own_nats.server.start()
        await core.wait_connected(30)
        await each_came_once(core)
