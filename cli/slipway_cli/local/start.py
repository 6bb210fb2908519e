"""Start the platform: what depends on nothing starts at once, and nothing waits for what it doesn't need.

The order: keys and ports → servers (PostgreSQL, NATS, Valkey, Caddy) and the workloads' supervisor → schemas and the
first user → services → engine and agent. The console is built beside it all. Every wait has a limit.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_cli.local import secrets
from slipway_cli.local.home import Home, choose_ports
from slipway_cli.local.leftovers import end_leftovers
from slipway_cli.local.programs import CLUSTER, CONTROL_PLANE, DATABASES, WITH_HTTP, Secrets, Servers, programs
from slipway_cli.local.progress import Progress
from slipway_cli.local.supervision import Supervisor, start_supervisor, write_configuration
from slipway_cli.problems import CommandFailed
from slipway_embedded import run_directory
from slipway_embedded.processes import Server, wait_until

BOOTSTRAP_TIMEOUT_SECONDS = 60
READY_TIMEOUT_SECONDS = 60


@dataclass
class Platform:
    """A platform that has been started."""

    home: Home
    supervisor: Supervisor
    process: "subprocess.Popen[bytes]"
    """supervisord. Not asyncio's: it may outlive us."""


async def start(home: Home, port: int | None, progress: Progress, *, end_with_us: bool) -> Platform:
    """Start everything; when it fails, nothing is left running."""
    await end_leftovers(home)
    choose_ports(home, port)
    home.remember(sockets=str(run_directory(home.path)))
    servers = Servers.of(home)
    async with progress.step("keys and data directories"):
        known = await _secrets(home, servers)
        await _prepare(servers)
        write_configuration(home, programs(home, servers, known))
    process = start_supervisor(home, end_with_us=end_with_us)
    platform = Platform(home, Supervisor(home), process)
    try:
        await _start_all(platform, servers, known, progress)
    except BaseException:
        await stop_process(process)
        await end_leftovers(home)
        raise
    return platform


async def stop_process(process: "subprocess.Popen[bytes]", timeout_seconds: float = 60) -> None:
    """End supervisord, and with it all that it runs."""
    process.terminate()

    async def ended() -> bool:
        return process.poll() is not None

    if not await wait_until(ended, timeout_seconds):
        process.kill()
        process.wait()


async def _secrets(home: Home, servers: Servers) -> Secrets:
    from slipway_bus.accounts import AccountsFile

    webhooks, git = await asyncio.to_thread(secrets.make_keys, home)
    passwords = await asyncio.to_thread(AccountsFile(servers.nats.accounts_file).ensure)
    return Secrets(passwords, webhooks, git, secrets.bootstrap(home))


async def _prepare(servers: Servers) -> None:
    async with asyncio.TaskGroup() as group:
        for server in servers.all():
            group.create_task(server.prepare())


async def _start_all(platform: Platform, servers: Servers, known: Secrets, progress: Progress) -> None:
    if not await platform.supervisor.wait_ready():
        raise CommandFailed(f"The supervisor did not start; {platform.home.logs}/supervisord.out says why.", "start")
    async with asyncio.TaskGroup() as group:
        group.create_task(_serve(servers.valkey, progress))
        group.create_task(_serve(servers.caddy, progress))
        group.create_task(_start_services(platform, servers, known, progress))


async def _serve(server: Server, progress: Progress) -> None:
    async with progress.step(server.name):
        await server.wait_ready()


async def _start_services(platform: Platform, servers: Servers, known: Secrets, progress: Progress) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_serve(servers.nats, progress))
        group.create_task(_databases(servers, progress))
    if not (known.bootstrap.get("engine") and platform.home.token_file.exists()):
        async with progress.step("first user, organization and cluster"):
            answer = await _bootstrap(platform.home, servers)
            known = Secrets(known.nats_passwords, known.webhooks_public_key, known.git_public_key, answer)
            write_configuration(platform.home, programs(platform.home, servers, known))
    async with progress.step("services"):
        names = [f"services:{name}" for name in (*CONTROL_PLANE, *CLUSTER)]
        await platform.supervisor.start(*names)
        await _wait_services(platform, WITH_HTTP)


async def _databases(servers: Servers, progress: Progress) -> None:
    """A database and role per service, its schema up to date."""
    from slipway_postgres import migrate

    async with progress.step("postgres"):
        await servers.postgres.wait_ready()
        for name in DATABASES:
            await servers.postgres.create_service(name)
        async with asyncio.TaskGroup() as group:
            for name in DATABASES:
                group.create_task(migrate(servers.postgres.url(name, name), f"slipway_{name}"))


async def _bootstrap(home: Home, servers: Servers) -> dict[str, Any]:
    """The first user, organization, cluster and token, made by core itself; safe to repeat after a lost answer."""
    request = {
        **secrets.login(home),
        "api_token": secrets.api_token(home),
        "organization": "Slipway",
        "cluster_name": "local",
    }
    environment = json.loads((home.processes / "core" / "environment.json").read_text())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "slipway_core", "bootstrap"),
        env=environment,
        cwd=home.processes / "core",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(BOOTSTRAP_TIMEOUT_SECONDS):
            out, err = await process.communicate(json.dumps(request).encode())
    except BaseException:
        process.kill()
        await process.wait()
        raise
    log = home.logs / "bootstrap.log"
    await asyncio.to_thread(log.write_bytes, err)
    if process.returncode:
        last = (err.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise CommandFailed(f"The first user could not be made: {last} (all of it: {log})", "start.bootstrap")
    answer = json.loads(out)
    if answer["engine"] is None:
        answer |= await asyncio.to_thread(_issued_earlier, servers, answer["cluster_id"])
    return secrets.keep_bootstrap(home, answer)


def _issued_earlier(servers: Servers, cluster_id: str) -> dict[str, dict[str, str]]:
    """How engine and agent log in, from the accounts file: their passwords were told in an answer that was lost."""
    from slipway_bus.accounts import AccountsFile

    issued = AccountsFile(servers.nats.accounts_file).clusters()[cluster_id]
    return {
        "engine": {"user": issued.engine_user, "password": issued.engine_password},
        "agent": {"user": issued.agent_user, "password": issued.agent_password},
    }


async def _wait_services(platform: Platform, names: Sequence[str]) -> None:
    ports = platform.home.ports()
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(_wait_service(platform, name, ports[name]))


async def _wait_service(platform: Platform, name: str, port: int) -> None:
    async def ready() -> bool:
        return await answers_ready(port)

    if not await wait_until(ready, READY_TIMEOUT_SECONDS):
        raise CommandFailed(
            f"{name} was not ready after {READY_TIMEOUT_SECONDS} s: {last_words(platform.home.logs / f'{name}.log')}",
            "start.service",
        )


async def answers_ready(port: int) -> bool:
    """Whether a service says that it is ready."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            line = await asyncio.wait_for(reader.readline(), 5)
        finally:
            writer.close()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in line


def last_words(log: Path) -> str:
    """The last line of a log, and where the rest is."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f"{lines[-1][:300] if lines else 'it said nothing'} (all of it: {log})"
