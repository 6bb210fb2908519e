"""One session from the handshake to its record's end: the client's socket, the link to the agent, limits, rights.

A client that speaks `resume.v5.slipway` may lose its connection: the session waits for it, the agent keeps what was
printed since the last byte that the client confirmed. Another gateway can take the session over in the same way; this
one then lets go of it without a word.
"""

import asyncio
import contextlib
import hmac
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import structlog
from aiohttp import WSMsgType

from slipway_contracts.access import Permission
from slipway_contracts.places import Place
from slipway_contracts.shell import OpenShell
from slipway_errors import Fault, Invalid, Unavailable
from slipway_security.access import AccessCopy, Caller
from slipway_shell.client import Client, Watcher
from slipway_shell.codes import AGENT, DONE, PERMISSION, POLICY, RESTART, TRY_LATER, Close, Ended
from slipway_shell.framing import Hello
from slipway_shell.link import Link
from slipway_shell.recording import Recording
from slipway_shell.settings import Settings
from slipway_shell.stores.sessions import SessionRow

log = structlog.get_logger()

NEEDS = Permission.SHELL
TELL_TAKEN_SECONDS = 0.2


class Records(Protocol):
    """Where sessions are put on record."""

    async def begin(self, row: SessionRow, now: datetime) -> None: ...
    async def started(self, row: SessionRow, process: str) -> None: ...
    async def end(self, row: SessionRow, close: Close, exit_code: int | None, link: Link) -> bool: ...
    def record(self, row: SessionRow) -> Recording: ...
    async def recorded(self, row: SessionRow) -> None: ...
    async def watched(self, row: SessionRow, by: Caller, address: str) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """What a client asked for, checked."""

    place: Place
    kind: str = "shell"
    """shell, ephemeral, forward."""
    process: str = ""
    command: list[str] = field(default_factory=list)
    tty: bool = True
    columns: int = 80
    rows: int = 24
    port: int = 0
    reason: str = ""
    """Why the client wants it, in the user's words."""


@dataclass(frozen=True)
class ComeBack:
    """What a client says that comes back."""

    session: str
    secret: str
    received: int
    """How much of all output it has."""


class Session:
    """A session that runs in this process."""

    def __init__(
        self, row: SessionRow, wanted: Wanted, caller: Caller, link: Link, settings: Settings, resume: str
    ) -> None:
        self.row = row
        self.caller = caller
        self.place = wanted.place
        self._wanted = wanted
        self._link = link
        self._settings = settings
        self.secret = resume
        """With it, the same person comes back."""
        self._client: Client | None = None
        self._watchers: list[Watcher] = []
        self._recording: Recording | None = None
        self._recorded = 0
        """Output on record; what is sent again after a break is not recorded again."""
        self._began = self._active = time.monotonic()
        self._detached_at = 0.0
        self._warned = ""
        self._exit_code: int | None = None
        self._adopted = False
        self._kept = False
        """It goes on without us."""
        self._taken = 0
        link.tell_taken(self._input_taken)

    async def adopt(self, received: int) -> None:
        """Take over what another gateway held, before `run`; Ended says why that can't be."""
        await self._link.adopt(received, self._output)
        self._link.pause()
        self._recorded = received
        self._adopted = True

    async def run(self, records: Records) -> None:
        """From being put on record to being ended there."""
        close = Close(AGENT, "The session broke off.")
        try:
            await self._record(records)
            close = await self._live(records)
        except Ended as ended:
            close = ended.close
        except (Fault, OSError) as error:
            log.error("session not recorded", session=self.row.id, reason=str(error))
            close = Close(AGENT, "The session can't be put on record now, so it is not opened.")
        finally:
            await self._finish(records, close)
            for watcher in self._watchers:
                watcher.end(close)
            if self._client is not None:
                self._client.close(close)

    async def _record(self, records: Records) -> None:
        now = datetime.now(UTC)
        if self.row.recording:
            self._recording = records.record(self.row)
            title = f"{self.row.user_name} in {self.place.name}"
            self._recording.begin(self._wanted.columns, self._wanted.rows, title, now)
        if not self._adopted:
            await records.begin(self.row, now)

    async def _live(self, records: Records) -> Close:
        if not self._adopted:
            await records.started(self.row, await self._link.open(self._request(), self._output))
        last = await self._link.run()
        self._exit_code = last.exit_code
        if self._client is not None:
            for message in self._client.framing.end(last.exit_code, last.reason):
                with contextlib.suppress(ConnectionError, RuntimeError):
                    await self._client.send(message)
        return Close(DONE, last.reason or f"exit code {last.exit_code}")

    def _request(self) -> OpenShell:
        row, wanted = self.row, self._wanted
        return OpenShell(
            session_id=row.id,
            kind=wanted.kind,
            port=wanted.port,
            organization_id=row.organization_id,
            environment_id=row.environment_id,
            service_id=row.service_id,
            process=wanted.process,
            command=wanted.command,
            tty=wanted.tty,
            columns=wanted.columns,
            rows=wanted.rows,
            user=row.user_name,
        )

    async def _finish(self, records: Records, close: Close) -> None:
        ours = not self._kept and await records.end(self.row, close, self._exit_code, self._link)
        try:
            await (self._link.close(close.reason) if ours else self._link.let_go())
        finally:
            if self._recording is not None:
                self._recording.close()
                await records.recorded(self.row)

    # -- the client ----------------------------------------------------------------------------------------------

    def is_secret(self, said: str) -> bool:
        """Whether this is what the first client was told to come back with."""
        return hmac.compare_digest(self.secret.encode(), said.encode())

    async def begin(self, client: Client) -> None:
        """The first client: it hears what it needs to come back."""
        self._client = client
        await client.tell(self._hello(0))

    async def resume(self, client: Client, received: int) -> None:
        """Another socket of the same person goes on, from the output that it has."""
        before, self._client = self._client, None
        self._link.pause()
        if before is not None:
            before.close(Close(POLICY, "This session goes on in another window."))
            before.abort()
        at = self._link.position(received)
        await client.send(client.framing.told(self._hello(at)))
        self._client = client
        self._link.resume(at)

    def _hello(self, received: int) -> Hello:
        return Hello(
            session=self.row.id,
            resume=self.secret,
            received=received,
            taken=self._link.accepted_bytes,
            resume_seconds=self._settings.resume_seconds,
            recorded=bool(self.row.recording),
        )

    async def serve(self, client: Client) -> Close:
        """Hand on what a client types, until its socket is to be closed; how."""
        reading = asyncio.create_task(self._read(client), name="shell input")
        try:
            return await client.closed
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, client: Client) -> None:
        try:
            async for message in client.ws:
                if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                    break
                data = message.data if isinstance(message.data, bytes) else message.data.encode()
                await self._typed(client, data)
        except Invalid as wrong:
            self._link.end(POLICY, wrong.detail)
        else:
            self._gone(client)

    async def _typed(self, client: Client, data: bytes) -> None:
        typed = client.framing.typed(data)
        if typed.received >= 0:
            self._link.confirm(typed.received)
            return
        self._active = time.monotonic()
        self._warned = ""
        if (typed.columns or typed.rows) and self._recording is not None:
            self._recording.resized(typed.columns, typed.rows)
        await self._link.typed(typed)

    def _gone(self, client: Client) -> None:
        """Its socket is closed. One that may come back did not say good-bye."""
        if self._client is client:
            if client.framing.resumable and client.ws.close_code != DONE:
                self._client = None
                self._detached_at = time.monotonic()
                self._link.pause()
            else:
                self._link.end(DONE, "the client went away")
        client.close(Close(DONE))

    async def _output(self, at: int, data: bytes, stderr: bool) -> None:
        self._active = time.monotonic()
        client = self._client
        fresh = data[max(self._recorded - at, 0) :]
        if fresh:
            self._recorded = at + len(data)
            if self._recording is not None:
                self._recording.output(fresh, stderr)
            self._show(fresh)
        if client is None:
            return
        try:
            await client.send(client.framing.output(data, stderr))
        except (ConnectionError, RuntimeError):
            self._gone(client)
            return
        if not client.framing.resumable:
            self._link.confirm(at + len(data))

    def _input_taken(self, taken: int) -> None:
        """Say it at most a few times a second."""
        if not self._taken and self._client is not None and self._client.framing.resumable:
            asyncio.get_running_loop().call_later(TELL_TAKEN_SECONDS, self._tell_taken)
        self._taken = taken

    def _tell_taken(self) -> None:
        taken, self._taken = self._taken, 0
        if self._client is not None:
            asyncio.ensure_future(self._client.tell({"taken": taken}))  # noqa: RUF006 lost with its socket

    # -- who watches ---------------------------------------------------------------------------------------------

    async def watch(self, client: Client, records: Records, by: Caller, address: str) -> Close:
        """Somebody with the right to it looks on; the person sees that."""
        if self._recording is None:
            return Close(POLICY, "This session is not recorded, so it can't be watched.")
        await records.watched(self.row, by, address)
        watcher = Watcher(client)
        history = self._recording.printed()
        self._watchers.append(watcher)
        showing = asyncio.create_task(watcher.run(history), name="watch")
        reading = asyncio.create_task(_until_closed(client), name="watcher's socket")
        await self._watchers_changed(f"{by.name} watches this session")
        try:
            return await client.closed
        finally:
            self._watchers.remove(watcher)
            showing.cancel()
            reading.cancel()
            await asyncio.gather(showing, reading, return_exceptions=True)
            await self._watchers_changed(f"{by.name} watches no longer")

    async def _watchers_changed(self, text: str) -> None:
        await self._say(text)
        if self._client is not None:
            await self._client.tell({"watchers": [watcher.client.name for watcher in self._watchers]})

    def _show(self, data: bytes) -> None:
        for watcher in self._watchers:
            watcher.offer(data)
            if watcher.too_slow:
                watcher.end(Close(TRY_LATER, "You can't keep up with this session: watch it again."))

    # -- limits and rights ---------------------------------------------------------------------------------------

    def end(self, code: int, reason: str) -> None:
        """End the session; its socket is closed with this code."""
        self._link.end(code, reason)

    def leave(self, close: Close) -> None:
        """Let go of it without ending it: it is, or can be, taken over by another gateway."""
        self._kept = True
        self._link.end(close.code, close.reason)

    def stop(self) -> None:
        """This gateway ends. Who can come back does so elsewhere."""
        close = Close(RESTART, "The gateway restarts. Connect again.")
        if self._client is None or self._client.framing.resumable:
            self.leave(close)
        else:
            self.end(close.code, close.reason)

    def recheck(self, access: AccessCopy) -> None:
        """Rights changed: end the session if it may not go on."""
        try:
            self.caller = access.recheck(self.caller)
            access.authorize(self.caller, NEEDS, self.place)
        except Unavailable:
            return  # can't be known now; a revocation can't arrive either
        except Fault:
            self.end(PERMISSION, "Your right to open a shell here was taken away.")

    async def sweep(self, now: float, access: AccessCopy) -> None:
        """Once a second: limits of time, and what is to be said before they strike."""
        settings = self._settings
        if self._recording is not None:
            self._recording.flush()
        if self.caller.expires_at is not None and self.caller.expires_at <= datetime.now(UTC):
            self.recheck(access)
        left_idle = self._active + settings.idle_seconds - now
        left = self._began + settings.longest_seconds - now
        if self._client is None and self._detached_at and now - self._detached_at > settings.resume_seconds:
            self.end(DONE, "the client did not come back")
        elif left <= 0:
            self.end(POLICY, "The session has reached its longest time.")
        elif left_idle <= 0:
            self.end(POLICY, f"Nothing happened for {settings.idle_seconds / 60:.0f} minutes.")
        elif left <= settings.warning_seconds:
            await self._warn("longest", f"this session ends in {left:.0f} s: it has reached its longest time")
        elif left_idle <= settings.warning_seconds:
            await self._warn("idle", f"nothing happens here: this session ends in {left_idle:.0f} s unless you type")

    async def _warn(self, why: str, text: str) -> None:
        """Say it once."""
        if self._warned != why:
            self._warned = why
            await self._say(text)

    async def _say(self, text: str) -> None:
        """Say it in the terminal. Without a terminal the output is data and is left alone."""
        client = self._client
        if client is None or not self._wanted.tty:
            return
        notice = f"\r\n\x1b[33m[slipway] {text}\x1b[0m\r\n".encode()
        with contextlib.suppress(ConnectionError, RuntimeError):
            # Not part of the program's output: who counts that gets it beside.
            told = client.framing.told({"notice": text})
            await client.send(told or client.framing.output(notice, stderr=False))


async def _until_closed(client: Client) -> None:
    """What somebody who watches types is thrown away."""
    async for _ in client.ws:
        pass
    client.close(Close(DONE))
