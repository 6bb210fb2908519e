"""Redeploys under load: no request fails, an open WebSocket and a long download survive."""

import asyncio
import time
from pathlib import Path

import aiohttp

from slipway_testing import applications
from slipway_testing.platform import Application, Environment

REDEPLOYS = 20
REQUESTS_PER_SECOND = 200


class Load:
    """A steady open-loop load of GETs on one service; it counts what went wrong."""

    def __init__(self, session: aiohttp.ClientSession, url: str, host: str) -> None:
        self.session, self.url, self.host = session, url, host
        self.sent = 0
        self.failures: list[str] = []
        self.texts: set[str] = set()
        self.stop = asyncio.Event()

    async def run(self) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as requests:
            while not self.stop.is_set():
                requests.create_task(self.one())
                self.sent += 1
                due = began + self.sent / REQUESTS_PER_SECOND
                await asyncio.sleep(max(0, due - time.monotonic()))
        self.seconds = time.monotonic() - began

    async def one(self) -> None:
        try:
            async with self.session.get(self.url, headers={"Host": self.host}) as answer:
                text = await answer.text()
                if answer.status != 200:
                    self.failures.append(f"{answer.status} {text[:200]}")
                self.texts.add(text)
        except Exception as error:
            self.failures.append(repr(error))


async def test_no_request_fails_over_twenty_redeploys(environment: Environment, work: Path) -> None:
    web = await environment.application("web", applications.web("version 0"), work)
    assert (await web.deployed(await web.push()))["status"] == "DEPLOYED"
    port, label = environment.platform.port, await web.label()
    url, host = f"http://127.0.0.1:{port}/", f"{label}.localhost:{port}"

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        load = Load(session, url, host)
        loading = asyncio.create_task(load.run())
        socket = await session.ws_connect(f"http://127.0.0.1:{port}/ws", headers={"Host": host})
        download = asyncio.create_task(fetch(session, f"{url}slow?seconds=30", host))
        for number in range(1, REDEPLOYS + 1):
            await redeploy(web, f"version {number}")
            if number in (1, REDEPLOYS // 2):
                await socket.send_str(f"ping {number}")
                assert (await socket.receive(timeout=10)).data == f"ping {number}"
        assert await download == 3000
        load.stop.set()
        await loading
        await socket.close()

    assert load.failures == []
    assert load.sent / load.seconds >= REQUESTS_PER_SECOND * 0.95
    assert load.texts == {f"version {number}" for number in range(REDEPLOYS + 1)}


async def redeploy(web: Application, text: str) -> None:
    web.write(applications.web(text))
    deployment = await web.deployed(await web.push(), timeout_seconds=60)
    assert deployment["status"] == "DEPLOYED", deployment


async def fetch(session: aiohttp.ClientSession, url: str, host: str) -> int:
    async with session.get(url, headers={"Host": host}) as answer:
        return len(await answer.read())
