"""A nats-server of this folder's own, with the real accounts file: these tests kill it and change its accounts."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slipway_bus import Bus, connect, create_task_consumer, declare
from slipway_bus.accounts import AccountsFile, ClusterCredentials
from slipway_embedded import NatsServer


@dataclass
class Rig:
    """The server, its accounts, and how to log in."""

    server: NatsServer
    accounts: AccountsFile
    passwords: dict[str, str]
    clusters: dict[str, ClusterCredentials] = field(default_factory=dict)

    def connect_as(self, user: str, password: str | None = None) -> AbstractAsyncContextManager[Bus]:
        password = self.passwords[user] if password is None else password
        return connect(self.server.url, name=user, user=user, password=password, timeout_seconds=2)

    def engine(self, cluster_id: str) -> AbstractAsyncContextManager[Bus]:
        credentials = self.clusters[cluster_id]
        return self.connect_as(credentials.engine_user, credentials.engine_password)

    def agent(self, cluster_id: str) -> AbstractAsyncContextManager[Bus]:
        credentials = self.clusters[cluster_id]
        return self.connect_as(credentials.agent_user, credentials.agent_password)

    async def add_cluster(self, cluster_id: str) -> None:
        self.clusters[cluster_id] = await self.accounts.issue(cluster_id)
        async with self.connect_as("core") as core:
            await create_task_consumer(core, cluster_id)


async def make_rig(directory: Path) -> Rig:
    server = NatsServer(directory)
    accounts = AccountsFile(server.accounts_file, server.pid_file)
    passwords = accounts.ensure()
    await server.start()
    return Rig(server, accounts, passwords)


@pytest.fixture(scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """Streams declared; clusters `one` and `two` with their task consumers."""
    rig = await make_rig(tmp_path_factory.mktemp("nats"))
    try:
        async with rig.connect_as("core") as core:
            await declare(core)
        await rig.add_cluster("one")
        await rig.add_cluster("two")
        yield rig
    finally:
        await rig.server.stop()


Condition = Callable[[], Any]


@pytest.fixture(scope="session")
def until() -> Callable[..., Awaitable[None]]:
    """Wait until a condition, plain or awaitable, holds."""

    async def until(condition: Condition, timeout_seconds: float = 10) -> None:
        async with asyncio.timeout(timeout_seconds):
            while True:
                holds = condition()
                if await holds if inspect.isawaitable(holds) else holds:
                    return
                await asyncio.sleep(0.005)

    return until


@pytest.fixture(scope="session")
def rig_factory() -> Callable[[Path], Awaitable[Rig]]:
    return make_rig
