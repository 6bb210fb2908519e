"""A server process: started with a log file, stopped in time or killed, never left behind."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from slipway_embedded.problems import PortTaken, ServerFailed

LAUNCHER = Path(__file__).with_name("launch.py")
READY_TIMEOUT_SECONDS = 30.0
LOG_TAIL_BYTES = 2000


@dataclass(frozen=True)
class Command:
    """How to run a program: for a supervisor, or for `Server.start`."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = Path("/")
    stop_signal: signal.Signals = signal.SIGTERM


def launched(
    argv: Sequence[str], *, stop_signal: int = signal.SIGTERM, unprivileged_in: Path | None = None
) -> list[str]:
    """The argument list that ends with its parent; `unprivileged_in`: never as root, and that directory is its own."""
    options = ["--die-with-parent", str(int(stop_signal))]
    if unprivileged_in is not None:
        options += ["--unprivileged", "--own", str(unprivileged_in)]
    return [sys.executable, "-I", "-S", str(LAUNCHER), *options, "--", *argv]


def plain_environment(**extra: str) -> dict[str, str]:
    """What a server may see of our environment: nothing of the user's."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", **extra}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


async def wait_until(ready: Callable[[], Awaitable[bool]], timeout_seconds: float) -> bool:
    """Ask again and again, quickly at first, until `ready` or the time is over."""
    deadline = time.monotonic() + timeout_seconds
    pause_seconds = 0.005
    while not await ready():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 1.5, 0.1)
    return True


class Server:
    """What the four servers share. Use as `async with NatsServer(directory) as server:`."""

    name = "server"
    stop_seconds = 10.0

    def __init__(self, directory: Path, port: int = 0) -> None:
        """`directory` is the server's own and is made; port 0 takes a free one, the same over restarts."""
        self.directory = directory.resolve()
        self.port = port or free_port()
        self._process: asyncio.subprocess.Process | None = None

    async def prepare(self) -> None:
        """Write configuration and first data. Safe to repeat."""
        raise NotImplementedError

    def command(self) -> Command:
        """How the server is run, for a supervisor."""
        raise NotImplementedError

    async def ready(self) -> bool:
        """Whether it answers now."""
        raise NotImplementedError

    @property
    def log_file(self) -> Path:
        return self.directory / f"{self.name}.log"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerFailed(f"{self.name} is not running.")
        return self._process.pid

    async def start(self) -> Self:
        """Prepare, start and wait until it answers."""
        if not port_is_free(self.port):
            raise PortTaken(f"{self.name} can't listen on 127.0.0.1:{self.port}: another program uses this port.")
        await self.prepare()
        command = self.command()
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command.argv,
                env=dict(command.environment),
                cwd=command.directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await self.wait_ready(alive=lambda: self._process is not None and self._process.returncode is None)
        return self

    async def wait_ready(
        self, timeout_seconds: float = READY_TIMEOUT_SECONDS, alive: Callable[[], bool] = lambda: True
    ) -> None:
        """Wait until the server answers; its last words are in the fault when it doesn't."""
        ended = False

        async def ready_or_ended() -> bool:
            nonlocal ended
            ended = not alive()
            return ended or await self.ready()

        if not await wait_until(ready_or_ended, timeout_seconds) or ended:
            await self.kill()
            raise ServerFailed(f"{self.name} did not start: {self._last_words()}")

    async def stop(self) -> None:
        """End it properly; killed when it takes too long."""
        await self._end(self.command().stop_signal)

    async def kill(self) -> None:
        """kill -9, for tests of what the others do then."""
        await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        try:
            await asyncio.wait_for(process.wait(), self.stop_seconds)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _last_words(self) -> str:
        if not self.log_file.exists():
            return "it said nothing."
        with self.log_file.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").strip().splitlines()
        return " / ".join(lines[-5:]) or "it said nothing."
