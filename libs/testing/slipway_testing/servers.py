"""The session's servers, as tests see them: one NATS with the real accounts, one Postgres, one Valkey.

Each test finds the bus empty and gets a database of its own, cloned from a migrated template.
"""

import contextlib
import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from slipway_bus import Bus, connect, declare
from slipway_bus.accounts import OPERATOR, AccountsFile, ClusterCredentials, new_passwords, render
from slipway_contracts.base import uuid7
from slipway_embedded import NatsServer, PostgresServer
from slipway_errors import Fault
from slipway_postgres import migrate


class NatsForTests:
    """A NATS server with the real accounts; `passwords` by user."""

    def __init__(self, directory: Path) -> None:
        self.passwords = new_passwords()
        self.server = NatsServer(directory, accounts=render(self.passwords, {}))
        self._declared = False

    @property
    def url(self) -> str:
        return self.server.url

    def bus_as(self, user: str) -> "contextlib.AbstractAsyncContextManager[Bus]":
        """A connection as a service (`core`, `webhooks` …) or the operator."""
        return connect(self.url, name=user, user=user, password=self.passwords[user], timeout_seconds=15)

    @contextlib.asynccontextmanager
    async def bus_with(self, user: str, password: str, name: str = "") -> AsyncIterator[Bus]:
        """A connection with other credentials: a cluster's engine or agent."""
        async with connect(self.url, name=name or user, user=user, password=password, timeout_seconds=15) as bus:
            yield bus

    async def issue(self, cluster_id: str) -> ClusterCredentials:
        """Credentials of a cluster, in force when this returns."""
        return await AccountsFile(self.server.accounts_file, self.server.pid_file).issue(cluster_id)

    async def empty(self) -> None:
        """Declare streams and buckets; nothing in them, no consumer on them."""
        async with self.bus_as(OPERATOR) as bus:
            if not self._declared:
                await declare(bus)
                self._declared = True
            for stream in (await bus.api("STREAM.NAMES", {}))["streams"] or []:
                for consumer in (await bus.api(f"CONSUMER.NAMES.{stream}", {}))["consumers"] or []:
                    with contextlib.suppress(Fault):
                        await bus.api(f"CONSUMER.DELETE.{stream}.{consumer}")
                await bus.api(f"STREAM.PURGE.{stream}", {})


class DatabasesForTests:
    """Databases of one server, cloned per test from a template per service."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._templates: set[str] = set()

    async def create(self, service: str) -> str:
        """A migrated database of a service, as its own role; the URL."""
        if service not in self._templates:
            await self._make_template(service)
        name = f"t_{uuid7().replace('-', '')}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{service}" OWNER "{service}"')
        return self.server.url(name, service)

    async def drop(self, url: str) -> None:
        """Remove it, whoever is still connected."""
        await self._execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    async def _make_template(self, service: str) -> None:
        url = await self.server.create_service(service)
        package = f"slipway_{service}"
        if importlib.util.find_spec(package) is not None:
            await migrate(url, package)
        self._templates.add(service)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server.url(), timeout=10, command_timeout=30)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
