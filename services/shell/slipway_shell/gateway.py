"""All sessions of this process: taking them in, keeping them on record, ending them when rights or limits say so."""

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from slipway_bus import Bus
from slipway_contracts.base import uuid7
from slipway_errors import Fault
from slipway_http import CachedLocate
from slipway_postgres import Pool, reading, transaction
from slipway_security.access import AccessCopy, Caller
from slipway_security.envelope import MasterKey
from slipway_shell.admission import admitted
from slipway_shell.client import Client
from slipway_shell.codes import AGENT, POLICY, RESTART, TRY_LATER, Close, Ended
from slipway_shell.link import Link
from slipway_shell.recording import Recording, part_of, place_of
from slipway_shell.session import ComeBack, Session, Wanted
from slipway_shell.settings import Settings
from slipway_shell.store import store_of
from slipway_shell.stores.sessions import SessionRow, Sessions

log = structlog.get_logger()

SEEN_SECONDS = 20.0
LOST_AFTER = timedelta(seconds=90)
RECORD_ATTEMPTS_SECONDS = (0.0, 0.5, 2.0)
OVER = Close(POLICY, "This session is over, or not yours: open a new one.")


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
        self.pool = pool
        self.key = key
        self.store = store_of(settings)
        self._id = uuid7()
        """Of this process: which sessions it holds."""
        self._bus = bus
        self._open: dict[str, Session] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._stop_watching = access.on_change(self._changed)

    def __len__(self) -> int:
        return len(self._open)

    # -- sessions ------------------------------------------------------------------------------------------------

    async def open(self, client: Client, caller: Caller, wanted: Wanted, address: str) -> Close:
        """A new session, for as long as its first client is there; how the client's socket is to be closed."""
        refusal = self._too_many(caller, wanted.kind) or await self._not_admitted(caller, wanted)
        if refusal is not None:
            return refusal
        session_id, place, now = uuid7(), wanted.place, datetime.now(UTC)
        recorded = place_of(place.organization_id, session_id, now, self.key is not None)
        row = SessionRow(
            id=session_id,
            organization_id=place.organization_id,
            project_id=place.project_id,
            environment_id=place.environment_id,
            service_id=place.service_id,
            cluster_id=place.cluster_id,
            kind=wanted.kind,
            port=wanted.port,
            command=wanted.command,
            tty=wanted.tty,
            user_id=caller.id,
            user_name=caller.name,
            origin_address=address,
            purpose=wanted.reason,
            recording="" if wanted.kind == "forward" else recorded,
        )
        session = self._session(row, wanted, caller, secrets.token_urlsafe(24))
        await session.begin(client)
        self._start(session)
        return await session.serve(client)

    async def resume(self, client: Client, caller: Caller, wanted: Wanted, back: ComeBack) -> Close:
        """Go on with a session after a break, here or in place of the gateway that held it."""
        session = self._open.get(back.session)
        try:
            if session is None:
                session = await self._take_over(caller, wanted, back)
            elif session.row.user_id != caller.id or not session.is_secret(back.secret):
                return OVER
        except Ended as ended:
            return ended.close
        except Fault as fault:
            return Close(AGENT, fault.detail)
        if session is None:
            return OVER
        try:
            await session.resume(client, back.received)
        except (ConnectionError, RuntimeError):
            return Close(AGENT)
        return await session.serve(client)

    async def watch(self, client: Client, session_id: str, by: Caller, address: str) -> Close:
        """Look on at a session that this process holds."""
        session = self._open.get(session_id)
        if session is None:
            return Close(TRY_LATER, "This session is over, or held by another gateway: connect again.")
        return await session.watch(client, self, by, address)

    def _session(self, row: SessionRow, wanted: Wanted, caller: Caller, secret: str) -> Session:
        link = Link(self._bus, row.cluster_id, row.id, row.tty, self.settings.agent_seconds)
        return Session(row, wanted, caller, link, self.settings, secret)

    def _start(self, session: Session) -> None:
        self._open[session.row.id] = session
        task = asyncio.create_task(session.run(self), name=f"session {session.row.id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: self._open.pop(session.row.id, None))

    async def _take_over(self, caller: Caller, wanted: Wanted, back: ComeBack) -> Session | None:
        async with transaction(self.pool) as connection:
            row = await Sessions(connection).take_over(back.session, caller.id, _hash(back.secret), self._id)
        if row is None or row.service_id != wanted.place.service_id:
            return None
        log.info("session taken over", session=row.id)
        session = self._session(row, wanted, caller, back.secret)
        await session.adopt(back.received)
        self._start(session)
        return session

    def _too_many(self, caller: Caller, kind: str) -> Close | None:
        if self._stopping:
            return Close(RESTART, "The gateway restarts. Connect again.")
        forward = kind == "forward"
        own = sum(
            session.caller.id == caller.id and (session.row.kind == "forward") == forward
            for session in self._open.values()
        )
        if own >= (self.settings.forwards_per_user if forward else self.settings.sessions_per_user):
            what = "connections" if forward else "sessions"
            return Close(TRY_LATER, f"You have {own} {what} open already. Close one first.")
        if len(self._open) >= self.settings.sessions:
            return Close(TRY_LATER, "Too many sessions are open. Try again later.")
        return None

    async def _not_admitted(self, caller: Caller, wanted: Wanted) -> Close | None:
        try:
            async with transaction(self.pool) as connection:
                return await admitted(connection, caller, wanted, datetime.now(UTC))
        except Fault:
            return Close(AGENT, "The rules for sessions can't be read now, so it is not opened. Try again.")

    # -- the record ----------------------------------------------------------------------------------------------

    def record(self, row: SessionRow) -> Recording:
        """A recording of the session, or of the part of it that begins now."""
        path = Path(self.settings.recordings_dir) / part_of(row.recording, row.parts)
        return Recording(path, row.id, self.key, self.settings.recording_bytes)

    async def recorded(self, row: SessionRow) -> None:
        """Its recording is complete. Should the store be away, the next start tries again."""
        try:
            await self.store.keep(part_of(row.recording, row.parts))
        except Fault as fault:
            log.warning("recording not stored yet", session=row.id, reason=fault.detail)

    async def begin(self, row: SessionRow, now: datetime) -> None:
        secret = self._open[row.id].secret
        async with transaction(self.pool) as connection:
            await Sessions(connection).add(row, self._id, _hash(secret), now)
        log.info("session opened", session=row.id, kind=row.kind, user=row.user_name, service=row.service_id)

    async def started(self, row: SessionRow, process: str) -> None:
        async with transaction(self.pool) as connection:
            await Sessions(connection).started(row.id, process)

    async def watched(self, row: SessionRow, by: Caller, address: str) -> None:
        async with transaction(self.pool) as connection:
            await Sessions(connection).tell(row, "watched", "", datetime.now(UTC), by=by.name, at=address)

    async def end(self, row: SessionRow, close: Close, exit_code: int | None, link: Link) -> bool:
        """Should the database be away for longer, the row is ended later as lost. False: another gateway has it."""
        log.info("session ended", session=row.id, code=close.code, reason=close.reason)
        for pause in RECORD_ATTEMPTS_SECONDS:
            await asyncio.sleep(pause)
            with contextlib.suppress(Fault):
                async with transaction(self.pool) as connection:
                    return await Sessions(connection).end(
                        row,
                        self._id,
                        datetime.now(UTC),
                        reason=close.reason,
                        exit_code=exit_code,
                        input_bytes=link.input_bytes,
                        output_bytes=link.output_bytes,
                    )
        return True

    async def end_wanted(self, session_id: str, reason: str) -> bool:
        """Have a session ended, whichever gateway holds it. False when it has ended already."""
        async with transaction(self.pool) as connection:
            wanted = await Sessions(connection).want_end(session_id, reason)
        if session_id in self._open:
            self._open[session_id].end(POLICY, reason)
        return wanted

    # -- loops ---------------------------------------------------------------------------------------------------

    def _changed(self, key: str) -> None:
        for session in self._of(key):
            session.recheck(self.access)

    def _of(self, key: str) -> Iterable[Session]:
        return [session for session in self._open.values() if session.caller.principal_key == key]

    async def sweep(self, stopping: asyncio.Event) -> None:
        """Limits and wishes each second, signs of life on record, and rows of gateways that died."""
        with contextlib.suppress(Fault, OSError):
            await self.store.keep_left_behind()
        seen_at = 0.0
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await stopping.wait()
            now = time.monotonic()
            for session in list(self._open.values()):
                await session.sweep(now, self.access)
            if self._open:
                await self._heed_wishes()
            if now - seen_at > SEEN_SECONDS:
                seen_at = now
                await self._renew()

    async def _heed_wishes(self) -> None:
        with contextlib.suppress(Fault):
            async with reading(self.pool) as connection:
                wishes = await Sessions(connection).wishes(list(self._open), self._id)
            for wish in wishes:
                session = self._open.get(wish.id)
                if session is not None and wish.elsewhere:
                    session.leave(Close(POLICY, "This session goes on in another window."))
                elif session is not None:
                    session.end(POLICY, wish.end_wanted)

    async def _renew(self) -> None:
        try:
            async with transaction(self.pool) as connection:
                sessions = Sessions(connection)
                if self._open:
                    await sessions.seen(list(self._open), self._id)
                await sessions.end_lost(datetime.now(UTC) - LOST_AFTER)
        except Fault as fault:
            log.warning("sessions not renewed", reason=fault.detail)

    async def stop(self) -> None:
        """End every session with a word why; those that can go on elsewhere are left to it."""
        self._stopping = True
        self._stop_watching()
        for session in list(self._open.values()):
            session.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=5.0)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
