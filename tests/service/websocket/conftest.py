"""A gateway in the test's process, on a real bus, with core's part of it (rights, places) played by the test."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
import pytest

from slipway_bus import Bus
from slipway_contracts.access import ACCESS, API_AUDIENCE, AccessEntry, Grant
from slipway_contracts.base import uuid7
from slipway_contracts.events import CHANGED, DeploymentView, Event
from slipway_contracts.live import LOGGED, STATED, LogBatch, LogLine, ServiceState
from slipway_contracts.places import LOCATE, Locate, Place
from slipway_errors import Fault, NotFound
from slipway_security import jwt, tokens
from slipway_testing import eventually, free_port, started
from slipway_testing.servers import NatsForTests
from slipway_websocket.__main__ import serve
from slipway_websocket.settings import Settings


@dataclass
class World:
    """One organization with one environment and services, and what core, agent and engine would say of them."""

    nats: NatsForTests
    core: Bus
    agent: Bus
    engine: Bus
    cluster: str
    organization: str = field(default_factory=uuid7)
    project: str = field(default_factory=uuid7)
    environment: str = field(default_factory=uuid7)
    service: str = field(default_factory=uuid7)
    other: Place = field(default_factory=lambda: Place(organization_id=uuid7(), project_id=uuid7()))
    key: jwt.SigningKey = field(default_factory=jwt.new_signing_key)
    places: dict[str, Place] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)

    async def begin(self) -> None:
        self.table = await self.core.table(ACCESS)
        place = Place(
            organization_id=self.organization,
            project_id=self.project,
            environment_id=self.environment,
            cluster_id=self.cluster,
            mode="DEVELOPMENT",
        )
        self.places[self.organization] = Place(organization_id=self.organization)
        self.places[self.environment] = place
        self.places[self.service] = msgspec.structs.replace(place, service_id=self.service)
        await self.table.put("alive", AccessEntry(kind="alive", at=datetime.now(UTC) + timedelta(days=1)))
        await self.table.put(f"key.{self.key.kid}", AccessEntry(kind="key", public_key_pem=self.key.public_pem))
        await self.core.serve(LOCATE, self._locate)

    async def _locate(self, message: Locate, ids: dict[str, str]) -> Place:
        if message.id not in self.places:
            raise NotFound
        return self.places[message.id]

    async def person(self, role: str = "viewer", organization: str = "", lifetime_seconds: float = 600) -> str:
        """A new user's JWT; the user is called after the role."""
        grants = [Grant(organization_id=organization or self.organization, role=role)]
        await self.grant(f"{role}-user", grants)
        return jwt.issue(self.key, f"{role}-user", API_AUDIENCE, lifetime_seconds, sid="s")

    async def grant(self, user: str, grants: list[Grant]) -> None:
        await self.table.put(f"user.{user}", AccessEntry(principal_id=user, name=f"{user}@x.org", grants=grants))

    async def machine(self, role: str = "viewer") -> str:
        token = tokens.new_token()
        grants = [Grant(organization_id=self.organization, role=role)]
        entry = AccessEntry(principal_id=uuid7(), kind="token", name="ci", grants=grants)
        await self.table.put(f"token.{tokens.token_hash(token)}", entry)
        return token

    async def revoke(self, token: str) -> None:
        await self.table.delete(f"token.{tokens.token_hash(token)}")

    def batch(self, count: int, service: str = "", deployment: str = "") -> LogBatch:
        """The next numbered lines of a service."""
        service = service or self.service
        first = self.written.get(service, 0) + 1
        self.written[service] = first + count - 1
        lines = [
            LogLine(sequence=number, time_ns=number, stream="stdout", text=f"line {number}")
            for number in range(first, first + count)
        ]
        return LogBatch(epoch="e", source="app-1", deployment_id=deployment, lines=lines)

    async def log(self, count: int = 1, kind: str = "run", deployment: str = "") -> int:
        """The agent (or engine) tells the next lines."""
        bus = self.agent if kind == "run" else self.engine
        batch = self.batch(count, deployment=deployment)
        return await bus.publish(LOGGED, batch, kind=kind, **self.subject(self.service))

    async def log_for_sure(self) -> None:
        """One line, as an agent sends it: until the bus keeps it."""
        batch = self.batch(1)
        ids = self.subject(self.service)

        async def kept() -> bool:
            with contextlib.suppress(Fault):
                return await self.agent.publish(LOGGED, batch, id=f"e:{batch.lines[0].sequence}", kind="run", **ids) > 0
            return False

        await eventually(kept, 30)

    async def state(self, word: str, service: str = "") -> int:
        ids = self.subject(service or self.service)
        return await self.agent.publish(STATED, ServiceState(**ids, state=word, at=datetime.now(UTC)), **ids)

    async def deployment(self, id: str, status: str, version: int) -> int:
        view = DeploymentView(
            id=id,
            number=1,
            organization_id=self.organization,
            project_id=self.project,
            environment_id=self.environment,
            action="DEPLOY",
            status=status,
            created_at=datetime.now(UTC),
        )
        event = Event(
            id=uuid7(),
            organization_id=self.organization,
            project_id=self.project,
            environment_id=self.environment,
            deployment_id=id,
            entity="deployment",
            verb="progressed",
            entity_id=id,
            version=version,
            body=msgspec.to_builtins(view),
            at=datetime.now(UTC),
        )
        ids = {"organization_id": self.organization, "entity": "deployment", "verb": "progressed"}
        return await self.core.publish(CHANGED, event, **ids)

    def subject(self, service: str) -> Any:
        return {"cluster_id": self.cluster, "environment_id": self.environment, "service_id": service}


@pytest.fixture
async def world(nats: NatsForTests, bus_as: Callable[[str], Awaitable[Bus]]) -> AsyncIterator[World]:
    cluster = uuid7()
    credentials = await nats.issue(cluster)
    async with (
        nats.bus_with(credentials.agent_user, credentials.agent_password) as agent,
        nats.bus_with(credentials.engine_user, credentials.engine_password) as engine,
    ):
        world = World(nats, await bus_as("core"), agent, engine, cluster)
        await world.begin()
        yield world


@dataclass
class Raw:
    """A client that speaks the protocol frame by frame."""

    ws: aiohttp.ClientWebSocketResponse
    id: int = 0
    pushes: list[dict[str, Any]] = field(default_factory=list)

    async def command(self, kind: str, **request: Any) -> dict[str, Any]:
        """The answer to one command; pushes that come before it are kept."""
        self.id += 1
        await self.ws.send_str(json.dumps({"id": self.id, kind: request}))
        while True:
            for reply in await self.receive():
                if reply.get("id") == self.id:
                    return reply
                self.pushes.append(reply)

    async def receive(self, timeout_seconds: float = 10) -> list[dict[str, Any]]:
        message = await self.ws.receive(timeout=timeout_seconds)
        assert message.type is aiohttp.WSMsgType.TEXT, f"{message!r} {self.ws.close_code}"
        return [json.loads(line) for line in message.data.split("\n")]

    async def push(self) -> dict[str, Any]:
        """The next push; pings are left out."""
        while True:
            if self.pushes:
                push: dict[str, Any] = self.pushes.pop(0).get("push", {})
                if push:
                    return push
                continue
            self.pushes += await self.receive()

    async def texts(self, count: int) -> list[str]:
        """The next `count` log lines."""
        found: list[str] = []
        while len(found) < count:
            found += [line[3] for line in (await self.push())["pub"]["data"]["lines"]]
        return found

    async def close_code(self) -> int:
        """The code with which the server closes; what comes before is thrown away."""
        while True:
            message = await self.ws.receive(timeout=10)
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
                return int(self.ws.close_code or 0)


@dataclass
class Gate:
    """The gateway and clients of it."""

    world: World
    port: int
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    async def raw(self, **options: Any) -> Raw:
        return Raw(await self.session.ws_connect(self.url, max_msg_size=0, **options))

    async def connected(self, token: str) -> Raw:
        """A client that is logged in, once the gateway knows the token."""

        async def login() -> Raw | None:
            client = await self.raw()
            with contextlib.suppress(AssertionError):
                if "connect" in await client.command("connect", token=token):
                    return client
            await client.ws.close()
            return None

        return await eventually(login)


@pytest.fixture
def settings(world: World) -> Settings:
    return Settings(
        nats_url=world.nats.url,
        nats_password=world.nats.passwords["websocket"],
        listen_port=free_port(),
        public_url="http://console.example:8080",
        buffer_bytes=64 * 1024,
    )


@pytest.fixture
async def gate(world: World, settings: Settings) -> AsyncIterator[Gate]:
    connector = aiohttp.TCPConnector(limit=0)
    async with started(serve, settings), aiohttp.ClientSession(connector=connector) as session:
        yield Gate(world, settings.listen_port, session)
        await asyncio.sleep(0)
