"""The pytest plugin: fixtures for real servers. They start when first asked for and end with the session."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import structlog

from slipway_bus import Bus
from slipway_embedded import PostgresServer, ValkeyServer
from slipway_postgres import Pool, pool
from slipway_testing.access import AccessForTests
from slipway_testing.servers import DatabasesForTests, NatsForTests

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session")
async def nats_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NatsForTests]:
    """The session's NATS server, as the last test left it."""
    nats = NatsForTests(tmp_path_factory.mktemp("nats"))
    async with nats.server:
        yield nats


@pytest.fixture
async def nats(nats_server: NatsForTests) -> NatsForTests:
    """A NATS server with the real accounts; streams and buckets are declared and empty, nobody consumes."""
    await nats_server.empty()
    return nats_server


@pytest.fixture
async def own_nats(tmp_path: Path) -> AsyncIterator[NatsForTests]:
    """A NATS server for this test alone: stop it, kill it, start it again."""
    nats = NatsForTests(tmp_path / "nats")
    async with nats.server:
        await nats.empty()
        yield nats


@pytest.fixture
async def bus_as(nats: NatsForTests) -> AsyncIterator[Callable[[str], Awaitable[Bus]]]:
    """`bus = await bus_as("core")`: a connection as that service, closed after the test."""
    async with AsyncExitStack() as stack:

        async def connected(user: str) -> Bus:
            return await stack.enter_async_context(nats.bus_as(user))

        yield connected


@pytest.fixture(scope="session")
async def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresServer]:
    """The session's PostgreSQL server."""
    async with PostgresServer(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    """A PostgreSQL server for this test alone: stop it, kill it, start it again."""
    async with PostgresServer(tmp_path / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
async def databases(postgres_server: PostgresServer) -> DatabasesForTests:
    return DatabasesForTests(postgres_server)


@pytest.fixture
async def database(databases: DatabasesForTests) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """`url = await database("core")`: that service's migrated database, for this test alone.

    A name without a package (`slipway_<name>`) gives an empty one.
    """
    created: list[str] = []

    async def create(service: str) -> str:
        created.append(await databases.create(service))
        return created[-1]

    yield create
    for url in created:
        await databases.drop(url)


@pytest.fixture
async def pool_of(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Callable[[str], Awaitable[Pool]]]:
    """`pool = await pool_of("core")`: a pool on a database for this test alone."""
    async with AsyncExitStack() as stack:

        async def opened(service: str) -> Pool:
            return await stack.enter_async_context(pool(await database(service), service, max_size=5))

        yield opened


@pytest.fixture(scope="session")
async def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ValkeyServer]:
    """The session's Valkey server."""
    async with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
async def valkey(valkey_server: ValkeyServer) -> ValkeyServer:
    """An empty Valkey; `valkey.url` has the password."""
    from redis.asyncio import Redis

    client = Redis.from_url(valkey_server.url)
    try:
        await client.flushall()
    finally:
        await client.aclose()
    return valkey_server


@pytest.fixture
def access() -> AccessForTests:
    """Rights without core: `access.copy`, `access.bearer("owner", organization_id)`, `access.caller(…)`."""
    return AccessForTests()
