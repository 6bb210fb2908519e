"""The workloads' own supervisord: its configuration, how it is started, and a client for its socket.

Invariant: a program is known by a file in `workloads/`; supervisord outlives the engine, and after a restart
of its own starts exactly the programs whose files are there.
"""

import asyncio
import re
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_errors import Fault, Kind
from slipway_workloads.layout import Layout
from slipway_workloads.records import write_bytes

ANSWER_BYTES = 16 * 1024 * 1024
BAD_NAME = 10
ALREADY_STARTED = 60
NOT_RUNNING = 70
ALREADY_ADDED = 90
STILL_RUNNING = 91

CONFIG = """\
; Written by Slipway; changes are lost.
[unix_http_server]
file={socket}
chmod=0700

[supervisord]
logfile={log}
logfile_maxbytes=2MB
logfile_backups=1
pidfile={pid_file}
nodaemon=true
silent=true
minfds=1024
umask=022
identifier=slipway-workloads

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files=workloads/*.conf
"""

PROGRAM = """\
[program:{name}]
command={command}
directory=/
autostart={autostart}
autorestart={autorestart}
startsecs={start_seconds}
startretries=1000000
stopsignal=TERM
killasgroup=true
stopwaitsecs={stop_wait_seconds}
stdout_logfile=NONE
stderr_logfile=NONE
redirect_stderr=false
"""


class SupervisorAway(Fault):
    """The supervisor of this machine's workloads doesn't answer."""

    kind = Kind.UNAVAILABLE
    code = "supervisor.away"


@dataclass(frozen=True)
class SupervisorConfig:
    """Where a supervisord of workloads keeps its files."""

    layout: Layout
    socket: Path

    @property
    def file(self) -> Path:
        return self.layout.supervisor_dir / "supervisord.conf"

    @property
    def pid_file(self) -> Path:
        return self.layout.supervisor_dir / "supervisord.pid"

    @property
    def programs(self) -> Path:
        return self.layout.supervisor_dir / "workloads"

    def write(self) -> Path:
        """Make or renew the configuration; programs that are there stay."""
        self.programs.mkdir(parents=True, exist_ok=True)
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        text = CONFIG.format(
            socket=_value(self.socket),
            log=_value(self.layout.supervisor_dir / "supervisord.log"),
            pid_file=_value(self.pid_file),
        )
        write_bytes(self.file, text.encode(), durable=False)
        return self.file

    def argv(self) -> list[str]:
        """The command that runs it in the foreground; SIGTERM ends it and all workloads."""
        return [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(self.file)]


def shim_command(launch: Path) -> list[str]:
    """The command that runs a release from its launch file; the small interpreter set-up keeps it under 7 MB."""
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("shim.py")), str(launch)]


def start_supervisor(config: SupervisorConfig, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start it as a child of this process, in a session of its own; the caller ends it."""
    config.write()
    return subprocess.Popen(
        config.argv(),
        env=environment if environment is not None else {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


class Supervisor:
    """A client: every call ends within its time limit, and changing what is already so is no error."""

    def __init__(self, config: SupervisorConfig, timeout_seconds: float = 10) -> None:
        self._config = config
        self._timeout_seconds = timeout_seconds
        self._changes = asyncio.Lock()

    async def wait_ready(self, timeout_seconds: float = 15) -> None:
        """Return when it answers."""
        end = time.monotonic() + timeout_seconds
        while True:
            try:
                await self._call("getState")
                return
            except SupervisorAway:
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.05)

    async def start(self, name: str, command: list[str], stop_wait_seconds: float = 15, *, once: bool = False) -> None:
        """Add the program and start it; it is started again whenever it ends, until it is stopped. `once`: never."""
        async with self._changes:
            self._write(name, command, stop_wait_seconds, once=once)
            await self._call("reloadConfig")
            await self._may_fail("addProcessGroup", name, allowed=(ALREADY_ADDED,))
            await self._may_fail("startProcess", name, False, allowed=(ALREADY_STARTED,))

    async def stop(self, name: str, stop_wait_seconds: float = 15, *, forced: bool = False) -> None:
        """End the program and wait for it: SIGTERM, later SIGKILL; `forced`: SIGKILL at once.

        It stays known, and stopped also after a restart of the supervisor.
        """
        file = self._file(name)
        if file.exists():
            text = file.read_text().replace("autostart=true", "autostart=false")
            await asyncio.to_thread(write_bytes, file, text.encode())
        limit = stop_wait_seconds + self._timeout_seconds
        if forced:
            allowed = (NOT_RUNNING, BAD_NAME)
            await self._may_fail("stopProcess", name, False, allowed=allowed)
            await self._may_fail("signalProcess", name, "KILL", allowed=allowed)
        await self._may_fail("stopProcess", name, True, allowed=(NOT_RUNNING, BAD_NAME), timeout_seconds=limit)

    async def remove(self, name: str, stop_wait_seconds: float = 15, *, forced: bool = False) -> None:
        """End the program and forget it."""
        await self.stop(name, stop_wait_seconds, forced=forced)
        async with self._changes:
            self._file(name).unlink(missing_ok=True)
            await self._may_fail("removeProcessGroup", name, allowed=(BAD_NAME, STILL_RUNNING))
            await self._call("reloadConfig")

    async def programs(self) -> dict[str, dict[str, Any]]:
        """Every known program with supervisord's own facts: statename, pid, start, exitstatus."""
        return {info["name"]: info for info in await self._call("getAllProcessInfo")}

    async def program(self, name: str) -> dict[str, Any] | None:
        """One program's facts, or None when it isn't known."""
        try:
            info: dict[str, Any] = await self._call("getProcessInfo", name)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == BAD_NAME:
                return None
            raise
        return info

    def _write(self, name: str, command: list[str], stop_wait_seconds: float, *, once: bool) -> None:
        text = PROGRAM.format(
            name=name,
            command=" ".join(_argument(argument) for argument in command),
            autostart="false" if once else "true",
            autorestart="false" if once else "true",
            start_seconds=0 if once else 1,
            stop_wait_seconds=max(1, round(stop_wait_seconds)),
        )
        write_bytes(self._file(name), text.encode())

    def _file(self, name: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", name):
            raise ValueError(f"{name!r} can't name a program")
        return self._config.programs / f"{name}.conf"

    async def _may_fail(
        self, method: str, *arguments: Any, allowed: tuple[int, ...], timeout_seconds: float | None = None
    ) -> bool:
        """Call; False when supervisord says one of the allowed things, True when it did it."""
        try:
            await self._call(method, *arguments, timeout_seconds=timeout_seconds)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in allowed:
                return False
            raise SupervisorAway(f"The supervisor refused {method}: {fault.faultString}") from fault
        return True

    async def _call(self, method: str, *arguments: Any, timeout_seconds: float | None = None) -> Any:
        body = xmlrpc.client.dumps(arguments, f"supervisor.{method}").encode()
        try:
            async with asyncio.timeout(timeout_seconds or self._timeout_seconds):
                answer = await _post(self._config.socket, body)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise SupervisorAway(f"The supervisor of the workloads doesn't answer {method}.") from error
        (result,), _ = xmlrpc.client.loads(answer)
        return result


async def _post(socket: Path, body: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        head = f"POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        answer = await reader.read(ANSWER_BYTES)
        while chunk := await reader.read(ANSWER_BYTES):
            answer += chunk
    finally:
        writer.close()
    status, _, rest = answer.partition(b"\r\n")
    if b" 200 " not in status + b" ":
        raise OSError(f"supervisord answered {status.decode(errors='replace')}")
    return rest.partition(b"\r\n\r\n")[2]


def _value(path: Path) -> str:
    """A path as an ini value: % is supervisord's own sign."""
    return str(path).replace("%", "%%")


def _argument(argument: str) -> str:
    """Quoted for supervisord, which splits like a shell and cuts comments off: every special sign with a backslash."""
    return re.sub(r"([^A-Za-z0-9/._=:,@+-])", r"\\\1", argument).replace("%", "%%")
