"""The agent's half of remote shells: it opens terminals when the gateway asks, and passes bytes with a window.

Output is numbered by its offset and kept until the gateway has handed it on, so that what is lost on the way (a
restarted bus) can be sent again; beyond the window the program waits.
"""

import asyncio
import contextlib
import os
import shutil
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import structlog

from slipway_agent.services import Known, known
from slipway_agent.shells.copies import TooLarge, copied
from slipway_agent.shells.forwards import connected
from slipway_agent.shells.terminal import Program, Terminal
from slipway_bus import Bus, Listening
from slipway_contracts.base import TOKEN, Message
from slipway_contracts.shell import (
    SHELL_INPUT,
    SHELL_OPEN,
    SHELL_OUTPUT,
    OpenShell,
    ShellAck,
    ShellInput,
    ShellOpened,
    ShellOutput,
)
from slipway_errors import Fault
from slipway_service import Life
from slipway_workloads import Isolation, Launch, Layout, Sandbox, Status, best_isolation
from slipway_workloads.processes import descendants, listening_ports
from slipway_workloads.records import read

log = structlog.get_logger()

COMMAND_BYTES = 64 * 1024
PROCESSES = 512
"""What a terminal may start at once."""
SHELLS = ("/bin/bash", "/bin/sh")
HANG_UP_SECONDS = 2.0
"""What programs get to end in order when the line is closed."""


class Refused(Exception):
    """A shell can't be opened; `code` is stable, the text is for the user."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Chunk:
    offset: int
    data: bytes
    stderr: bool


class Session:
    """One open terminal."""

    def __init__(self, bus: Bus, ids: dict[str, str], terminal: Program, window_bytes: int) -> None:
        self._bus = bus
        self._ids = ids
        self._terminal = terminal
        self._window = window_bytes
        self._kept: deque[Chunk] = deque()
        self._unsent: deque[Chunk] = deque()
        self._produced = 0
        self._acked = 0
        self._received = -1
        self._taken = 0
        self._paused = False
        self._news = asyncio.Event()
        self._end: ShellOutput | None = None
        self._end_sent = False
        self.reason = ""
        self.heard_at = time.monotonic()
        self.ended_at = 0.0
        self.over = asyncio.Event()
        self.removed = False
        self.released = False
        """The gateway has all it wants; until then the last output stays available for being sent again."""
        self.listening: Listening | None = None
        self.pump: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.pump = asyncio.create_task(self._pump(), name="shell output")
        self._terminal.listen(self._printed, self._exited)

    # -- from the gateway ----------------------------------------------------------------------------------------

    async def take(self, message: Message, ids: dict[str, str]) -> Message:
        """One message of the gateway. It never waits, so an interrupt is never behind something."""
        assert isinstance(message, ShellInput)
        self.heard_at = time.monotonic()
        if message.acked_offset >= 0:
            self._ack(message.acked_offset, message.resend or self._lost(message.received_offset))
        if message.columns or message.rows:
            self._terminal.resize(message.columns, message.rows)
        if message.signal and not self._signal(message):
            return self._answer("invalid", "There is no such signal.")
        if message.close:
            self.close(message.reason)
        elif message.data and not self._input(message):
            return self._answer("full", "The program does not read its input.")
        elif message.eof:
            self._terminal.eof()
        return self._answer()

    def _answer(self, code: str = "", text: str = "") -> ShellAck:
        return ShellAck(ok=not code, code=code, message=text, taken=self._taken)

    def _signal(self, message: ShellInput) -> bool:
        known = self._terminal.signal(message.signal)
        if known:
            self._taken = max(self._taken, message.offset)
        return known

    def _input(self, message: ShellInput) -> bool:
        data = message.data
        if message.offset >= 0:
            if message.offset > self._taken:
                return False
            data = data[self._taken - message.offset :]
        if data and not self._terminal.write(data):
            return False
        self._taken += len(data)
        return True

    def _lost(self, received: int) -> bool:
        """Whether what was sent last never came, and nothing after it by which the gateway would see the hole."""
        behind = received < self._produced or self._end_sent
        before, self._received = self._received, received
        return received >= 0 and received == before and behind and not self._unsent

    def _ack(self, offset: int, resend: bool) -> None:
        self._acked = max(self._acked, min(offset, self._produced))
        while self._kept and self._kept[0].offset + len(self._kept[0].data) <= self._acked:
            self._kept.popleft()
        if resend:
            self._unsent = deque(self._kept)
            self._end_sent = False
            self._news.set()
        if self._paused and self._produced - self._acked < self._window:
            self._paused = False
            self._terminal.resume()

    # -- from the program ----------------------------------------------------------------------------------------

    def _printed(self, data: bytes, stderr: bool) -> None:
        chunk = Chunk(self._produced, data, stderr)
        self._produced += len(data)
        self._kept.append(chunk)
        self._unsent.append(chunk)
        self._news.set()
        if self._produced - self._acked >= self._window:
            self._paused = True
            self._terminal.pause()

    def _exited(self, code: int) -> None:
        self._end = ShellOutput(offset=self._produced, ended=True, exit_code=code, reason=self.reason)
        self.ended_at = time.monotonic()
        self.over.set()
        self._news.set()

    async def _pump(self) -> None:
        while not self.removed:
            await self._news.wait()
            self._news.clear()
            try:
                await self._send_all()
            except Fault as fault:
                log.info("shell output waits for the bus", reason=fault.detail, **self._ids)
                await asyncio.sleep(0.5)
                self._news.set()

    async def _send_all(self) -> None:
        while self._unsent:
            chunk = self._unsent[0]
            output = ShellOutput(offset=chunk.offset, data=chunk.data, stderr=chunk.stderr)
            await self._bus.send(SHELL_OUTPUT, output, **self._ids)
            if self._unsent and self._unsent[0] is chunk:
                self._unsent.popleft()
        if self._end is not None and not self._end_sent:
            self._end_sent = True
            await self._bus.send(SHELL_OUTPUT, self._end, **self._ids)

    # -- end -----------------------------------------------------------------------------------------------------

    def close(self, reason: str) -> None:
        """End the program: a hang-up first, and the end by force when that was not enough."""
        self.released = True
        self.reason = self.reason or reason
        if self._terminal.running:
            self._terminal.hang_up()
            self._paused = False
            self._acked = self._produced
            self._terminal.resume()
            asyncio.get_running_loop().call_later(HANG_UP_SECONDS, self.kill)

    def kill(self) -> None:
        if self._terminal.running:
            self._terminal.kill()

    @property
    def running(self) -> bool:
        return self._terminal.running


class Sessions:
    """All terminals of this agent."""

    def __init__(
        self, bus: Bus, layout: Layout, cluster_id: str, *, shells: int, window_bytes: int, silence_seconds: float
    ) -> None:
        self._bus = bus
        self._layout = layout
        self._cluster_id = cluster_id
        self._shells = shells
        self._window = window_bytes
        self._silence = silence_seconds
        self._open: dict[str, Session] = {}
        self._listening: Listening | None = None

    async def start(self) -> None:
        """Answer the gateways from now on."""
        await asyncio.to_thread(best_isolation)  # found out once, by trying, which takes a moment
        await asyncio.to_thread(shutil.rmtree, self._layout.copies_dir, ignore_errors=True)  # of an agent that died
        self._listening = await self._bus.serve(SHELL_OPEN, self._opened, cluster_id=self._cluster_id)

    async def run(self, life: Life) -> None:
        """Reap what is over, and what no gateway asks for any more, until the process stops."""
        while not life.stopping.is_set():
            try:
                async with asyncio.timeout(1.0):
                    await life.stopping.wait()
            except TimeoutError:
                await self.reap(time.monotonic())

    async def stop(self) -> None:
        """End every terminal; what they said last is still sent."""
        for session in self._open.values():
            session.close("the agent of the cluster was stopped")
        over = [session.over.wait() for session in self._open.values()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANG_UP_SECONDS):
                await asyncio.gather(*over)
        for session_id, session in list(self._open.items()):
            session.kill()
            await self._remove(session_id, session)
        if self._listening is not None:
            await self._listening.unsubscribe()

    async def reap(self, now: float) -> None:
        for session_id, session in list(self._open.items()):
            silent = now - session.heard_at > self._silence
            if session.ended_at and (session.released or silent):
                await self._remove(session_id, session)
            elif session.running and silent:
                log.info("shell abandoned", session=session_id)
                session.close("its gateway was not heard of any more")

    async def _remove(self, session_id: str, session: Session) -> None:
        self._open.pop(session_id, None)
        if session.listening is not None:
            await session.listening.unsubscribe()
        session.removed = True
        await asyncio.to_thread(shutil.rmtree, self._layout.copies_dir / session_id, ignore_errors=True)
        if session.pump is not None:
            session.pump.cancel()
            await asyncio.gather(session.pump, return_exceptions=True)

    async def _opened(self, message: OpenShell, ids: dict[str, str]) -> ShellOpened:
        try:
            return await self._open_one(message)
        except Refused as refusal:
            return ShellOpened(ok=False, code=refusal.code, message=str(refusal))

    async def _open_one(self, message: OpenShell) -> ShellOpened:
        if not TOKEN.fullmatch(message.session_id) or message.session_id in (*self._open, "open"):
            raise Refused("shell.session_id", "This session id can't be used.")
        if sum(session.running for session in self._open.values()) >= self._shells:
            raise Refused("shell.too_many", f"{self._shells} terminals are open on this cluster already.")
        service, release, launch = self._find(message)
        if message.kind == "forward":
            terminal = await self._connect(service, release, launch, message.port)
        elif message.kind == "ephemeral":
            copy = self._layout.copies_dir / message.session_id
            terminal = _program(await self._copied(launch, service.directory.release(release).source, copy), message)
        else:
            terminal = _program(launch, message)
        ids = {"cluster_id": self._cluster_id, "session_id": message.session_id}
        session = Session(self._bus, ids, terminal, self._window)
        self._open[message.session_id] = session
        session.listening = await self._bus.serve(SHELL_INPUT, session.take, queue=None, **ids)
        session.start()
        log.info("shell opened", session=message.session_id, service=message.service_id, user=message.user)
        return ShellOpened(ok=True, process=service.process_name(release))

    async def _copied(self, launch: Launch, source: Path, copy: Path) -> Launch:
        try:
            return await asyncio.to_thread(copied, launch, source, copy)
        except TooLarge:
            raise Refused("shell.too_large", "The files of this service are too many for a copy.") from None
        except OSError as error:
            raise Refused("shell.not_copied", f"The service could not be copied: {error.strerror}.") from error

    async def _connect(self, service: Known, release: str, launch: Launch, port: int) -> Program:
        status = read(service.directory.release(release).status, Status)
        pids = [status.pid, *descendants(status.pid)] if status is not None and status.pid else []
        listening = await asyncio.to_thread(listening_ports, pids)
        wanted = port or launch.port
        if wanted not in (*listening, launch.port):
            shown = ", ".join(map(str, listening)) or "none"
            raise Refused("shell.no_such_port", f"This service does not listen on port {wanted} (it does on: {shown}).")
        try:
            return await connected(wanted)
        except OSError as error:
            raise Refused("shell.not_connected", f"Port {wanted} takes no connection: {error.strerror}.") from error

    def _find(self, message: OpenShell) -> tuple[Known, str, Launch]:
        """The service's own release to stand beside; the gateway's claims are checked against our records."""
        try:
            service = known(self._layout.service(message.service_id), self._cluster_id)
        except ValueError:
            service = None
        if service is None or service.meta.organization_id != message.organization_id:
            raise Refused("shell.no_such_service", "Nothing of this service was deployed on this cluster yet.")
        release = service.meta.current_release
        if message.process:
            names = {service.process_name(name): name for name in service.directory.release_names()}
            release = names.get(message.process, "")
            if not release:
                raise Refused("shell.no_such_process", "This service has no such process.")
        launch = read(service.directory.release(release).launch, Launch) if release else None
        if launch is None:
            raise Refused("shell.not_deployed", "Nothing of this service was deployed on this cluster yet.")
        return service, release, launch


def _program(launch: Launch, message: OpenShell) -> Program:
    owner = launch.uid if launch.sandboxed and best_isolation() is Isolation.USER else None
    argv, env = enclosed(launch, message)
    try:
        return Terminal.start(argv, env, tty=message.tty, columns=message.columns, rows=message.rows, owner=owner)
    except OSError as error:
        raise Refused("shell.not_started", f"The terminal could not be started: {error.strerror}.") from error


def enclosed(launch: Launch, message: OpenShell) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a program that stands where the release stands."""
    command = message.command or [next((shell for shell in SHELLS if os.path.exists(shell)), SHELLS[-1])]
    if any("\0" in part for part in command) or sum(map(len, command)) > COMMAND_BYTES or not command[0]:
        raise Refused("shell.command", "This command can't be run.")
    env = dict(launch.env)
    if message.tty:
        env.setdefault("TERM", "xterm-256color")
    if not launch.sandboxed:
        late = [f"{name}={value}" for name, value in launch.late_env.items()]
        return ["/usr/bin/env", f"--chdir={launch.cwd}", *late, *command], env
    sandbox = Sandbox(
        binds=launch.binds,
        uid=launch.uid,
        cwd=launch.cwd,
        hostname=launch.hostname,
        new_session=False,
        max_processes=PROCESSES,
    )
    return sandbox.argv(command, launch.late_env), env
