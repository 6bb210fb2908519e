"""A core for API clients of other people's making, and what stands around it: an engine, mail, Git hosts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from slipway_bus import Bus
from slipway_contracts import capabilities
from slipway_contracts.base import uuid7
from slipway_contracts.git import GIT_PUSHED, Commit, Push
from slipway_contracts.live import LOGGED, LogBatch, LogLine
from slipway_contracts.tasks import REPORTED, ClusterReport, Hello
from slipway_core.service_rules import DATABASE_VERSIONS
from slipway_testing import eventually
from slipway_testing.core import Platform, core_platform
from slipway_testing.engine import Engine
from slipway_testing.servers import DatabasesForTests

CAPABILITIES = [
    "local",
    capabilities.CONTAINER,
    capabilities.JOB,
    capabilities.DATABASE,
    *(capabilities.database(type, "CONTAINER", version) for type, all in DATABASE_VERSIONS.items() for version in all),
]


@dataclass
class Outside:
    """What happens outside core, when a scenario asks for it: each method is `POST /<its name>` with JSON."""

    platform: Platform
    engine: Engine
    bus: Bus
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self) -> None:
        """Do what every task says, at once; nothing while held."""
        while True:
            await self.free.wait()
            if not await self._one():
                await asyncio.sleep(0)

    async def _one(self) -> bool:
        try:
            taken = await self.engine.take(0.5)
        except AssertionError:
            return False
        await self.free.wait()
        await taken.done()
        return True

    async def hold(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The engine does nothing until `release`."""
        self.free.clear()
        return {}

    async def release(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.free.set()
        return {}

    async def person(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Somebody new who is logged in, with a role or without."""
        client, id = await self.platform.person(asked["role"], asked["organizationId"])
        email = (await client.get("/account")).ok()["communication_email"]
        return {"id": id, "email": email, "authorization": client.authorization}

    async def push(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A push to the branch of a service, told and decided about."""
        client = self.platform.client()
        service = (await client.get(f"/{asked['kind']}/{asked['id']}")).ok()
        link = (await client.get(f"/service/{asked['id']}/gitLink")).ok()
        source = service.get("git_repository") or service["source"]["docker"]["git_repository"]
        commit, delivery = f"{uuid7().replace('-', '')}00000000", uuid7()
        push = Push(
            link_id=link["id"],
            delivery_id=delivery,
            provider=link["provider"].lower(),
            organization_id=self.platform.organization,
            repository=link["repository"],
            clone_url=source["url"],
            ref=f"refs/heads/{source['branch']}",
            before="0" * 40,
            after=commit,
            head=Commit(id=commit, message="Say hello", author_name="Ada", author_email="ada@example.com"),
            received_at=datetime.now(UTC),
        )
        async with self.platform.nats.bus_as("webhooks") as bus:
            await bus.publish(GIT_PUSHED, push, id=delivery, provider=push.provider)
        await eventually(lambda: self._decided(delivery))
        return {"commit": commit}

    async def _decided(self, delivery: str) -> Any:
        async with self.platform.app.pool.acquire() as connection:
            decided = "SELECT decision FROM git_deliveries WHERE delivery_id = $1 AND decision <> ''"
            return await connection.fetchval(decided, delivery)

    async def log(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Lines that a service's process wrote."""
        at = int(datetime.now(UTC).timestamp() * 1e9)
        texts = enumerate(asked["lines"])
        lines = [LogLine(sequence=n, time_ns=at + n, stream="stdout", text=text) for n, text in texts]
        batch = LogBatch(epoch=uuid7(), source="web-1", release="r1", lines=lines)
        place = {"environment_id": asked["environmentId"], "service_id": asked["serviceId"]}
        kind = asked.get("kind", "run")
        await self.bus.publish(LOGGED, batch, cluster_id=self.platform.made.cluster_id, kind=kind, **place)
        return {}

    async def answer(self, request: web.BaseRequest) -> web.Response:
        asked = await request.json()
        return web.json_response(await getattr(self, request.path.strip("/"))(asked))


@pytest.fixture(scope="module")
async def platform(databases: DatabasesForTests, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A core of its own for this module's tests."""
    async with core_platform(databases, tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
async def outside(platform: Platform) -> AsyncIterator[tuple[Outside, str]]:
    """An engine and an agent of the first cluster, and the address at which scenarios make things happen."""
    async with AsyncExitStack() as stack:
        issued = (await platform.client().post(f"/cluster/{platform.made.cluster_id}/credentials")).ok(201)
        login = issued["engine"]
        bus = await stack.enter_async_context(platform.nats.bus_with(login["user"], login["password"]))
        engine = Engine(bus, platform.made.cluster_id)
        operator = await stack.enter_async_context(platform.nats.bus_as("operator"))
        there = Outside(platform, engine, operator)
        await hello(bus, engine, platform)
        there.free.set()
        working = asyncio.create_task(there.work())
        url = await stack.enter_async_context(served(there))
        yield there, url
        working.cancel()
        await asyncio.wait({working})


async def hello(bus: Bus, engine: Engine, platform: Platform) -> None:
    for sender, key in (("engine", engine.keys.public), ("agent", b"")):
        said = Hello(
            cluster_id=engine.cluster_id,
            sender=sender,
            instance_id=f"{sender}-1",
            version="0.1.0",
            capabilities=CAPABILITIES,
            public_key=key,
            at=datetime.now(UTC),
        )
        await bus.publish(REPORTED, ClusterReport(hello=said), cluster_id=engine.cluster_id)

    async def known() -> bool:
        async with platform.app.reading() as work:
            cluster = await work.clusters.get(engine.cluster_id)
            return cluster is not None and cluster.public_key is not None and cluster.agent_seen_at is not None

    await eventually(known)


@asynccontextmanager
async def served(there: Outside) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(there.answer))  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
