"""Lag, exactness and idle cost of three replicas of the scheduler, beside one loop that polls and publishes one by one.

What fires is counted in the stream, where the lag ends too: from the nominal time until the server has stored it.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg
import psutil

from bench.table import Row
from slipway_bus import Bus
from slipway_contracts.schedules import FIRED, Fired
from slipway_embedded import PostgresServer
from slipway_postgres import migrate
from slipway_testing import eventually
from slipway_testing.servers import NatsForTests

REPLICAS = 3
DUE = 10_000
MANY, FEW = 1_000_000, 10_000
STEADY_PER_SECOND, STEADY_SECONDS = 100, 10
IDLE_SECONDS = 15
LEAD = timedelta(seconds=8)
"""Replicas look again after five seconds at most: what is put further ahead is known to all in time."""
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney")
FAR = datetime(2090, 1, 1, tzinfo=UTC)
COLUMNS = (
    "id", "rule_id", "organization_id", "environment_id", "kind", "form", "expression", "timezone", "since", "next_at",
    "due_at", "reason",
)  # fmt: skip
SET_DUE = """
    UPDATE schedules SET next_at = due.at, due_at = due.at
    FROM unnest($1::text[], $2::timestamptz[]) AS due (id, at) WHERE schedules.id = due.id
"""
NAIVE_DUE = "SELECT id, due_at FROM schedules WHERE due_at <= now() ORDER BY due_at"
NAIVE_DONE = "UPDATE schedules SET next_at = $2, due_at = $2 WHERE id = $1"


@dataclass(frozen=True)
class Servers:
    """What the replicas stand on."""

    nats: NatsForTests
    url: str
    superuser_url: str
    database: "asyncpg.Connection[asyncpg.Record]"
    core: Bus
    postgres_pid: int

    def servers(self) -> list[psutil.Process]:
        """NATS, and Postgres with the processes of its sessions."""
        postgres = psutil.Process(self.postgres_pid)
        return [psutil.Process(self.nats.server.pid), postgres, *postgres.children()]


@dataclass(frozen=True)
class Lags:
    """What was measured of one load, in milliseconds."""

    p99: float
    median: float
    wrong: int
    """Nominal times that did not come exactly once."""
    cpu_seconds: float
    """Of who fired, Postgres and NATS together: what it costs, however busy the machine is otherwise."""


async def measure(options: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="slipway bench ") as directory:
        async with servers(Path(directory)) as running:
            await store(running, 0, FEW)
            naive_burst, naive_steady = await baseline(running)
            async with replicas(running) as processes:
                few = await load(running, burst(), processes)
            await store(running, FEW, MANY)
            async with replicas(running) as processes:
                many = await load(running, burst(), processes)
                steady = await load(running, spread(), processes)
                idle, idle_servers = await idle_percent(running, processes)
    base = "one loop that polls and publishes one by one"
    return [
        Row(f"{DUE} due at once, {MANY} stored: lag p99", many.p99, "ms", naive_burst.p99, base, 1000),
        Row(f"{DUE} due at once, {MANY} stored: lag p50", many.median, "ms", naive_burst.median, base),
        Row(f"{DUE} due at once, {FEW} stored: lag p99", few.p99, "ms", naive_burst.p99, base, 1000),
        Row(f"{STEADY_PER_SECOND}/s, {MANY} stored: lag p99", steady.p99, "ms", naive_steady.p99, base, 100),
        Row(f"CPU of {DUE} firings, {MANY} stored", many.cpu_seconds, "s", few.cpu_seconds, f"{FEW} stored"),
        Row(f"CPU of {DUE} firings, {FEW} stored", few.cpu_seconds, "s", naive_burst.cpu_seconds, base),
        Row("nominal times that did not come exactly once", few.wrong + many.wrong + steady.wrong, "of them", goal=0),
        Row(f"idle CPU of a replica, {MANY} stored, of one core", idle, "%", goal=1),
        Row("idle CPU of Postgres and NATS beside them, of one core", idle_servers, "%"),
    ]


@contextlib.asynccontextmanager
async def servers(directory: Path) -> AsyncIterator[Servers]:
    nats, postgres = NatsForTests(directory / "nats"), PostgresServer(directory / "postgres")
    async with nats.server, postgres:
        await nats.empty()
        url = await postgres.create_service("scheduler")
        await migrate(url, "slipway_scheduler")
        database = await asyncpg.connect(url)
        try:
            async with nats.bus_as("core") as core:
                pid = int((postgres.data / "postmaster.pid").read_text().split()[0])
                yield Servers(nats, url, postgres.url("scheduler"), database, core, pid)
        finally:
            await database.close()


@contextlib.asynccontextmanager
async def replicas(running: Servers) -> AsyncIterator[list[psutil.Process]]:
    environment = {
        "PATH": os.environ["PATH"],
        "SLIPWAY_POSTGRES_URL": running.url,
        "SLIPWAY_NATS_URL": running.nats.url,
        "SLIPWAY_NATS_PASSWORD": running.nats.passwords["scheduler"],
        "SLIPWAY_LOG_LEVEL": "warning",
    }
    command = (sys.executable, "-m", "slipway_scheduler")
    processes = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(REPLICAS)]
    try:
        await connected(running)
        yield [psutil.Process(process.pid) for process in processes]
    finally:
        for process in processes:
            process.terminate()
        await asyncio.gather(*(process.wait() for process in processes))


async def connected(running: Servers) -> None:
    """Wait until every replica listens for news of the outbox."""
    counted = "SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE application_name = 'slipway-scheduler'"

    async def every_replica() -> object:
        return await running.database.fetchval(counted) >= 2 * REPLICAS

    await eventually(every_replica, 60, 0.1)


async def store(running: Servers, first: int, last: int) -> None:
    """Daily schedules in several time zones, none of them due in our days."""
    since = datetime.now(UTC)
    records = (record(n, since) for n in range(first, last))
    await running.database.copy_records_to_table("schedules", records=records, columns=COLUMNS)
    await settle(running.superuser_url)


async def settle(url: str) -> None:
    """Do now what a server does some time after a million rows came in at once."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("VACUUM ANALYZE schedules", timeout=120)
        await connection.execute("CHECKPOINT", timeout=120)
    finally:
        await connection.close()


def record(n: int, since: datetime) -> tuple[object, ...]:
    """In the order of COLUMNS. Its expression is not due within an hour: only the load says what is."""
    zone, far = ZONES[n % len(ZONES)], FAR + timedelta(seconds=n)
    hour = (since.astimezone(ZoneInfo(zone)).hour + 2 + n // 60 % 21) % 24
    expression = f"{n % 60} {hour} * * *"
    return (str(n), str(n), "o", f"e{n}", "cron-job", "cron", expression, zone, since, far, far, "bench")


def burst() -> list[datetime]:
    """All in one second, and in the same moment of it."""
    return [(datetime.now(UTC) + LEAD).replace(microsecond=0)] * DUE


def spread() -> list[datetime]:
    start = datetime.now(UTC) + LEAD
    return [start + timedelta(seconds=n / STEADY_PER_SECOND) for n in range(STEADY_PER_SECOND * STEADY_SECONDS)]


async def load(
    running: Servers, moments: Sequence[datetime], processes: Sequence[psutil.Process], timeout_seconds: float = 90
) -> Lags:
    """Make the first schedules due at these moments, wait until all have fired, and see when."""
    ids = [str(n) for n in range(len(moments))]
    before = await stored(running)
    await running.database.execute(SET_DUE, ids, moments)

    async def all_came() -> bool:
        return await stored(running) >= before + len(moments)

    cpu = cpu_seconds(running.servers() + list(processes))
    await asyncio.sleep((moments[-1] - datetime.now(UTC)).total_seconds() + 1)
    await eventually(all_came, timeout_seconds, 0.5)
    await asyncio.sleep(2)  # what came twice would come now
    cpu = cpu_seconds(running.servers() + list(processes)) - cpu
    return await lags(running, dict(zip(ids, moments, strict=True)), before, cpu)


async def stored(running: Servers) -> int:
    """The number of the newest message in the stream."""
    newest = await running.core.last(FIRED, kind="cron-job")
    return newest.sequence if newest else 0


async def lags(running: Servers, expected: dict[str, datetime], before: int, cpu: float) -> Lags:
    came: Counter[tuple[str, datetime]] = Counter()
    late: list[float] = []
    async for one in running.core.history(FIRED, after_sequence=before):
        came[one.message.schedule_id, one.message.nominal_at] += 1
        late.append((one.at - one.message.nominal_at).total_seconds() * 1000)
    wanted = Counter(expected.items())
    wrong = sum(((came - wanted) + (wanted - came)).values())
    late.sort()
    return Lags(late[int(len(late) * 0.99)], late[len(late) // 2], wrong, cpu)


async def baseline(running: Servers) -> tuple[Lags, Lags]:
    """The loop everybody writes first; alone, because two of them would fire twice."""
    async with running.nats.bus_as("scheduler") as bus:
        polling = asyncio.create_task(poll(running, bus))
        try:
            ours = [psutil.Process()]
            return await load(running, burst(), ours), await load(running, spread(), ours)
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)


async def poll(running: Servers, bus: Bus) -> None:
    database = await asyncpg.connect(running.url)
    try:
        while True:
            for row in await database.fetch(NAIVE_DUE):
                message = Fired(
                    schedule_id=row["id"],
                    kind="cron-job",
                    organization_id="o",
                    nominal_at=row["due_at"],
                    fired_at=datetime.now(UTC),
                )
                await bus.publish(FIRED, message, kind="cron-job")
                await database.execute(NAIVE_DONE, row["id"], FAR)
            await asyncio.sleep(0.1)
    finally:
        await database.close()


async def idle_percent(running: Servers, processes: list[psutil.Process]) -> tuple[float, float]:
    """CPU of a replica on average, and of Postgres and NATS, while nothing is due."""
    await asyncio.sleep(10)
    servers, began = running.servers(), time.monotonic()
    before = cpu_seconds(processes), cpu_seconds(servers)
    await asyncio.sleep(IDLE_SECONDS)
    passed = time.monotonic() - began
    after = cpu_seconds(processes), cpu_seconds(servers)
    return (after[0] - before[0]) / passed / REPLICAS * 100, (after[1] - before[1]) / passed * 100


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes if process.is_running()]
    return sum(each.user + each.system for each in times)
