"""Migrations: numbered SQL files of a package, forward only, each in one transaction, applied once.

Two releases share one schema during an upgrade: the database knows its version and the oldest release (by schema
version) that can still work with it. A line `-- compat: N` in a migration raises that; `-- include: outbox` puts in the
outbox.
"""

import hashlib
import re
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable

import asyncpg
import msgspec
import structlog

from slipway_errors import Fault, Kind
from slipway_postgres.connections import Connection, Pool, reading, server_settings
from slipway_postgres.constraints import postgres_faults

FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)
COMPAT = re.compile(r"^-- compat: (\d+)$", re.MULTILINE)
LOCK = 0x511_9_0A1
"""Advisory lock: one migrates at a time, the others wait and find it done."""
WAIT_FOR_OTHERS_SECONDS = 300
WAIT_FOR_TABLES_SECONDS = 5
STATEMENT_SECONDS = 600
log = structlog.get_logger()

TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version integer PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        compat integer NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""
APPLIED = "SELECT version, name, checksum, compat FROM schema_migrations ORDER BY version"
RECORD = "INSERT INTO schema_migrations (version, name, checksum, compat) VALUES ($1, $2, $3, $4)"


class SchemaWrong(Fault):
    """The database schema doesn't fit this release."""

    kind = Kind.CONFLICT
    code = "database.schema"


class Migration(msgspec.Struct, frozen=True):
    """One file."""

    version: int
    name: str
    sql: str
    compat: int

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_of(package: str) -> list[Migration]:
    """The migrations of a package, in order, without a gap."""
    found = list(_read(resources.files(package) / "migrations"))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise SchemaWrong(f"The migrations of {package} are not numbered 0001, 0002, … without a gap.")
    return found


def _read(directory: Traversable) -> Iterator[Migration]:
    compat = 1
    for file in sorted(directory.iterdir(), key=lambda entry: entry.name):
        match = FILE.fullmatch(file.name)
        if match is None:
            continue
        sql = INCLUDE.sub(lambda include: _include(include[1]), file.read_text())
        stated = COMPAT.search(sql)
        compat = int(stated[1]) if stated else compat
        yield Migration(int(match[1]), file.name, sql, compat)


def _include(name: str) -> str:
    return (resources.files("slipway_postgres") / f"{name}.sql").read_text()


async def migrate(url: str, package: str) -> int:
    """Apply what isn't applied yet; the number of migrations applied. Many may call it at once."""
    wanted = migrations_of(package)
    settings = {**server_settings(package), "statement_timeout": f"{STATEMENT_SECONDS}s"}
    with postgres_faults():
        connection = await asyncpg.connect(url, timeout=30, server_settings=settings)
        try:
            return await _migrate(connection, wanted)
        finally:
            await connection.close(timeout=5)


async def _migrate(connection: Connection, wanted: list[Migration]) -> int:
    await connection.execute(f"SET lock_timeout = '{WAIT_FOR_OTHERS_SECONDS}s'")
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    await connection.execute(f"SET lock_timeout = '{WAIT_FOR_TABLES_SECONDS}s'")
    await connection.execute(TABLE)
    applied = {row["version"]: row for row in await connection.fetch(APPLIED)}
    for migration in wanted:
        row = applied.get(migration.version)
        if row is not None and row["checksum"] != migration.checksum:
            raise SchemaWrong(f"{migration.name} was changed after it was applied; add a new migration instead.")
    missing = [migration for migration in wanted if migration.version not in applied]
    for migration in missing:
        await _apply(connection, migration)
    return len(missing)


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(RECORD, migration.version, migration.name, migration.checksum, migration.compat)
    log.info("migrated", migration=migration.name)


async def check_schema(pool: Pool, package: str) -> None:
    """Refuse to start on a schema that is too old for this release, or too new for it to be understood."""
    ours = migrations_of(package)[-1].version
    async with reading(pool) as connection:
        try:
            rows = await connection.fetch(APPLIED)
        except asyncpg.UndefinedTableError:
            rows = []
    theirs = rows[-1]["version"] if rows else 0
    if theirs < ours:
        raise SchemaWrong(
            f"The database is at version {theirs}, this release needs {ours}: run `python -m {package} migrate`."
        )
    if rows[-1]["compat"] > ours:
        raise SchemaWrong(
            f"The database is at version {theirs} and no longer works with releases of version {ours}: use a newer one."
        )
