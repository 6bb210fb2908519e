"""Core's deployments in process, on real Postgres and NATS, with an engine that does what a test tells it."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
import pytest

from slipway_bus import Bus, create_task_consumer
from slipway_contracts.base import uuid7
from slipway_contracts.events import CHANGED, DeploymentView
from slipway_contracts.git import GIT_PUSHED, Commit, Push
from slipway_core.app import Core
from slipway_core.handlers import overdue, places
from slipway_core.routes import ROUTES, SUBSCRIPTIONS
from slipway_core.settings import Settings
from slipway_core.stores.variables import VariableRow
from slipway_http import Server, serve_http
from slipway_postgres import Pool, relay
from slipway_security import jwt
from slipway_security.keyring import KeyRing, LocalKey
from slipway_testing.access import AccessForTests
from slipway_testing.engine import Engine
from slipway_testing.servers import NatsForTests
from slipway_testing.waiting import eventually

PUBLIC_URL = "http://localhost:8080"


class Control:
    """A control plane with one environment."""

    def __init__(self, app: Core, access: AccessForTests) -> None:
        self.app = app
        self.access = access
        self.organization_id = uuid7()
        self.project_id = uuid7()
        self.environment_id = uuid7()
        self.cluster_id = uuid7()
        self.stages: dict[str, str] = {}
        self.services: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.views: list[tuple[str, DeploymentView]] = []
        self.port = 0
        self.session: aiohttp.ClientSession

    async def make(self) -> None:
        async with self.app.work() as work:
            await work.organizations.add(self.organization_id, "acme", {})
            await work.clusters.add(self.cluster_id, self.organization_id, "local", "LOCAL", {})
            await work.projects.add(self.project_id, self.organization_id, "shop", "shop", {})
            await work.environments.add(
                self.environment_id, self.project_id, self.cluster_id, "dev", "DEVELOPMENT", None
            )
            await work.stages.add_defaults(self.environment_id)
            self.stages = {stage.name: stage.id for stage in await work.stages.all(self.environment_id)}
        await create_task_consumer(self.app.bus, self.cluster_id)

    async def application(self, name: str, stage: str = "APPLICATION DEFAULT", auto_deploy: bool = True) -> str:
        """A service with a repository at the built-in remote; its id."""
        id = uuid7()
        url = f"{PUBLIC_URL}/git/shop/{name}.git"
        config = {
            "git_repository": {"url": url, "branch": "main", "provider": "SLIPWAY"},
            "cpu": 250,
            "memory": 256,
            "ports": [{"internal_port": 8000, "publicly_accessible": True, "protocol": "HTTP", "is_default": True}],
        }
        async with self.app.work() as work:
            added = await work.services.add(
                id,
                self.environment_id,
                "APPLICATION",
                name,
                f"{name}-{id[-8:]}",
                self.stages[stage],
                config,
                auto_deploy,
                None,
            )
            assert added is not None
            key_id, ciphertext = await self.app.encrypt(work, self.organization_id, "x", "git_links/x")
            self.links[name] = uuid7()
            await work.git_links.add(
                self.links[name], self.organization_id, id, "slipway", f"shop/{name}", url, key_id, ciphertext
            )
        self.services[name] = id
        return id

    async def variable(self, key: str, value: str, *, secret: bool = False, service_id: str | None = None) -> None:
        id = uuid7()
        async with self.app.work() as work:
            fields: dict[str, Any] = {"value": value}
            if secret:
                key_id, ciphertext = await self.app.encrypt(work, self.organization_id, value, f"variables/{id}")
                fields = {"is_secret": True, "ciphertext": ciphertext, "data_key_id": key_id}
            await work.variables.add(
                VariableRow(
                    id=id,
                    project_id=None,
                    environment_id=None if service_id else self.environment_id,
                    service_id=service_id,
                    key=key,
                    type="VALUE",
                    created_at=work.now,
                    updated_at=work.now,
                    **fields,
                )
            )

    def engine_on(self, bus: Bus, cluster_id: str = "") -> Engine:
        return Engine(bus, cluster_id or self.cluster_id)

    def push(self, name: str, before: str, after: str, **fields: Any) -> Push:
        known: dict[str, Any] = {
            "link_id": self.links[name],
            "delivery_id": uuid7(),
            "ref": "refs/heads/main",
            "head": Commit(id=after, message=f"commit {after[:4]}", author_name="Ada"),
        }
        return Push(
            provider="slipway",
            organization_id=self.organization_id,
            repository=f"shop/{name}",
            clone_url=f"{PUBLIC_URL}/git/shop/{name}.git",
            before=before,
            after=after,
            pusher="ada",
            received_at=datetime.now(UTC),
            **(known | fields),
        )

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: str = "owner",
        expect: int = 0,
        headers: dict[str, str] | None = None,
    ) -> Any:
        headers = self.access.bearer(role, self.organization_id) | (headers or {})
        url = f"http://127.0.0.1:{self.port}/api{path}"
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == expect if expect else answer.status < 300, (
                f"{method} {path}: {answer.status} {text}"
            )
            return msgspec.json.decode(text) if text else None

    async def deployments(self) -> list[dict[str, Any]]:
        listed = await self.call("GET", f"/environment/{self.environment_id}/deployments")
        return list(listed["results"])

    async def ended(self, id: str | None = None) -> dict[str, Any]:
        """The deployment (the newest, unless named) once it has ended."""

        async def found() -> dict[str, Any] | None:
            for one in await self.deployments():
                if id in (None, one["id"]):
                    return one if one["ended_at"] else None
            return None

        return await eventually(found)  # type: ignore[return-value]

    async def status(self, name: str) -> dict[str, Any]:
        return dict(await self.call("GET", f"/application/{self.services[name]}/status"))

    async def act(self, name: str, action: str, body: Any = None) -> dict[str, Any]:
        return dict(await self.call("POST", f"/application/{self.services[name]}/{action}", body, expect=202))

    async def heard(self, verb: str) -> DeploymentView:
        """The first event with this verb."""
        return await eventually(lambda: next((view for said, view in self.views if said == verb), None))


@pytest.fixture
async def core_app(
    pool_of: Callable[[str], Awaitable[Pool]], bus_as: Callable[[str], Awaitable[Bus]], access: AccessForTests
) -> Core:
    settings = Settings(
        postgres_url="",
        nats_url="",
        nats_password="",
        master_key_file="",
        webhooks_public_key="",
        public_url=PUBLIC_URL,
    )
    return Core(
        pool=await pool_of("core"),
        bus=await bus_as("core"),
        master_key=KeyRing(LocalKey(os.urandom(32))),
        settings=settings,
        access=access.copy,
        signing_key=jwt.new_signing_key(),
    )


@pytest.fixture
async def control(
    core_app: Core, access: AccessForTests, bus_as: Callable[[str], Awaitable[Bus]]
) -> AsyncIterator[Control]:
    """Core's deployments running: routes, subscriptions, relay and clock."""
    app = core_app
    stopping = asyncio.Event()
    control = Control(app, access)
    await control.make()

    async def locate(kind: str, id: str) -> Any:
        return await places.locate(app, kind, id)

    def seen(message: Any, subject: str, headers: Any) -> None:
        if message.entity == "deployment":
            control.views.append((message.verb, msgspec.convert(message.body, DeploymentView)))

    server = Server(ROUTES, app, access.copy, locate)
    async with AsyncExitStack() as stack:
        control.session = await stack.enter_async_context(aiohttp.ClientSession())
        control.port = (await stack.enter_async_context(serve_http(server, "127.0.0.1", 0, drain_seconds=1))).port
        gateway = await bus_as("websocket")
        await gateway.subscribe(CHANGED, seen, live=True)
        loops = [
            asyncio.create_task(app.bus.consume(subscription, app, stopping), name=subscription.durable)
            for subscription in SUBSCRIPTIONS
        ]
        loops += [
            asyncio.create_task(relay(app.pool, app.bus, stopping)),
            asyncio.create_task(overdue.watch(app, stopping)),
        ]
        yield control
        stopping.set()
        await asyncio.wait_for(asyncio.gather(*loops), 20)


@pytest.fixture
async def engine(control: Control, nats: NatsForTests) -> AsyncIterator[Engine]:
    """An engine of the environment's cluster that has said hello."""
    credentials = await nats.issue(control.cluster_id)
    async with nats.bus_with(credentials.engine_user, credentials.engine_password) as bus:
        engine = Engine(bus, control.cluster_id)
        await engine.hello()

        async def known() -> bool:
            async with control.app.reading() as work:
                cluster = await work.clusters.get(control.cluster_id)
                return cluster is not None and cluster.public_key is not None

        await eventually(known)
        yield engine


@pytest.fixture
async def pushed(control: Control, bus_as: Callable[[str], Awaitable[Bus]]) -> Callable[[Push], Awaitable[None]]:
    """`await pushed(push)`: what the webhook gateway publishes."""
    bus = await bus_as("webhooks")

    async def publish(push: Push) -> None:
        await bus.publish(GIT_PUSHED, push, provider=push.provider)

    return publish
