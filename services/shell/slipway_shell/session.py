"""One session from the handshake to its record's end: the client's socket, the link to the agent, limits, rights."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog
from aiohttp import WSMsgType, web

from slipway_contracts.access import Permission
from slipway_contracts.places import Place
from slipway_contracts.shell import OpenShell
from slipway_errors import Fault, Invalid, Unavailable
from slipway_security.access import AccessCopy, Caller
from slipway_security.envelope import MasterKey
from slipway_shell.codes import AGENT, DONE, PERMISSION, POLICY, Close, Ended
from slipway_shell.framing import Framing
from slipway_shell.link import Link
from slipway_shell.recording import Recording
from slipway_shell.settings import Settings
from slipway_shell.stores.sessions import SessionRow

log = structlog.get_logger()

NEEDS = Permission.SHELL
CLOSE_SECONDS = 2.0


class Records(Protocol):
    """Where sessions are put on record."""

    async def begin(self, row: SessionRow, now: datetime) -> None: ...
    async def started(self, row: SessionRow, process: str) -> None: ...
    async def end(self, row: SessionRow, close: Close, exit_code: int | None, link: Link) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """What a client asked for, checked."""

    place: Place
    process: str = ""
    command: list[str] = field(default_factory=list)
    tty: bool = True
    columns: int = 80
    rows: int = 24


class Session:
    """A session that runs in this process."""

    def __init__(
        self,
        row: SessionRow,
        wanted: Wanted,
        caller: Caller,
        ws: web.WebSocketResponse,
        framing: Framing,
        link: Link,
        settings: Settings,
    ) -> None:
        self.row = row
        self.caller = caller
        self.place = wanted.place
        self._wanted = wanted
        self._ws = ws
        self._framing = framing
        self._link = link
        self._settings = settings
        self._recording: Recording | None = None
        self._began = self._active = time.monotonic()
        self._warned = ""
        self._exit_code: int | None = None

    async def run(self, records: Records, key: MasterKey | None) -> Close:
        """From being put on record to being ended there; how the socket is to be closed."""
        close = Close(AGENT, "The session broke off.")
        try:
            await self._record(records, key)
        except (Fault, OSError) as error:
            log.error("session not recorded", session=self.row.id, reason=str(error))
            if self._recording is not None:
                self._recording.close()
            return Close(AGENT, "The session can't be put on record now, so it is not opened.")
        try:
            close = await self._live(records)
        except Ended as ended:
            close = ended.close
        finally:
            await self._finish(records, close)
        return close

    async def _record(self, records: Records, key: MasterKey | None) -> None:
        now = datetime.now(UTC)
        settings, wanted = self._settings, self._wanted
        path = Path(settings.recordings_dir) / self.row.recording
        self._recording = Recording(path, self.row.id, key, settings.recording_bytes)
        self._recording.begin(wanted.columns, wanted.rows, f"{self.row.user_name} in {self.place.name}", now)
        await records.begin(self.row, now)

    async def _live(self, records: Records) -> Close:
        row, wanted = self.row, self._wanted
        request = OpenShell(
            session_id=row.id,
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
        process = await self._link.open(request, self._output)
        await records.started(row, process)
        reading = asyncio.create_task(self._read(), name="shell input")
        try:
            last = await self._link.run()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        self._exit_code = last.exit_code
        for message in self._framing.end(last.exit_code, last.reason):
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self._ws.send_bytes(message)
        return Close(DONE, last.reason or f"exit code {last.exit_code}")

    async def _finish(self, records: Records, close: Close) -> None:
        try:
            await self._link.close(close.reason)
        finally:
            if self._recording is not None:
                self._recording.close()
        await records.end(self.row, close, self._exit_code, self._link)

    # -- the client ----------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Hand on what the client types, until it goes away."""
        try:
            async for message in self._ws:
                if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                    break
                data = message.data if isinstance(message.data, bytes) else message.data.encode()
                self._active = time.monotonic()
                self._warned = ""
                typed = self._framing.typed(data)
                if (typed.columns or typed.rows) and self._recording is not None:
                    self._recording.resized(typed.columns, typed.rows)
                await self._link.typed(typed)
        except Invalid as wrong:
            self._link.end(POLICY, wrong.detail)
        else:
            self._link.end(DONE, "the client went away")

    async def _output(self, data: bytes, stderr: bool) -> None:
        self._active = time.monotonic()
        if self._recording is not None:
            self._recording.output(data, stderr)
        await self._ws.send_bytes(self._framing.output(data, stderr))

    # -- limits and rights ---------------------------------------------------------------------------------------

    def end(self, code: int, reason: str) -> None:
        """End the session; its socket is closed with this code."""
        self._link.end(code, reason)

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
        if left <= 0:
            self.end(POLICY, "The session has reached its longest time.")
        elif left_idle <= 0:
            self.end(POLICY, f"Nothing happened for {settings.idle_seconds / 60:.0f} minutes.")
        elif left <= settings.warning_seconds:
            await self._warn("longest", f"this session ends in {left:.0f} s: it has reached its longest time")
        elif left_idle <= settings.warning_seconds:
            await self._warn("idle", f"nothing happens here: this session ends in {left_idle:.0f} s unless you type")

    async def _warn(self, why: str, text: str) -> None:
        """Say it in the terminal, once. Without a terminal the output is data and is left alone."""
        if self._warned == why or not self._wanted.tty:
            return
        self._warned = why
        notice = f"\r\n\x1b[33m[slipway] {text}\x1b[0m\r\n".encode()
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self._ws.send_bytes(self._framing.output(notice, stderr=False))
