"""PostgreSQL: a password for everybody, TCP on 127.0.0.1 alone, a role and a database per service, little memory.

We run the wheel's initdb and postgres ourselves: nothing outside the directory changes owner or mode, also as root.
"""

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

import asyncpg

from slipway_embedded import binaries
from slipway_embedded.problems import ServerFailed, WrongDataVersion
from slipway_embedded.processes import Command, Server, launched, plain_environment, wait_until, write_private

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SUPERUSER = "postgres"
INITDB_TIMEOUT_SECONDS = 60

# Few processes, small buffers: the idle platform must stay small. WAL is fsynced at every commit.
SETTINGS: dict[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "24MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "effective_cache_size": "256MB",
    "huge_pages": "off",
    "io_method": "sync",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "min_wal_size": "32MB",
    "max_wal_size": "512MB",
    "autovacuum_max_workers": "1",
    "autovacuum_naptime": "5min",
    "bgwriter_lru_maxpages": "0",
    "bgwriter_delay": "10s",
    "wal_writer_delay": "2s",
    "jit": "off",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %d ",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "idle_in_transaction_session_timeout": "5min",
}

HOST_BASED_AUTHENTICATION = """\
# type database user address method: one way in, by password
host all all 127.0.0.1/32 scram-sha-256
"""


class PostgresServer(Server):
    """One PostgreSQL cluster in one directory: `data/`, and `password`, the superuser's (0600)."""

    name = "postgres"
    stop_seconds = 20.0

    def __init__(self, directory: Path, port: int = 0, *, durable: bool = True) -> None:
        """`durable=False` never waits for the disk: tests only."""
        super().__init__(directory, port)
        self.durable = durable

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def password(self) -> str:
        return (self.directory / "password").read_text().strip()

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """Connection URL; without a password the superuser's, or the one that `create_service` gave that user."""
        if password is None:
            password = self.password if user == SUPERUSER else self.service_password(user)
        return f"postgresql://{quote(user)}:{quote(password)}@127.0.0.1:{self.port}/{quote(database)}"

    def service_password(self, name: str) -> str:
        """A service's password follows from the superuser's, so there is nothing more to keep."""
        return hmac.new(self.password.encode(), f"role:{name}".encode(), hashlib.sha256).hexdigest()

    async def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (self.data / "PG_VERSION").exists():
            await self._initialise()
        self._check_version()
        self._end_leftovers()
        settings = dict(SETTINGS, port=str(self.port))
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        lines = [f"{key} = '{value}'" for key, value in settings.items()]
        self._write("postgresql.auto.conf", "")
        self._write("postgresql.conf", "\n".join(lines) + "\n")
        self._write("pg_hba.conf", HOST_BASED_AUTHENTICATION)

    def command(self) -> Command:
        program = [str(binaries.postgres_program("postgres")), "-D", str(self.data)]
        return Command(
            argv=launched(program, stop_signal=signal.SIGINT, unprivileged_in=self.directory),
            environment=plain_environment(),
            directory=self.directory,
            stop_signal=signal.SIGINT,  # fast shutdown: sessions are ended, data is written
        )

    async def ready(self) -> bool:
        lines = self._pid_file_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready" and lines[3].strip() == str(self.port)

    async def create_service(self, name: str) -> str:
        """The role and database of a service, made when missing, closed to every other role; gives its URL."""
        async with self._superuser() as connection:
            await self._ensure_role(connection, name)
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await connection.execute(f'CREATE DATABASE "{name}" OWNER "{name}"')
            await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        return self.url(name, name)

    async def _ensure_role(self, connection: "Connection", name: str) -> None:
        if not name.isidentifier():
            raise ValueError(f"{name!r} can't be a role")
        known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name)
        verb = "ALTER" if known else "CREATE"
        rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
        await connection.execute(f"{verb} ROLE \"{name}\" {rights} PASSWORD '{self.service_password(name)}'")
        for database in ("postgres", "template1"):
            await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")

    @contextlib.asynccontextmanager
    async def _superuser(self) -> "AsyncIterator[Connection]":
        connection = await asyncpg.connect(self.url(), timeout=10, command_timeout=30)
        try:
            yield connection
        finally:
            await connection.close()

    async def _initialise(self) -> None:
        write_private(self.directory / "password", secrets.token_urlsafe(24))
        self.data.mkdir(exist_ok=True, mode=0o700)
        await self._initdb()

    async def _initdb(self) -> None:
        program = [
            str(binaries.postgres_program("initdb")),
            "--pgdata", str(self.data),
            "--username", SUPERUSER,
            "--pwfile", str(self.directory / "password"),
            "--auth", "scram-sha-256",
            "--encoding", "UTF8",
            "--locale-provider", "builtin",
            "--builtin-locale", "C.UTF-8",
            "--locale", "C",
            "--no-instructions",
            *([] if self.durable else ["--no-sync"]),
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *launched(program, unprivileged_in=self.directory),
            env=plain_environment(),
            cwd=self.directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), INITDB_TIMEOUT_SECONDS)
        if process.returncode:
            raise ServerFailed("postgres could not make its data directory: " + said.decode(errors="replace")[-600:])

    def _check_version(self) -> None:
        found, ours = (self.data / "PG_VERSION").read_text().strip(), binaries.postgres_major_version()
        if found != str(ours):
            raise WrongDataVersion(
                f"{self.data} was made by PostgreSQL {found}, and this release of Slipway runs {ours}: make a backup "
                "with the release that wrote it (slipway backup FILE), then restore it with this one."
            )

    def _end_leftovers(self) -> None:
        """A pid file after a crash may name a stranger, which would keep postgres from starting."""
        lines = self._pid_file_lines()
        if lines and not _is_postgres(int(lines[0]), self.data):
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _write(self, name: str, text: str) -> None:
        """Like `write_private`, and readable for the uid that owns the data."""
        path, owner = self.data / name, self.data.stat()
        write_private(path, text)
        if owner.st_uid != os.geteuid():
            os.chown(path, owner.st_uid, owner.st_gid)

    async def kill(self) -> None:
        """kill -9 of the main process; its children see it and end, which takes a moment."""
        lines = self._pid_file_lines()
        await super().kill()
        if lines:
            await wait_until(lambda: _gone(self.data), 10)


async def _gone(data: Path) -> bool:
    return not any(_is_postgres(int(entry), data) for entry in os.listdir("/proc") if entry.isdecimal())


def _is_postgres(pid: int, data: Path) -> bool:
    """Whether this process is a postgres of this data directory (its children work inside it)."""
    process = Path("/proc") / str(pid)
    try:
        return (process / "exe").resolve().name == "postgres" and (process / "cwd").resolve() == data
    except OSError:
        return False
