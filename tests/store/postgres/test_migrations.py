"""Migrations: forward only, once, whoever runs them; a schema that doesn't fit is refused."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from slipway_contracts.base import uuid7
from slipway_errors import Busy, Conflict, Fault, Invalid, Unavailable
from slipway_postgres import SchemaWrong, check_schema, constraint_faults, migrate, pool, reading, transaction
from slipway_postgres.migrations import migrations_of

DatabaseOf = Callable[[str], Awaitable[str]]
THINGS = "CREATE TABLE things (name text CONSTRAINT things_name PRIMARY KEY);"


class Package:
    """A package with migrations, made by a test."""

    def __init__(self, directory: Path) -> None:
        self.name = f"package_{uuid7().replace('-', '')}"
        self.directory = directory / self.name / "migrations"
        self.directory.mkdir(parents=True)
        (self.directory.parent / "__init__.py").touch()

    def add(self, number: int, sql: str) -> None:
        (self.directory / f"{number:04}_step.sql").write_text(sql)

    def remove(self, number: int) -> None:
        (self.directory / f"{number:04}_step.sql").unlink()


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Package]:
    sys.path.insert(0, str(tmp_path))
    made = Package(tmp_path)
    yield made
    sys.path.remove(str(tmp_path))
    sys.modules.pop(made.name, None)


async def test_each_is_applied_once_also_by_many_at_the_same_time(package: Package, database: DatabaseOf) -> None:
    url = await database("empty")
    package.add(1, THINGS)
    package.add(2, "ALTER TABLE things ADD COLUMN size integer;")
    counts = await asyncio.gather(*(migrate(url, package.name) for _ in range(4)))
    assert sorted(counts) == [0, 0, 0, 2]
    package.add(3, "INSERT INTO things (name) VALUES ('x');")
    assert await migrate(url, package.name) == 1
    assert await migrate(url, package.name) == 0


async def test_one_that_fails_leaves_nothing_of_itself(package: Package, database: DatabaseOf) -> None:
    url = await database("empty")
    package.add(1, THINGS)
    package.add(2, "CREATE TABLE half (id integer); SELECT 1 / 0;")
    with pytest.raises(Exception, match="division by zero"):
        await migrate(url, package.name)
    async with pool(url, "test") as opened:
        assert await opened.fetchval("SELECT to_regclass('things')") == "things"
        assert await opened.fetchval("SELECT to_regclass('half')") is None
    package.add(2, "CREATE TABLE half (id integer);")
    assert await migrate(url, package.name) == 1


async def test_one_that_was_changed_afterwards_is_refused(package: Package, database: DatabaseOf) -> None:
    url = await database("empty")
    package.add(1, THINGS)
    await migrate(url, package.name)
    package.add(1, THINGS + " -- and more")
    with pytest.raises(SchemaWrong, match="0001_step"):
        await migrate(url, package.name)


def test_numbers_without_a_gap(package: Package) -> None:
    package.add(1, THINGS)
    package.add(3, THINGS)
    with pytest.raises(SchemaWrong, match="gap"):
        migrations_of(package.name)


async def test_a_table_that_is_in_use_is_not_waited_for_long(package: Package, database: DatabaseOf) -> None:
    url = await database("empty")
    package.add(1, THINGS)
    await migrate(url, package.name)
    package.add(2, "SET LOCAL lock_timeout = '100ms'; ALTER TABLE things ADD COLUMN size integer;")
    async with pool(url, "test") as opened, transaction(opened) as connection:
        await connection.execute("LOCK TABLE things")
        with pytest.raises(Busy):
            await migrate(url, package.name)


async def test_an_old_database_is_refused_and_the_way_out_is_said(package: Package, database: DatabaseOf) -> None:
    url = await database("empty")
    package.add(1, THINGS)
    async with pool(url, "test") as opened:
        with pytest.raises(SchemaWrong, match=f"python -m {package.name} migrate"):
            await check_schema(opened, package.name)
        await migrate(url, package.name)
        await check_schema(opened, package.name)


async def test_an_old_release_runs_on_a_newer_schema_until_it_no_longer_can(
    package: Package, database: DatabaseOf
) -> None:
    url = await database("empty")
    package.add(1, THINGS)
    package.add(2, "ALTER TABLE things ADD COLUMN size integer;")
    await migrate(url, package.name)
    package.remove(2)
    async with pool(url, "test") as opened:
        await check_schema(opened, package.name)
        package.add(2, "ALTER TABLE things ADD COLUMN size integer;")
        package.add(3, "-- compat: 2\nALTER TABLE things DROP COLUMN size;")
        await migrate(url, package.name)
        package.remove(3)
        await check_schema(opened, package.name)
        package.remove(2)
        with pytest.raises(SchemaWrong, match="newer"):
            await check_schema(opened, package.name)


async def test_a_named_constraint_becomes_its_fault_others_stay_bugs(package: Package, database: DatabaseOf) -> None:
    url = await database("empty")
    package.add(1, THINGS)
    await migrate(url, package.name)
    async with pool(url, "test") as opened:
        await opened.execute("INSERT INTO things VALUES ('x')")

        async def insert(faults: dict[str, Callable[[], Fault]]) -> None:
            async with transaction(opened) as connection:
                with constraint_faults(faults):
                    await connection.execute("INSERT INTO things VALUES ('x')")

        with pytest.raises(Conflict, match="x is taken"):
            await insert({"things_name": lambda: Conflict("x is taken")})
        with pytest.raises(Exception, match="duplicate key"):
            await insert({"other": Conflict})


@pytest.mark.parametrize(
    ("statement", "arguments", "fault"),
    [
        ("SELECT pg_sleep(30)", (), Unavailable),
        ("SELECT $1::text", ("a\0b",), Invalid),
    ],
)
async def test_what_postgres_will_not_do_is_a_fault(
    database: DatabaseOf, statement: str, arguments: tuple[str, ...], fault: type[Exception]
) -> None:
    async with pool(await database("empty"), "test") as opened:

        async def ask() -> None:
            async with transaction(opened) as connection:
                await connection.execute("SET LOCAL statement_timeout = '50ms'")
                await connection.fetch(statement, *arguments)

        with pytest.raises(fault):
            await ask()


async def test_an_error_of_our_own_is_not_taken_for_an_outage(database: DatabaseOf) -> None:
    async with pool(await database("empty"), "test") as opened:
        with pytest.raises(FileNotFoundError):
            async with transaction(opened):
                Path("/nothing/here").read_text()
        with pytest.raises(Exception, match="does not exist"):
            async with transaction(opened) as connection:
                await connection.execute("SELECT * FROM nothing_here")


async def test_a_session_says_who_it_is_and_has_limits(database: DatabaseOf) -> None:
    async with pool(await database("empty"), "core") as opened, reading(opened) as connection:
        assert await connection.fetchval("SHOW application_name") == "slipway-core"
        assert await connection.fetchval("SHOW statement_timeout") == "30s"
        assert await connection.fetchval("SHOW timezone") == "UTC"


async def test_a_database_that_is_not_there_is_told_after_a_while() -> None:
    with pytest.raises(Unavailable, match="core"):
        async with pool("postgresql://nobody:x@127.0.0.1:1/x", "core", open_seconds=0.3):
            pass
