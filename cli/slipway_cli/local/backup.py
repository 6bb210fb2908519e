"""A whole platform in one encrypted file, and back.

Invariant: what is saved belongs together. While it is copied the control plane stands still and PostgreSQL alone goes
on, to be dumped; what users deployed is served all the time. Ports, and the files of running programs, are left out:
where the backup is restored they are chosen and made anew, the latter by a deployment of what ran.
"""

import asyncio
import gzip
import json
import os
import secrets
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from slipway_cli.local.home import Home
from slipway_cli.local.programs import CLUSTER, CONTROL_PLANE, DATABASES, Servers
from slipway_cli.local.start import answers_ready
from slipway_cli.local.supervision import Supervisor, supervisor_pid
from slipway_cli.local.vault import Opener, Sealer
from slipway_cli.problems import CommandFailed
from slipway_embedded import PostgresServer, binaries
from slipway_embedded.processes import plain_environment, wait_until

FORMAT = 1
SAVED = ("keys", "nats", "repositories", "recordings", "work/artifacts", "work/layers", "token", "demo.json")
ABOUT = "backup.json"
DUMPS = "dumps"
NOT_SAVED = ("nats/nats.pid", "nats/nats.log")
DUMP_TIMEOUT_SECONDS = 1800
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Saved:
    """What a backup came to."""

    file: Path
    bytes: int
    seconds_still: float
    """How long the control plane stood still."""


async def save(home: Home, file: Path, key: bytes, tell: Tell) -> Saved:
    """Write the backup to `file`, whole or not at all."""
    began = asyncio.get_running_loop().time()
    with tempfile.TemporaryDirectory(prefix="backup-", dir=home.path) as scratch:
        dumps = Path(scratch) / DUMPS
        dumps.mkdir()
        async with _standing_still(home, tell) as postgres:
            tell("saving the databases")
            for name in DATABASES:
                await _dump(postgres, name, dumps / f"{name}.dump")
            tell("saving the bus, repositories, keys and services")
            await asyncio.to_thread(_write, home, dumps, file, key)
        seconds = asyncio.get_running_loop().time() - began
        size = await asyncio.to_thread(os.path.getsize, file)
    return Saved(file, size, seconds)


async def load(home: Home, file: Path, key: bytes, tell: Tell) -> None:
    """Bring a backup back into a home without data: whole, or the home stays as it was."""
    with tempfile.TemporaryDirectory(prefix="restore-", dir=home.path) as scratch:
        unpacked = Path(scratch)
        tell("unpacking")
        await asyncio.to_thread(_read, unpacked, file, key)
        _check_format(unpacked)
        tell("restoring the databases")
        async with PostgresServer(unpacked / "postgres") as postgres:
            for name in DATABASES:
                await postgres.create_service(name)
                await _restore(postgres, name, unpacked / DUMPS / f"{name}.dump")
        for name in (*SAVED, "postgres"):
            if (unpacked / name).exists():
                _replace(unpacked / name, home.path / name)

        home.remember(restored=True, incarnation=secrets.token_hex(8))


def _replace(new: Path, old: Path) -> None:
    if old.is_dir():
        shutil.rmtree(old)
    old.parent.mkdir(parents=True, exist_ok=True)
    new.rename(old)


@asynccontextmanager
async def _standing_still(home: Home, tell: Tell) -> AsyncIterator[PostgresServer]:
    """PostgreSQL running, and nobody who writes; as it was before afterwards."""
    postgres = Servers.of(home).postgres
    if supervisor_pid(home) is None:
        async with postgres:
            yield postgres
        return
    supervisor = Supervisor(home)
    tell("the control plane stands still (services go on)")
    await supervisor.stop("services:*", "servers:nats")
    try:
        yield postgres
    finally:
        tell("the control plane goes on")
        await supervisor.start("servers:nats", *(f"services:{name}" for name in (*CONTROL_PLANE, *CLUSTER)))
        await _ready_again(home)


async def _ready_again(home: Home) -> None:
    async def ready() -> bool:
        return await answers_ready(home.ports()["core"])

    await wait_until(ready, 60)


async def _dump(postgres: PostgresServer, name: str, file: Path) -> None:
    await _postgres_tool(postgres, "pg_dump", name, "--format=custom", "--compress=0", f"--file={file}")


async def _restore(postgres: PostgresServer, name: str, file: Path) -> None:
    await _postgres_tool(postgres, "pg_restore", name, "--no-owner", f"--role={name}", "--exit-on-error", str(file))


async def _postgres_tool(postgres: PostgresServer, tool: str, database: str, *arguments: str) -> None:
    """Run pg_dump or pg_restore as the superuser; the password travels in the environment."""
    process = await asyncio.create_subprocess_exec(
        *(str(binaries.postgres_program(tool)), "--host=127.0.0.1", f"--port={postgres.port}", "--username=postgres"),
        *("--no-password", f"--dbname={database}", *arguments),
        env=plain_environment(PGPASSWORD=postgres.password),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DUMP_TIMEOUT_SECONDS):
            _, said = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        last = (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise CommandFailed(f"{tool} of {database} failed: {last}", "backup.database")


def _write(home: Home, dumps: Path, file: Path, key: bytes) -> None:
    temporary = file.with_name(f".{file.name}.part")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            sealer = Sealer(raw, key)
            # tarfile's own compression level came with Python 3.12.
            with (
                gzip.GzipFile(fileobj=sealer, mode="wb", compresslevel=1) as packed,
                tarfile.open(fileobj=packed, mode="w|") as archive,
            ):
                _add_about(archive, home)
                archive.add(dumps, DUMPS)
                for name in SAVED:
                    if (home.path / name).exists():
                        archive.add(home.path / name, name, filter=_wanted)
            sealer.finish()
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _add_about(archive: tarfile.TarFile, home: Home) -> None:
    about = {"format": FORMAT, "home": str(home.path), "at": datetime.now(UTC).isoformat()}
    with tempfile.NamedTemporaryFile("w") as file:
        json.dump(about, file)
        file.flush()
        archive.add(file.name, ABOUT)


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = member.name
    if any(name == skipped or name.startswith(skipped + "/") for skipped in NOT_SAVED):
        return None
    return member if member.isfile() or member.isdir() or member.issym() or member.islnk() else None


def _read(target: Path, file: Path, key: bytes) -> None:
    with file.open("rb") as raw, tarfile.open(fileobj=Opener(raw, key), mode="r|gz") as archive:
        for member in archive:
            _extract(archive, member, target)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Files keep their mode and owner; nothing may land outside the home."""
    parts = PurePosixPath(member.name).parts
    if member.name.startswith("/") or ".." in parts:
        raise CommandFailed(f"The backup holds a path outside the platform: {member.name}", "backup.damaged", 7)
    archive.extract(member, target, numeric_owner=True, filter="fully_trusted")


def _check_format(unpacked: Path) -> None:
    about = json.loads((unpacked / ABOUT).read_text())
    if about["format"] != FORMAT:
        raise CommandFailed(
            f"This backup has format {about['format']}, and this release reads {FORMAT}: use the release that made it.",
            "backup.format",
            7,
        )
