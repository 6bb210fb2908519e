"""All sessions of this process: taking them in, keeping them on record, ending them when rights or limits say so."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import structlog
from aiohttp import web

from slipway_bus import Bus
from slipway_contracts.base import uuid7
from slipway_errors import Fault
from slipway_http import CachedLocate
from slipway_postgres import Pool, transaction
from slipway_security.access import AccessCopy, Caller
from slipway_security.envelope import MasterKey
from slipway_shell.codes import RESTART, TRY_LATER, Close
from slipway_shell.framing import framing_for
from slipway_shell.link import Link
from slipway_shell.recording import place_of
from slipway_shell.session import Session, Wanted
from slipway_shell.settings import Settings
from slipway_shell.stores.sessions import SessionRow, Sessions

log = structlog.get_logger()

SEEN_SECONDS = 20.0
LOST_AFTER = timedelta(seconds=90)
RECORD_ATTEMPTS_SECONDS = (0.0, 0.5, 2.0)


class Gateway:
    """What the sockets' handlers use."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        pool: Pool,
        access: AccessCopy,
        locate: CachedLocate,
        key: MasterKey | None,
    ) -> None:
        self.settings = settings
        self.access = access
        self.locate = locate
        self._bus = bus
        self._pool = pool
        self._key = key
        self._open: dict[str, Session] = {}
        self._stopping = False
        self._stop_watching = access.on_change(self._changed)

    def __len__(self) -> int:
        return len(self._open)

    async def run(self, ws: web.WebSocketResponse, caller: Caller, wanted: Wanted, address: str) -> Close:
        """One session, from beginning to end; how its socket is to be closed."""
        refusal = self._too_many(caller)
        if refusal is not None:
            return refusal
        settings = self.settings
        session_id = uuid7()
        place = wanted.place
        row = SessionRow(
            id=session_id,
            organization_id=place.organization_id,
            project_id=place.project_id,
            environment_id=place.environment_id,
            service_id=place.service_id,
            cluster_id=place.cluster_id,
            command=wanted.command,
            tty=wanted.tty,
            user_id=caller.id,
            user_name=caller.name,
            origin_address=address,
            recording=place_of(place.organization_id, session_id, datetime.now(UTC), self._key is not None),
        )
        link = Link(self._bus, place.cluster_id, session_id, wanted.tty, settings.agent_seconds)
        framing = framing_for(ws.ws_protocol, wanted.tty)
        session = Session(row, wanted, caller, ws, framing, link, settings)
        self._open[session_id] = session
        try:
            return await session.run(self, self._key)
        finally:
            del self._open[session_id]

    def _too_many(self, caller: Caller) -> Close | None:
        if self._stopping:
            return Close(RESTART, "The gateway restarts. Connect again.")
        own = sum(session.caller.id == caller.id for session in self._open.values())
        if own >= self.settings.sessions_per_user:
            return Close(TRY_LATER, f"You have {own} sessions open already. Close one first.")
        if len(self._open) >= self.settings.sessions:
            return Close(TRY_LATER, "Too many sessions are open. Try again later.")
        return None

    # -- the record ----------------------------------------------------------------------------------------------

    async def begin(self, row: SessionRow, now: datetime) -> None:
        async with transaction(self._pool) as connection:
            await Sessions(connection).add(row, now)
        log.info("session opened", session=row.id, user=row.user_name, service=row.service_id)

    async def started(self, row: SessionRow, process: str) -> None:
        async with transaction(self._pool) as connection:
            await Sessions(connection).started(row.id, process)

    async def end(self, row: SessionRow, close: Close, exit_code: int | None, link: Link) -> None:
        """Should the database be away for longer, the row is ended later as lost."""
        log.info("session ended", session=row.id, code=close.code, reason=close.reason)
        for pause in RECORD_ATTEMPTS_SECONDS:
            await asyncio.sleep(pause)
            with contextlib.suppress(Fault):
                async with transaction(self._pool) as connection:
                    await Sessions(connection).end(
                        row,
                        datetime.now(UTC),
                        reason=close.reason,
                        exit_code=exit_code,
                        input_bytes=link.input_bytes,
                        output_bytes=link.output_bytes,
                    )
                return

    # -- loops ---------------------------------------------------------------------------------------------------

    def _changed(self, key: str) -> None:
        for session in self._of(key):
            session.recheck(self.access)

    def _of(self, key: str) -> Iterable[Session]:
        return [session for session in self._open.values() if session.caller.principal_key == key]

    async def sweep(self, stopping: asyncio.Event) -> None:
        """Limits each second, signs of life on record, and rows of gateways that died."""
        seen_at = 0.0
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await stopping.wait()
            now = time.monotonic()
            for session in list(self._open.values()):
                await session.sweep(now, self.access)
            if now - seen_at > SEEN_SECONDS:
                seen_at = now
                await self._renew()

    async def _renew(self) -> None:
        try:
            async with transaction(self._pool) as connection:
                sessions = Sessions(connection)
                if self._open:
                    await sessions.seen(list(self._open))
                await sessions.end_lost(datetime.now(UTC) - LOST_AFTER)
        except Fault as fault:
            log.warning("sessions not renewed", reason=fault.detail)

    async def stop(self) -> None:
        """End every session, with a word why."""
        self._stopping = True
        self._stop_watching()
        for session in list(self._open.values()):
            session.end(RESTART, "The gateway restarts. Connect again.")
        for _ in range(100):
            if not self._open:
                return
            await asyncio.sleep(0.05)
