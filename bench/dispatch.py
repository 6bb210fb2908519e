"""From ready to started with many engines connected, and what a step costs core; beside bare NATS and one INSERT.

Core, Postgres, NATS, the engines and this process share the machine. A step is timed by the rows that core wrote
(ready, started) and by the engine that got its task; its CPU is core's alone, plans and requests included.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import asyncpg
import psutil

from bench.table import Row
from slipway_bus import Bus, create_task_consumer
from slipway_bus.accounts import ClusterCredentials, new_cluster_credentials, render
from slipway_contracts.base import uuid7
from slipway_contracts.git import GIT_PUSHED, Push
from slipway_embedded import NatsServer, PostgresServer
from slipway_postgres import migrate
from slipway_security import sealing
from slipway_testing import eventually
from slipway_testing.servers import NatsForTests

MANY, FEW = 500, 50
ENVIRONMENTS, SERVICES = 500, 10
RATE = 200
"""Steps a second that the goal is about."""
FASTER = (300, 400, 500, 600)
SECONDS = 12
GOAL_MS, PUSH_GOAL_MS, CPU_GOAL_MS = 100, 150, 1.5
WORK_SECONDS = 0.1
PUSHES_PER_SECOND, PUSHES = 20, 200
COMMIT, NEXT = "a" * 40, "b" * 40
PUBLIC_URL = "http://localhost:8080"
STEPS = """
    SELECT s.id, extract(epoch FROM s.ready_at) AS ready, extract(epoch FROM s.started_at) AS started
    FROM deployment_steps s JOIN deployments d ON d.id = s.deployment_id
    WHERE d.created_at >= to_timestamp($1) AND s.started_at IS NOT NULL AND s.service_id IS NOT NULL
"""
OPEN = "SELECT count(*) FROM deployments WHERE ended_at IS NULL"
FAILED = (
    "SELECT min(status || ': ' || reason) FROM deployments WHERE status NOT IN ('DEPLOYED') AND ended_at IS NOT NULL"
)


@dataclass
class Bench:
    """A platform's middle with its engines outside."""

    nats: NatsForTests
    clusters: dict[str, ClusterCredentials]
    url: str
    database: "asyncpg.Connection[asyncpg.Record]"
    keys: sealing.KeyPair
    core_user: Bus
    organization_id: str = ""
    token: str = ""
    port: int = 0
    core: psutil.Process = field(default_factory=psutil.Process)
    environments: list[str] = field(default_factory=list)
    links: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    """(id, organization id, service id, repository, URL) of services, a push each."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "SLIPWAY_POSTGRES_URL": self.url,
            "SLIPWAY_NATS_URL": self.nats.url,
            "SLIPWAY_NATS_PASSWORD": self.nats.passwords["core"],
            "SLIPWAY_MASTER_KEY_FILE": str(self.nats.server.accounts_file.parent / "master.key"),
            "SLIPWAY_WEBHOOKS_PUBLIC_KEY": base64.b64encode(self.keys.public).decode(),
            "SLIPWAY_LISTEN_PORT": str(self.port),
            "SLIPWAY_PUBLIC_URL": PUBLIC_URL,
            "SLIPWAY_CALLER_REQUESTS_PER_SECOND": "0",
            "SLIPWAY_LOG_LEVEL": os.environ.get("BENCH_LOG", "error"),
            **{name: os.environ[name] for name in ("BENCH_PROFILE",) if name in os.environ},
        }


@dataclass(frozen=True)
class Load:
    """What was measured of one load: milliseconds, sorted."""

    in_hand: list[float]
    started: list[float]
    cpu_ms: float
    """Of core, per step."""
    per_second: float

    def goal_holds(self) -> bool:
        return at(self.started, 0.99) <= GOAL_MS


async def measure(options: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="slipway bench ") as directory:
        async with servers(Path(directory)) as bench:
            base_latencies, base_cpu = await baseline(bench)
            await fill(bench)
            async with core(bench):
                async with engines(bench, MANY) as fleet:
                    await all_at_once(bench, fleet, "deploy")
                    many = await load(bench, fleet, RATE)
                    burst = await all_at_once(bench, fleet, "redeploy")
                    best = await highest(bench, fleet)
                    pushes = await push_to_hand(bench, fleet)
                async with engines(bench, FEW) as fleet:
                    few = await load(bench, fleet, RATE)
    base = "bare NATS publish to fetch, and an INSERT"
    hands, base_99 = f"{RATE}/s, {MANY} engines: ready to in an engine's hands", at(base_latencies, 0.99)
    return [
        Row(
            f"{RATE}/s, {MANY} engines: ready to started, p50",
            at(many.started, 0.5),
            "ms",
            at(base_latencies, 0.5),
            base,
        ),
        Row(f"{RATE}/s, {MANY} engines: ready to started, p99", at(many.started, 0.99), "ms", base_99, base, GOAL_MS),
        Row(f"{hands}, p50", at(many.in_hand, 0.5), "ms", at(base_latencies, 0.5), base),
        Row(f"{hands}, p99", at(many.in_hand, 0.99), "ms", base_99, base),
        Row(
            f"{RATE}/s, {FEW} engines: ready to started, p50",
            at(few.started, 0.5),
            "ms",
            at(many.started, 0.5),
            f"{MANY}",
        ),
        Row(
            f"{RATE}/s, {FEW} engines: ready to started, p99",
            at(few.started, 0.99),
            "ms",
            at(many.started, 0.99),
            f"{MANY}",
        ),
        Row(f"CPU of core per step, {MANY} engines", many.cpu_ms, "ms", base_cpu, base, CPU_GOAL_MS),
        Row(f"CPU of core per step, {FEW} engines", few.cpu_ms, "ms", base_cpu, base, CPU_GOAL_MS),
        Row(f"{ENVIRONMENTS * SERVICES} steps asked for at once: done", burst.per_second, "a second"),
        Row(f"CPU of core per step, {ENVIRONMENTS * SERVICES} at once", burst.cpu_ms, "ms", base_cpu, base),
        Row(f"highest rate with p99 within {GOAL_MS} ms", best, "a second"),
        Row("push accepted to task in hand, p50", at(pushes, 0.5), "ms", at(base_latencies, 0.5), base),
        Row("push accepted to task in hand, p99", at(pushes, 0.99), "ms", base_99, base, PUSH_GOAL_MS),
    ]


def at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


@contextlib.asynccontextmanager
async def servers(directory: Path) -> AsyncIterator[Bench]:
    nats = NatsForTests(directory / "nats")
    clusters = {id: new_cluster_credentials(id) for id in (uuid7() for _ in range(MANY))}
    nats.server = NatsServer(directory / "nats", accounts=render(nats.passwords, clusters))
    async with nats.server, PostgresServer(directory / "postgres") as postgres:
        await nats.empty()
        url = await postgres.create_service("core")
        await migrate(url, "slipway_core")
        database = await asyncpg.connect(url)
        key = nats.server.accounts_file.parent / "master.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(32))
        try:
            async with nats.bus_as("core") as bus:
                yield Bench(nats, clusters, url, database, sealing.new_keypair(), bus, port=free_port())
        finally:
            await database.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def fill(bench: Bench) -> None:
    """An organization with environments of services whose repositories stand at one commit."""
    wanted = json.dumps({"email": "bench@example.com"}).encode()
    command = (sys.executable, "-m", "slipway_core", "bootstrap")
    process = await asyncio.create_subprocess_exec(*command, env=bench.environment, stdin=-1, stdout=-1)
    made = json.loads((await process.communicate(wanted))[0])
    bench.organization_id, bench.token = made["organization_id"], made["api_token"]
    project, database = uuid7(), bench.database
    await database.execute(
        "INSERT INTO projects (id, organization_id, name, slug) VALUES ($1, $2, 'bench', 'bench')",
        project,
        bench.organization_id,
    )
    await database.executemany(
        "INSERT INTO clusters (id, organization_id, name, kind) VALUES ($1, $2, $3, 'SELF_MANAGED')",
        [(id, bench.organization_id, f"cluster {number}") for number, id in enumerate(bench.clusters)],
    )
    clusters = list(bench.clusters)
    bench.environments = [uuid7() for _ in range(ENVIRONMENTS)]
    await database.executemany(
        "INSERT INTO environments (id, project_id, cluster_id, name, mode) VALUES ($1, $2, $3, $4, 'DEVELOPMENT')",
        [(id, project, clusters[n % MANY], f"e{n}") for n, id in enumerate(bench.environments)],
    )
    stages = [(uuid7(), environment) for environment in bench.environments]
    await database.executemany(
        "INSERT INTO deployment_stages (id, environment_id, name, position) VALUES ($1, $2, 'all', 1)", stages
    )
    await _services(bench, stages)
    await asyncio.gather(*(create_task_consumer(bench.core_user, id) for id in bench.clusters))


async def _services(bench: Bench, stages: list[tuple[str, str]]) -> None:
    services, heads, links, variables = [], [], [], []
    for n, (stage, environment) in enumerate(stages):
        for s in range(SERVICES):
            id, name = uuid7(), f"s{n}x{s}"
            url = f"{PUBLIC_URL}/git/bench/{name}.git"
            config = {
                "git_repository": {"url": url, "branch": "main", "provider": "SLIPWAY"},
                "cpu": 250,
                "memory": 256,
            }
            services.append((id, environment, name, name, stage, json.dumps(config)))
            repository = f"localhost:8080/git/bench/{name}"
            heads.append((bench.organization_id, repository, COMMIT))
            variables += [(uuid7(), id, f"VARIABLE_{v}", f"value {v}") for v in range(5)]
            if s == 0:
                links.append((uuid7(), bench.organization_id, id, repository, url))
    database = bench.database
    await database.executemany(
        """INSERT INTO services (id, environment_id, kind, name, label, stage_id, config)
           VALUES ($1, $2, 'APPLICATION', $3, $4, $5, $6)""",
        services,
    )
    await database.executemany(
        """INSERT INTO git_heads (organization_id, repository, ref, commit, updated_at)
           VALUES ($1, $2, 'refs/heads/main', $3, now())""",
        heads,
    )
    await database.executemany(
        "INSERT INTO variables (id, service_id, key, type, value) VALUES ($1, $2, $3, 'VALUE', $4)", variables
    )
    bench.links = links
    await database.execute("ANALYZE")


async def add_links(bench: Bench) -> None:
    """Late, so that core never looks for their secrets: there are none."""
    key = await bench.database.fetchval("SELECT id FROM data_keys WHERE organization_id IS NULL LIMIT 1")
    await bench.database.executemany(
        """INSERT INTO git_links (id, organization_id, service_id, provider, repository, clone_url, data_key_id,
            secret_ciphertext)
           VALUES ($1, $2, $3, 'slipway', $4, $5, $6, '')""",
        [(*link, key) for link in bench.links],
    )


@contextlib.asynccontextmanager
async def core(bench: Bench) -> AsyncIterator[None]:
    command = [sys.executable, "-m", "slipway_core"]
    if profile := os.environ.get("BENCH_PROFILE"):
        command = [sys.executable, "-m", "cProfile", "-o", profile, "-m", "slipway_core"]
    process = await asyncio.create_subprocess_exec(*command, env=bench.environment)
    bench.core = psutil.Process(process.pid)
    try:
        async with aiohttp.ClientSession() as session:

            async def answers() -> bool:
                try:
                    async with session.get(f"http://127.0.0.1:{bench.port}/api/openapi.json") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    return False

            await eventually(answers, 60, 0.1)
        yield
    finally:
        process.terminate()
        await process.wait()


class Engines:
    """The process that holds the engines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def forget(self) -> None:
        await self._say("forget")

    async def told(self) -> list[tuple[str, str, float]]:
        await self._say("told")
        assert self.process.stdout is not None
        answer = json.loads(await self.process.stdout.readline())
        assert not answer["problems"], answer["problems"]
        return [(step, kind, when) for step, kind, when in answer["told"]]

    async def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        await self.process.stdin.drain()


@contextlib.asynccontextmanager
async def engines(bench: Bench, count: int) -> AsyncIterator[Engines]:
    """Engines of the first `count` clusters, all environments on those; over when all are known."""
    clusters = list(bench.clusters)[:count]
    await bench.database.executemany(
        "UPDATE environments SET cluster_id = $2 WHERE id = $1",
        [(id, clusters[n % count]) for n, id in enumerate(bench.environments)],
    )
    logins = [(id, bench.clusters[id].engine_user, bench.clusters[id].engine_password) for id in clusters]
    wanted = {
        "url": bench.nats.url,
        "public_key": base64.b64encode(bench.keys.public).decode(),
        "engines": logins,
        "work_seconds": WORK_SECONDS,
    }
    command = (sys.executable, "-m", "bench.dispatch_engines")
    process = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1, limit=2**26)
    assert process.stdin is not None and process.stdout is not None  # noqa: PT018
    try:
        process.stdin.write(json.dumps(wanted).encode() + b"\n")
        await asyncio.wait_for(process.stdout.readline(), 60)

        async def known() -> bool:
            count_known = "SELECT count(*) FROM clusters WHERE public_key IS NOT NULL"
            return bool(await bench.database.fetchval(count_known) >= count)

        await eventually(known, 120, 0.2)
        yield Engines(process)
    finally:
        process.stdin.close()
        await process.wait()


async def load(bench: Bench, fleet: Engines, rate: int) -> Load:
    """So many steps a second become ready, as redeploys of whole environments."""
    count = rate * SECONDS // SERVICES
    interval = SERVICES / rate
    return await _measured(bench, fleet, [n * interval for n in range(count)], "redeploy")


async def all_at_once(bench: Bench, fleet: Engines, action: str) -> Load:
    return await _measured(bench, fleet, [0.0] * ENVIRONMENTS, action)


async def _measured(bench: Bench, fleet: Engines, moments: Sequence[float], action: str) -> Load:
    await fleet.forget()
    began, cpu = time.time(), cpu_seconds(bench.core)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=32)) as session:
        await asyncio.gather(*(_ask(bench, session, began + moment, n, action) for n, moment in enumerate(moments)))

    await nothing_open(bench)
    took, cpu = time.time() - began, cpu_seconds(bench.core) - cpu
    failed = await bench.database.fetchval(FAILED)
    assert failed is None, failed
    steps = {str(row["id"]): row for row in await bench.database.fetch(STEPS, began)}
    came = {step: when for step, _, when in await fleet.told() if step in steps}
    in_hand = sorted((when - float(steps[step]["ready"])) * 1000 for step, when in came.items())
    started = sorted((float(row["started"]) - float(row["ready"])) * 1000 for row in steps.values())
    return Load(in_hand, started, cpu / len(steps) * 1000, len(steps) / took)


async def nothing_open(bench: Bench) -> None:
    """Wait until every deployment has ended."""

    async def over() -> bool:
        return bool(await bench.database.fetchval(OPEN) == 0)

    await eventually(over, 120, 0.2)


async def _ask(bench: Bench, session: aiohttp.ClientSession, due: float, number: int, action: str) -> None:
    await asyncio.sleep(max(0.0, due - time.time()))
    url = f"http://127.0.0.1:{bench.port}/api/environment/{bench.environments[number % ENVIRONMENTS]}/{action}"
    async with session.post(url, headers={"Authorization": f"Token {bench.token}"}) as answer:
        assert answer.status == 202, await answer.text()


async def highest(bench: Bench, fleet: Engines) -> float:
    """The highest rate of those tried with which the goal holds; 0: not even the first."""
    best = 0.0
    for rate in (RATE, *FASTER):
        if not (await load(bench, fleet, rate)).goal_holds():
            break
        best = rate
    return best


async def push_to_hand(bench: Bench, fleet: Engines) -> list[float]:
    """From a push that the bus has taken to the build task at an engine, in milliseconds."""
    await add_links(bench)
    await fleet.forget()
    sent: dict[str, float] = {}
    began = time.time()
    async with bench.nats.bus_as("webhooks") as webhooks:
        for n, (link, *_, url) in enumerate(bench.links[:PUSHES]):
            await asyncio.sleep(max(0.0, began + n / PUSHES_PER_SECOND - time.time()))
            push = Push(
                link_id=link,
                delivery_id=uuid7(),
                provider="slipway",
                organization_id=bench.organization_id,
                repository=url,
                clone_url=url,
                ref="refs/heads/main",
                before=COMMIT,
                after=NEXT,
                received_at=datetime.now(UTC),
            )
            await webhooks.publish(GIT_PUSHED, push, provider="slipway")
            sent[url] = time.time()

    async def all_came() -> bool:
        return sum(kind == "build" for _, kind, _ in await fleet.told()) >= PUSHES

    await eventually(all_came, 60, 0.5)
    await nothing_open(bench)
    came = {step: when for step, kind, when in await fleet.told() if kind == "build"}
    rows = await bench.database.fetch(
        "SELECT id, spec #>> '{git,url}' AS url FROM deployment_steps WHERE id = ANY($1::uuid[])", list(came)
    )
    return sorted((came[str(row["id"])] - sent[row["url"]]) * 1000 for row in rows)


async def baseline(bench: Bench) -> tuple[list[float], float]:
    """The same number a second through bare NATS, with one row each: milliseconds, and CPU per message."""
    await bench.database.execute("CREATE TEMP TABLE bare (id uuid PRIMARY KEY, at timestamptz NOT NULL)")
    late: list[float] = []
    count, ours = RATE * 5, psutil.Process()
    async with bench.nats.bus_as("operator") as bus:
        await create_task_consumer(bus, "bench")
        reader = await bus.client.jetstream().pull_subscribe("tasks.bench", durable="bench", stream="TASKS")

        async def read() -> None:
            while len(late) < count:
                for message in await reader.fetch(32, 5):
                    late.append((time.time() - float(message.data)) * 1000)
                    await message.ack()

        reading, began, cpu = asyncio.create_task(read()), time.time(), cpu_seconds(ours)
        for n in range(count):
            await asyncio.sleep(max(0.0, began + n / RATE - time.time()))
            await bench.database.execute("INSERT INTO bare VALUES ($1, now())", uuid7())
            await bus.publish_raw("tasks.bench", str(time.time()).encode())
        await asyncio.wait_for(reading, 30)
        cpu = cpu_seconds(ours) - cpu
        await bus.api("CONSUMER.DELETE.TASKS.bench")
    return sorted(late), cpu / count * 1000


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
