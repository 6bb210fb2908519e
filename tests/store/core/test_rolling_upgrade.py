"""An old release goes on while a migration of the next one adds a column under it."""

from collections.abc import Awaitable, Callable

from slipway_contracts.base import uuid7
from slipway_core.app import SYSTEM, Work, utc_now
from slipway_errors import Busy
from slipway_postgres import Pool, reading, transaction


async def test_a_new_column_costs_at_most_a_second_try(pool_of: Callable[[str], Awaitable[Pool]]) -> None:
    pool = await pool_of("core")
    id = uuid7()

    async def use() -> None:
        async with transaction(pool) as connection:
            work = Work(connection, SYSTEM, utc_now())
            assert await work.organizations.get(id) is not None
            await work.organizations.update(id, "o", {})

    async with transaction(pool) as connection:
        await Work(connection, SYSTEM, utc_now()).organizations.add(id, "o", {})
    await use()
    async with reading(pool) as connection:
        await connection.execute("ALTER TABLE organizations ADD COLUMN later text")
    again = 0
    for _ in range(10):
        try:
            await use()
        except Busy:
            again += 1
    assert 0 < again <= 2
