"""Numbered lines of several services through forced rotations, kill -9 of the agent and restarts of the bus."""

import asyncio
import contextlib
import random
from collections import Counter
from typing import Any

import aiohttp

from slipway_contracts.base import uuid7
from slipway_testing import eventually
from slipway_workloads import shim

Machine = Any
LINES = 20_000
SERVICES = 3


def writer(release: Any, file_bytes: int = 60_000, files: int = 200) -> shim.Log:
    """The shim's own log, with small files."""
    return shim.Log(str(release.logs), file_bytes, files, 1 << 40)


def numbered(first: int, last: int) -> list[str]:
    return [f"line {number}" for number in range(first, last + 1)]


async def write(log: shim.Log, count: int) -> None:
    """Lines in bursts, some in parts that the next ones complete."""
    chance = random.Random(1)
    number = 0
    while number < count:
        burst = min(chance.randint(1, 40), count - number)
        log.write(b"stdout", b"F", [b"line %d" % (number + index + 1) for index in range(burst)])
        number += burst
        if number < count:
            number += 1
            log.write(b"stdout", b"P", [b"line "])
            log.write(b"stdout", b"F", [b"%d" % number])
        await asyncio.sleep(0.01)


async def test_twenty_thousand_lines_through_kills_and_restarts(machine: Machine) -> None:
    releases = [machine.service(f"web{number}") for number in range(SERVICES)]
    machine.start_agent()
    writing = [asyncio.create_task(write(writer(release), LINES // SERVICES)) for release in releases]
    for turn in range(4):
        await asyncio.sleep(1.0)
        machine.kill_agent()
        if turn == 1:
            await machine.nats.server.kill()
            await machine.nats.server.start()
        machine.start_agent()
    await asyncio.gather(*writing)

    async def complete() -> bool:
        return all([len(await machine.texts(release)) >= LINES // SERVICES for release in releases])

    await eventually(complete, 60, 0.3)
    machine.kill_agent()
    for release in releases:
        batches = await machine.batches(release)
        texts = [line.text for batch in batches for line in batch.lines]
        counted = Counter((batch.epoch, line.sequence) for batch in batches for line in batch.lines)
        assert [key for key, count in counted.items() if count > 1] == []
        # A line whose parts were split by a rotation arrives as its parts; nothing else differs.
        assert " ".join(" ".join(texts).split()) == " ".join(numbered(1, LINES // SERVICES))
        assert len({batch.epoch for batch in batches}) > 3, "there were rotations"


async def test_lines_wait_in_the_files_while_the_bus_is_away(machine: Machine) -> None:
    release = machine.service()
    log = writer(release)
    machine.start_agent()
    await write(log, 50)
    await eventually(lambda: _has(machine, release, 50), 20)
    await machine.nats.server.stop()
    await write(log, 5000)
    await machine.nats.server.start()
    await eventually(lambda: _has(machine, release, 5050), 40, 0.2)
    assert (await machine.texts(release))[50:] == numbered(1, 5000)


async def test_what_was_rotated_away_meanwhile_shows_as_a_gap(machine: Machine) -> None:
    release = machine.service()
    log = writer(release, file_bytes=5_000, files=3)
    machine.start_agent()
    await write(log, 20)
    await eventually(lambda: _has(machine, release, 20), 20)
    machine.kill_agent()
    await write(log, 2000)
    machine.start_agent()
    await eventually(lambda: _ends_with(machine, release, "line 2000"), 20)
    batches = await machine.batches(release)
    gaps = [line.text for batch in batches for line in batch.lines if line.stream == "system"]
    assert len(gaps) == 1
    assert "lost" in gaps[0]


async def test_a_line_says_where_it_comes_from(machine: Machine) -> None:
    release = machine.service("shop")
    machine.run(release, "/bin/sh", "-c", "echo ERROR no stock; echo problem >&2; sleep 100")
    machine.start_agent()
    await eventually(lambda: _has(machine, release, 2), 20)
    batches = await machine.batches(release)
    lines = {line.text: line for batch in batches for line in batch.lines}
    assert (lines["ERROR no stock"].level, lines["ERROR no stock"].stream) == ("error", "stdout")
    assert lines["problem"].stream == "stderr"
    assert {(batch.source, batch.deployment_id, batch.release) for batch in batches} == {
        ("shop-20260101-1", "d1", "20260101-1")
    }


async def test_a_client_that_reconnects_again_and_again_sees_every_line_once(machine: Machine) -> None:
    """From the file through agent, bus and gateway to a client that recovers, with agent kills in between."""
    from datetime import UTC, datetime, timedelta

    from slipway_contracts.access import ACCESS, API_AUDIENCE, AccessEntry, Grant
    from slipway_contracts.places import LOCATE, Place
    from slipway_security import jwt
    from slipway_testing import free_port, started
    from slipway_websocket.__main__ import serve
    from slipway_websocket.settings import Settings

    release = machine.service()
    organization, key = uuid7(), jwt.new_signing_key()
    place = Place(
        organization_id=organization,
        project_id=uuid7(),
        environment_id=machine.environment,
        service_id=release.service.id,
        cluster_id=machine.cluster,
        mode="DEVELOPMENT",
    )
    table = await machine.core.table(ACCESS)
    await table.put("alive", AccessEntry(kind="alive", at=datetime.now(UTC) + timedelta(days=1)))
    await table.put(f"key.{key.kid}", AccessEntry(kind="key", public_key_pem=key.public_pem))
    await table.put(
        "user.u", AccessEntry(principal_id="u", grants=[Grant(organization_id=organization, role="viewer")])
    )

    async def located(message: Any, ids: dict[str, str]) -> Place:
        return place

    await machine.core.serve(LOCATE, located)
    token = jwt.issue(key, "u", API_AUDIENCE, 600, sid="s")
    settings = Settings(
        nats_url=machine.nats.url, nats_password=machine.nats.passwords["websocket"], listen_port=free_port()
    )
    machine.start_agent()
    async with started(serve, settings), aiohttp.ClientSession() as session:
        viewer = Viewer(session, f"http://127.0.0.1:{settings.listen_port}/connection/websocket", token, release)
        watching = asyncio.create_task(viewer.watch(6000))
        writing = asyncio.create_task(write(writer(release), 6000))
        for _ in range(3):
            await asyncio.sleep(0.7)
            machine.kill_agent()
            machine.start_agent()
        await writing
        await asyncio.wait_for(watching, 60)
    assert viewer.connections > 3
    assert " ".join(" ".join(viewer.texts).split()) == " ".join(numbered(1, 6000))


class Viewer:
    """A client that drops its connection every few messages and recovers."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, release: Any) -> None:
        self.session, self.url, self.token = session, url, token
        self.channel = f"logs:{release.service.id}"
        self.texts: list[str] = []
        self.connections = 0
        self.position: dict[str, Any] = {}

    async def watch(self, count: int) -> None:
        while not (self.texts and self.texts[-1].endswith(f" {count}")):
            self.connections += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0), self.session.ws_connect(self.url, max_msg_size=0) as ws:
                    await self._follow(ws, count)

    async def _follow(self, ws: aiohttp.ClientWebSocketResponse, count: int) -> None:
        await ws.send_json({"id": 1, "connect": {"token": self.token}})
        assert "connect" in await ws.receive_json()
        recover = {"recover": True, **self.position} if self.position else {"data": {"history": 1000}}
        await ws.send_json({"id": 2, "subscribe": {"channel": self.channel, **recover}})
        begun = (await ws.receive_json())["subscribe"]
        assert begun.get("recovered", not self.position)
        self.position = {"epoch": begun["epoch"], "offset": begun["offset"]}
        for publication in begun.get("publications", []):
            self._take(publication)
        for _ in range(20):
            message = await ws.receive_json()
            if "push" in message:
                self._take(message["push"]["pub"])
                self.position["offset"] = message["push"]["pub"]["offset"]
            if self.texts and self.texts[-1].endswith(f" {count}"):
                return

    def _take(self, publication: dict[str, Any]) -> None:
        self.texts += [line[3] for line in publication["data"]["lines"]]


async def _has(machine: Machine, release: Any, count: int) -> bool:
    return len(await machine.texts(release)) >= count


async def _ends_with(machine: Machine, release: Any, text: str) -> bool:
    texts = await machine.texts(release)
    return bool(texts) and texts[-1] == text
