"""kill -9 of a worker, of the bus, and of both, under load: what got a 2xx is in the stream exactly once."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from slipway_contracts.git import GitLink
from slipway_testing import eventually, free_port

Gateway = Any
SENDERS = 8
YOUNG_SECONDS = 7.0
"""A worker that dies before it is five seconds old ends the whole service. Ages are known to a second."""


@pytest.fixture
async def nats(own_nats: Any) -> Any:
    """A server of the test's own: it is killed."""
    return own_nats


class Service:
    """The gateway as a process of its own, with two workers."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    async def grow_up(self) -> None:
        """Wait until every worker is old enough to be missed."""
        await eventually(lambda: all(_age_seconds(pid) > YOUNG_SECONDS for pid in self.workers()), 30)


def _age_seconds(pid: int) -> float:
    return time.time() - psutil.Process(pid).create_time()


@contextlib.asynccontextmanager
async def service(gateway: Gateway, workers: int = 2) -> AsyncIterator[Service]:
    settings = gateway.settings
    port = free_port()
    environment = {
        "SLIPWAY_NATS_URL": settings.nats_url,
        "SLIPWAY_NATS_PASSWORD": settings.nats_password,
        "SLIPWAY_POSTGRES_URL": settings.postgres_url,
        "SLIPWAY_PRIVATE_KEY_FILE": settings.private_key_file,
        "SLIPWAY_LISTEN_PORT": str(port),
        "SLIPWAY_LOG_LEVEL": "error",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "slipway_webhooks", "--workers", str(workers), env=os.environ | environment
    )
    try:
        yield Service(process, port)
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 30)


class Load:
    """Senders that never stop, each with ids of its own; what was answered with 202 is noted."""

    def __init__(self, gateway: Gateway, link: GitLink, port: int) -> None:
        self.gateway, self.link, self.port = gateway, link, port
        self.accepted: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.stopping = asyncio.Event()

    async def send(self, sender: int) -> None:
        number = 0
        async with aiohttp.ClientSession() as session:
            while not self.stopping.is_set():
                number += 1
                await self._one(session, f"{sender}-{number}")

    async def _one(self, session: aiohttp.ClientSession, id: str) -> None:
        body, headers = self.gateway.signed(id)
        url = f"http://127.0.0.1:{self.port}/hooks/github/{self.link.id}"
        try:
            async with session.post(url, data=body, headers=headers) as answer:
                self.statuses[answer.status] += 1
                await answer.read()
                if answer.status == 202:
                    self.accepted.append(id)
        except aiohttp.ClientError:
            await asyncio.sleep(0.02)

    async def more(self, count: int = 100) -> None:
        enough = len(self.accepted) + count
        await eventually(lambda: len(self.accepted) >= enough, 30)


@contextlib.asynccontextmanager
async def loaded(gateway: Gateway, link: GitLink, port: int) -> AsyncIterator[Load]:
    load = Load(gateway, link, port)
    tasks = [asyncio.create_task(load.send(number)) for number in range(SENDERS)]
    try:
        yield load
    finally:
        load.stopping.set()
        await asyncio.gather(*tasks)


async def restarted(nats: Any) -> None:
    await nats.server.kill()
    await asyncio.sleep(0.3)
    await nats.server.start()


async def exactly_once(gateway: Gateway, load: Load) -> None:
    await gateway.core.wait_connected(15)
    stored = Counter(push.delivery_id for push in await gateway.pushes())
    assert [id for id, count in stored.items() if count > 1] == []
    assert set(load.accepted) <= stored.keys()
    assert load.statuses.keys() <= {202, 404, 503}


async def test_kills_of_a_worker_of_the_bus_and_of_both_lose_and_double_nothing(gateway: Gateway, nats: Any) -> None:
    link = await gateway.link()
    async with service(gateway) as running, loaded(gateway, link, running.port) as load:
        await load.more()
        await running.grow_up()
        first, second = running.workers()
        os.kill(first, signal.SIGKILL)
        await load.more()
        await restarted(nats)
        await load.more()
        os.kill(second, signal.SIGKILL)
        await restarted(nats)
        await load.more()
        await eventually(lambda: len(running.workers()) == 2, 10)
    await exactly_once(gateway, load)


async def test_an_orderly_end_under_load_finishes_what_was_begun(gateway: Gateway, nats: Any) -> None:
    link = await gateway.link()
    async with service(gateway) as running:
        async with loaded(gateway, link, running.port) as load:
            await load.more()
            running.process.terminate()
            assert await asyncio.wait_for(running.process.wait(), 30) == 0
        assert load.statuses[500] == 0
    await exactly_once(gateway, load)
