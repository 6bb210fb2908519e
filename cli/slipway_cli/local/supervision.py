"""The platform's supervisord: its configuration, and the few calls that we make to it.

Invariant: what a program gets as environment stands in a file of mode 0600 that its launcher reads; supervisord's own
configuration holds no secret and, as its paths are relative to where it runs, nothing that its parser could misread.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway_cli.local.home import Home
from slipway_cli.local.leftovers import MARK
from slipway_embedded.processes import LAUNCHER, wait_until, write_private

CALL_TIMEOUT_SECONDS = 10
ALREADY_STARTED = 60
NOT_RUNNING = 70

CONFIGURATION = """\
[unix_http_server]
file={socket}
chmod=0600

[supervisord]
logfile={log}
logfile_maxbytes=2MB
logfile_backups=1
pidfile={pid_file}
nodaemon=true
silent=true
minfds=1024
umask=077
identifier=slipway

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """
[program:{name}]
command={command}
directory={directory}
autostart={autostart}
autorestart=true
startsecs=1
startretries=1000000
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
killasgroup=true
stdout_logfile={log}
stdout_logfile_maxbytes=5MB
stdout_logfile_backups=1
redirect_stderr=true
"""

GROUP = """
[group:{name}]
programs={programs}
priority={priority}
"""

GROUPS = {"servers": 10, "workloads": 20, "services": 30}
"""Stopped from the highest number down; the programs of a group at once."""


@dataclass(frozen=True)
class Program:
    """One process of the platform."""

    name: str
    group: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()
    """For the launcher, before the program."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: int = 20
    autostart: bool = False


def write_program(home: Home, program: Program) -> str:
    """Put the program's environment in place; gives its section of the configuration."""
    directory = home.processes / program.name
    directory.mkdir(exist_ok=True, mode=0o700)
    environment = directory / "environment.json"
    write_private(environment, json.dumps({**program.environment, MARK: str(home.path)}))
    stop = str(int(program.stop_signal))
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), "--die-with-parent", stop]
    argv = [*launcher, "--environment", str(environment), *program.options, "--", *program.argv]
    return PROGRAM.format(
        name=program.name,
        command=" ".join(_argument(argument) for argument in argv),
        directory=program.name,
        autostart="true" if program.autostart else "false",
        stop_signal=program.stop_signal.name.removeprefix("SIG"),
        stop_seconds=program.stop_seconds,
        log=f"../{home.logs.name}/{program.name}.log",
    )


def write_configuration(home: Home, programs: Sequence[Program]) -> None:
    """supervisord.conf for these programs."""
    text = CONFIGURATION.format(
        socket=str(home.sockets / "platform.sock").replace("%", "%%"),
        log=f"../{home.logs.name}/supervisord.log",
        pid_file=home.supervisor_pid_file.name,
    )
    text += "".join(write_program(home, program) for program in programs)
    for group, priority in GROUPS.items():
        names = [program.name for program in programs if program.group == group]
        text += GROUP.format(name=group, programs=",".join(names), priority=priority)
    write_private(home.supervisor_file, text)


def supervisor_command(home: Home) -> list[str]:
    return [sys.executable, "-P", "-m", "supervisor.supervisord", "-n", "-c", str(home.supervisor_file)]


def start_supervisor(home: Home, *, end_with_us: bool) -> "subprocess.Popen[bytes]":
    """Start it in a session of its own, so that Ctrl-C reaches `up` alone, which stops things in their order."""
    (home.sockets / "platform.sock").unlink(missing_ok=True)
    argv = supervisor_command(home)
    if end_with_us:
        term = str(int(signal.SIGTERM))
        argv = [sys.executable, "-I", "-S", str(LAUNCHER), "--die-with-parent", term, "--", *argv]
    with (home.logs / "supervisord.out").open("wb") as output:
        return subprocess.Popen(
            argv,
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", MARK: str(home.path)},
            cwd=home.processes,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


class SupervisorAway(Exception):
    """supervisord doesn't answer."""


class Supervisor:
    """The calls that we make; each ends within its time limit."""

    def __init__(self, home: Home) -> None:
        self._socket = home.sockets / "platform.sock"

    async def wait_ready(self, timeout_seconds: float = 15) -> bool:
        return await wait_until(self.answers, timeout_seconds)

    async def answers(self) -> bool:
        try:
            await self._call("getState")
        except SupervisorAway:
            return False
        return True

    async def start(self, *names: str) -> None:
        """Start programs (`group:name`) or whole groups (`group:*`), without waiting for them."""
        for name in names:
            method = "startProcessGroup" if name.endswith(":*") else "startProcess"
            await self._call(method, name.removesuffix(":*"), False, allowed=(ALREADY_STARTED,))

    async def stop(self, *names: str) -> None:
        """Stop programs or whole groups, and wait until they have ended."""
        for name in names:
            method = "stopProcessGroup" if name.endswith(":*") else "stopProcess"
            await self._call(method, name.removesuffix(":*"), True, allowed=(NOT_RUNNING,), timeout_seconds=60)

    async def processes(self) -> dict[str, dict[str, Any]]:
        """By program name: statename, pid, start, now, spawnerr …"""
        return {info["name"]: info for info in await self._call("getAllProcessInfo")}

    async def _call(
        self,
        method: str,
        *arguments: Any,
        allowed: Sequence[int] = (),
        timeout_seconds: float = CALL_TIMEOUT_SECONDS,
    ) -> Any:
        body = xmlrpc.client.dumps(arguments, f"supervisor.{method}").encode()
        try:
            async with asyncio.timeout(timeout_seconds):
                answer = await self._post(body)
            (result,), _ = xmlrpc.client.loads(answer)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in allowed:
                return None
            raise SupervisorAway(f"supervisord refused {method}: {fault.faultString}") from fault
        except (OSError, TimeoutError, ValueError) as error:
            raise SupervisorAway(f"supervisord does not answer {method}") from error
        return result

    async def _post(self, body: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            head = f"POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await reader.read()
        finally:
            writer.close()
        status, _, rest = answer.partition(b"\r\n")
        if b" 200 " not in status + b" ":
            raise OSError(f"supervisord answered {status!r}")
        return rest.partition(b"\r\n\r\n")[2]


def supervisor_pid(home: Home) -> int | None:
    """The pid of this home's supervisord, if it runs."""
    try:
        pid = int(home.supervisor_pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(home.supervisor_file) in command else None


def _argument(argument: str) -> str:
    """Quoted for supervisord, which splits like a shell, and cuts off comments and white space at the end."""
    return re.sub(r"[^A-Za-z0-9/._=:,@+-]", _sign, argument).replace("%", "%%")


def _sign(found: re.Match[str]) -> str:
    sign = found[0]
    return f"'{sign}'" if sign.isspace() else f"\\{sign}"
