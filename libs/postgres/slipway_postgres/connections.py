"""Pools, connections, transactions. Every statement has a time limit; a server that is away is a Fault, not a hang."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

from slipway_errors import Unavailable
from slipway_postgres.constraints import NO_CONNECTION, is_lost, postgres_faults

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

STATEMENT_SECONDS = 30
IDLE_IN_TRANSACTION_SECONDS = 60
ACQUIRE_SECONDS = 10.0
OPEN_SECONDS = 30.0
RELEASE_SECONDS = 5.0
CLOSE_SECONDS = 5.0


@asynccontextmanager
async def pool(url: str, name: str, max_size: int = 10, open_seconds: float = OPEN_SECONDS) -> AsyncIterator[Pool]:
    """A pool of connections that say who they are (`application_name`). A server that starts is waited for."""
    opened = await _open(url, name, max_size, open_seconds)
    try:
        yield opened
    finally:
        try:
            await asyncio.wait_for(opened.close(), CLOSE_SECONDS)
        except NO_CONNECTION:
            opened.terminate()


async def _open(url: str, name: str, max_size: int, open_seconds: float) -> Pool:
    until = time.monotonic() + open_seconds
    while True:
        try:
            return await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=max_size,
                max_inactive_connection_lifetime=120,
                command_timeout=STATEMENT_SECONDS + 5,
                timeout=ACQUIRE_SECONDS,
                server_settings=server_settings(name),
            )
        except NO_CONNECTION as error:
            if not is_lost(error) or time.monotonic() >= until:
                raise Unavailable(f"The database of {name} can't be reached.") from error
            await asyncio.sleep(0.2)


def server_settings(name: str) -> dict[str, str]:
    """What every session sets: its name and its limits."""
    return {
        "application_name": f"slipway-{name}",
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
        "timezone": "UTC",
    }


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection inside one transaction: leaving commits, an exception rolls back."""
    async with reading(pool) as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def reading(pool: Pool) -> AsyncIterator[Connection]:
    """A connection without a transaction, for single statements."""
    try:
        connection = await pool.acquire(timeout=ACQUIRE_SECONDS)
    except NO_CONNECTION as error:
        if not is_lost(error):
            raise
        raise Unavailable("The database is away, or busy beyond its limit.") from error
    try:
        with postgres_faults():
            yield connection
    finally:
        await _give_back(pool, connection)


async def _give_back(pool: Pool, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
    """Release a connection. One that broke is thrown away by the pool, and what was committed on it stays so."""
    try:
        await pool.release(connection, timeout=RELEASE_SECONDS)
    except NO_CONNECTION as error:
        if not is_lost(error):
            raise
