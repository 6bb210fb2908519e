"""The webhook gateway beside a bare aiohttp application and the naive version: requests, CPU each, latency, memory.

Everything shares the machine with the sender and NATS, so the measure is the CPU that a worker uses per request; the
contestants take turns, and the median of their rounds counts.
"""

import argparse
import asyncio
import hmac
import json
import lzma
import os
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from bench.table import Row
from slipway_bus import Bus
from slipway_bus.publishing import encode
from slipway_contracts.access import ACCESS, AccessEntry
from slipway_contracts.base import uuid7
from slipway_contracts.git import GIT_LINKS, GIT_PUSHED, GitLink
from slipway_embedded import PostgresServer
from slipway_security import sealing
from slipway_security.keyfiles import write_key
from slipway_testing.platform import REPOSITORY, free_port
from slipway_testing.servers import DatabasesForTests, NatsForTests

SECRET = "a secret of enough length"  # noqa: S105 - of this benchmark alone
PAYLOADS = REPOSITORY / "tests/service/webhooks/payloads/github.json.xz"
BODY_BYTES = 10_000
CONNECTIONS = (64, 512)
LINKS = 50_000
ROUNDS = 3
SECONDS = 3.0
PACED_SECONDS = 5.0


@dataclass
class Rival:
    """One contestant: its processes, and what was measured of it."""

    name: str
    port: int
    process: asyncio.subprocess.Process
    request: dict[str, Any]
    rates: list[float] = field(default_factory=list)
    microseconds: list[float] = field(default_factory=list)
    paced: dict[str, Any] = field(default_factory=dict)

    def pids(self) -> list[int]:
        """Its worker processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children] or [self.process.pid]

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(pid) for pid in self.pids())

    @property
    def peak_mb(self) -> float:
        return max(peak_bytes(pid) for pid in self.pids()) / 1024 / 1024


async def measure(options: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="slipway bench ") as directory:
        root = Path(directory)
        nats = NatsForTests(root / "nats")
        async with nats.server, PostgresServer(root / "postgres") as postgres:
            await nats.empty()
            return await compared(nats, postgres, root)


async def compared(nats: NatsForTests, postgres: PostgresServer, root: Path) -> list[Row]:
    keys = sealing.new_keypair()
    write_key(root / "key", keys.private)
    database = await DatabasesForTests(postgres).create("webhooks")
    rows: list[Row] = []
    async with nats.bus_as("core") as core:
        alive = AccessEntry(kind="alive", at=datetime.now(UTC) + timedelta(days=1))
        await (await core.table(ACCESS)).put("alive", alive)
        id = uuid7()
        sealed = sealing.seal(keys.public, SECRET.encode(), id)
        link = GitLink(id=id, provider="github", organization_id="bench", repository="", sealed_secrets=[sealed])
        await (await core.table(GIT_LINKS)).put(id, link)
        request = push_of(id)
        for connections in CONNECTIONS:
            async with (
                bare(request) as bare_one,
                ours(request, nats, database, root, workers=1) as one,
                naive(request, nats) as naive_one,
            ):
                await turns([bare_one, one, naive_one], connections)
                rows += shown(connections, bare_one, one, naive_one)
        async with (
            ours(request, nats, database, root, workers=1) as one,
            ours(request, nats, database, root, workers=2) as two,
        ):
            await turns([one, two], 64, paced=False)
            rows.append(
                Row(
                    "CPU per request, two workers",
                    med(two.microseconds),
                    "µs",
                    med(one.microseconds),
                    "one worker",
                    med(one.microseconds) * 1.1,
                )
            )
        if (peer := shutil.which("webhook")) is not None:
            rows += await beside(peer, request, root)
        rows += await linked(core, nats, keys.public, root)
    return rows


async def linked(core: Bus, nats: NatsForTests, public_key: bytes, root: Path) -> list[Row]:
    """Load many links, as a worker does at its start."""
    sealed = sealing.seal(public_key, SECRET.encode(), "a link's id, which is as long as this")
    kept = []
    for number in range(LINKS):
        id = uuid7()
        link = GitLink(
            id=id,
            provider="github",
            organization_id=uuid7(),
            repository=f"organization-{number % 900}/repository-{number}",
            clone_url=f"https://github.com/organization-{number % 900}/repository-{number}.git",
            sealed_secrets=[sealed],
        )
        kept.append(await core.publish_soon(f"$KV.{GIT_LINKS.name}.{id}", encode(link)))
    await asyncio.gather(*kept)
    environment = {"BENCH_NATS_URL": nats.url, "BENCH_NATS_PASSWORD": nats.passwords["webhooks"]}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.webhook_links", str(root / "key"), str(LINKS)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | environment,
        cwd=REPOSITORY,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    got = json.loads(next(line for line in out.splitlines() if line.startswith(b"{")))
    return [
        Row(f"{LINKS:,} links loaded by a worker", got["seconds"], "s", goal=3),
        Row(f"{LINKS:,} links loaded by a worker, its CPU", got["cpu_seconds"], "s"),
        Row(f"{LINKS:,} links, memory of a worker", got["mb"], "MB", goal=60),
    ]


async def turns(rivals: list[Rival], connections: int, *, paced: bool = True) -> None:
    """Round after round, each contestant once, so that the machine's moods hit all of them."""
    for number in range(ROUNDS):
        for rival in rivals if number % 2 == 0 else reversed(rivals):
            before = rival.cpu_seconds()
            got = await load(rival, connections, SECONDS)
            used = rival.cpu_seconds() - before
            assert got["statuses"].keys() == {"202"}, got
            assert not got["failed"], got
            rival.rates.append(got["answered"] / got["seconds"])
            rival.microseconds.append(1e6 * used / got["sent"])
    for rival in rivals if paced else ():
        rival.paced = await load(rival, connections, PACED_SECONDS, statistics.median(rival.rates) / 2)


def shown(connections: int, bare_one: Rival, one: Rival, naive_one: Rival) -> list[Row]:
    each = f"{connections} connections"
    bare_rate, bare_cpu, naive_cpu = med(bare_one.rates), med(bare_one.microseconds), med(naive_one.microseconds)
    cpu = med(one.microseconds)
    return [
        Row(f"requests/s, {each}: bare aiohttp application", bare_rate, "/s"),
        Row(f"requests/s, {each}: ours, durable", med(one.rates), "/s", bare_rate, "bare"),
        Row(f"requests/s, {each}: naive, js.publish each", med(naive_one.rates), "/s", bare_rate, "bare"),
        Row(f"CPU per request, {each}: ours", cpu, "µs", bare_cpu, "bare", 1.35 * bare_cpu),
        Row(f"CPU per request, {each}: ours", cpu, "µs", naive_cpu, "naive", 0.5 * naive_cpu),
        Row(f"p99 at half its maximum, {each}: bare", bare_one.paced["p99_ms"], "ms"),
        Row(f"p99 at half its maximum, {each}: ours", one.paced["p99_ms"], "ms", goal=10),
        Row(f"p99 at half its maximum, {each}: naive", naive_one.paced["p99_ms"], "ms"),
        Row(f"p50 at half its maximum, {each}: ours", one.paced["p50_ms"], "ms"),
        Row(f"peak memory of a worker, {each}: ours", one.peak_mb, "MB", bare_one.peak_mb, "bare", 120),
    ]


med = statistics.median


def push_of(link_id: str) -> dict[str, Any]:
    """GitHub's own example of a push, with as many commits as make it 10 KB."""
    examples = json.loads(lzma.decompress(PAYLOADS.read_bytes()))["push"]
    payload: dict[str, Any] = next(one for one in examples if one["commits"])
    commit = payload["commits"][0]
    while len(body := json.dumps(payload, separators=(",", ":"))) < BODY_BYTES:
        payload["commits"].append({**commit, "id": f"{len(payload['commits']):040x}"})
    signature = hmac.digest(SECRET.encode(), body.encode(), "sha256").hex()
    headers = {
        "User-Agent": "GitHub-Hookshot/044aadd",
        "Accept": "*/*",
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Hook-ID": "292430182",
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    return {"path": f"/hooks/github/{link_id}", "headers": headers, "id_header": "X-GitHub-Delivery", "body": body}


async def load(rival: Rival, connections: int, seconds: float, rate: float = 0) -> dict[str, Any]:
    arguments = [str(rival.port), str(connections), str(seconds), *([str(rate)] if rate else [])]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.webhook_load",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    out, _ = await asyncio.wait_for(process.communicate(json.dumps(rival.request).encode()), seconds + 30)
    result: dict[str, Any] = json.loads(out)
    return result


@asynccontextmanager
async def started(
    name: str, request: dict[str, Any], environment: dict[str, str], *command: str
) -> AsyncIterator[Rival]:
    port = int(command[-1]) if command[-1].isdigit() else int(environment["SLIPWAY_LISTEN_PORT"])
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environment, cwd=REPOSITORY, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await answers(port, request["path"])
        yield Rival(name, port, process, request)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 20)
            except TimeoutError:
                process.kill()


async def answers(port: int, path: str) -> None:
    """Wait until it takes requests and knows the link: an unsigned one is refused, not unknown."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        while True:
            try:
                async with session.post(f"http://127.0.0.1:{port}{path}", json={}) as answer:
                    if answer.status in (200, 202, 401, 500):
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


def bare(request: dict[str, Any]) -> Any:
    return started("bare", request, {}, sys.executable, "-m", "bench.webhook_rivals", "bare", str(free_port()))


def naive(request: dict[str, Any], nats: NatsForTests) -> Any:
    environment = {
        "BENCH_NATS_URL": nats.url,
        "BENCH_NATS_USER": "webhooks",
        "BENCH_NATS_PASSWORD": nats.passwords["webhooks"],
        "BENCH_SECRET": SECRET,
        "BENCH_SUBJECT": GIT_PUSHED.subject(provider="naive"),
    }
    return started(
        "naive", request, environment, sys.executable, "-m", "bench.webhook_rivals", "naive", str(free_port())
    )


def ours(request: dict[str, Any], nats: NatsForTests, database: str, root: Path, *, workers: int) -> Any:
    environment = {
        "SLIPWAY_NATS_URL": nats.url,
        "SLIPWAY_NATS_PASSWORD": nats.passwords["webhooks"],
        "SLIPWAY_POSTGRES_URL": database,
        "SLIPWAY_PRIVATE_KEY_FILE": str(root / "key"),
        "SLIPWAY_LISTEN_PORT": str(free_port()),
        "SLIPWAY_WORKERS": str(workers),
    }
    return started("ours", request, environment, sys.executable, "-m", "slipway_webhooks")


async def beside(peer: str, request: dict[str, Any], root: Path) -> list[Row]:
    """Debian's `webhook` (adnanh), which checks the signature and runs a command: the least one, `true`."""
    link = request["path"].rpartition("/")[2]
    signature = {"source": "header", "name": "X-Hub-Signature-256"}
    match = {"type": "payload-hmac-sha256", "secret": SECRET, "parameter": signature}
    hook = {"id": f"github/{link}", "execute-command": "/bin/true", "trigger-rule": {"match": match}}
    (root / "hooks.json").write_text(json.dumps([hook | {"success-http-response-code": 202}]))
    command = [peer, "-hooks", str(root / "hooks.json"), "-ip", "127.0.0.1", "-port", str(free_port())]
    async with started("webhook", request, {}, *command) as rival:
        before = rival.cpu_seconds()
        got = await load(rival, 64, SECONDS)
        used = rival.cpu_seconds() - before
    return [
        Row("requests/s, 64 connections: Debian's webhook", got["answered"] / got["seconds"], "/s"),
        Row("CPU per request, 64 connections: Debian's webhook", 1e6 * used / got["sent"], "µs"),
    ]


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, all threads."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def peak_bytes(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
