"""The sessions: a row each, with the news of its beginning and end in the outbox of the same transaction."""

from datetime import UTC, datetime

import msgspec

from slipway_contracts.shell import SESSION_CHANGED, SessionChanged
from slipway_postgres import Connection, Outbox

ADD = """
    INSERT INTO sessions (id, organization_id, project_id, environment_id, service_id, cluster_id, kind, port, command,
                          tty, user_id, user_name, origin_address, purpose, recording, holder, resume_hash, opened_at,
                          seen_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18)
"""
STARTED = "UPDATE sessions SET process = $2 WHERE id = $1"
COLUMNS = """
    id::text, organization_id::text, project_id::text, environment_id::text, service_id::text, cluster_id::text, kind,
    port, command, tty, user_id, user_name, origin_address, purpose, recording, parts
"""
SEEN = "UPDATE sessions SET seen_at = now() WHERE id = ANY($1::uuid[]) AND ended_at IS NULL AND holder = $2"
WISHES = """
    SELECT id::text, end_wanted, holder <> $2 AS elsewhere
    FROM sessions WHERE id = ANY($1::uuid[]) AND (end_wanted <> '' OR holder <> $2)
"""
TAKE_OVER = f"""
    UPDATE sessions SET holder = $4, parts = parts + 1, seen_at = now()
    WHERE id = $1 AND user_id = $2 AND resume_hash = $3 AND ended_at IS NULL
    RETURNING {COLUMNS}
"""  # noqa: S608 only our own list of columns
END = """
    UPDATE sessions
    SET ended_at = $2, exit_code = $3, reason = $4, input_bytes = $5, output_bytes = $6
    WHERE id = $1 AND holder = $7 AND ended_at IS NULL
    RETURNING id
"""
HELD = "SELECT holder FROM sessions WHERE id = $1"
# Rows of gateways that died. Several gateways may look at once: each row is ended by one of them.
LOST = f"""
    SELECT {COLUMNS}, holder
    FROM sessions WHERE ended_at IS NULL AND seen_at < $1
    ORDER BY seen_at LIMIT 100 FOR UPDATE SKIP LOCKED
"""  # noqa: S608
LISTED = f"""
    SELECT {COLUMNS}, process, opened_at, ended_at, exit_code, reason, input_bytes, output_bytes
    FROM sessions
    WHERE organization_id = $1
      AND ($2::text IS NULL OR user_id = $2) AND ($3::uuid IS NULL OR service_id = $3)
      AND ($4::boolean IS NULL OR (ended_at IS NULL) = $4) AND ($5::uuid IS NULL OR id < $5)
      AND ($6::uuid IS NULL OR id = $6)
    ORDER BY id DESC LIMIT $7
"""  # noqa: S608
WANT_END = "UPDATE sessions SET end_wanted = $2 WHERE id = $1 AND ended_at IS NULL RETURNING id"


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record of a session from its beginning."""

    id: str
    organization_id: str
    project_id: str
    environment_id: str
    service_id: str
    cluster_id: str = ""
    kind: str = "shell"
    port: int = 0
    command: list[str] = []
    tty: bool = True
    user_id: str = ""
    user_name: str
    origin_address: str = ""
    purpose: str = ""
    recording: str = ""
    """Name of its first part in the store; empty: it is not recorded."""
    parts: int = 1


class SessionView(SessionRow, frozen=True, kw_only=True):
    """A session as it is shown."""

    process: str
    opened_at: datetime
    ended_at: datetime | None
    exit_code: int | None
    reason: str
    """Why it ended."""
    input_bytes: int
    output_bytes: int


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a session beside us."""

    id: str
    end_wanted: str
    elsewhere: bool
    """Another gateway has it now."""


class Sessions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, row: SessionRow, holder: str, resume_hash: bytes, now: datetime) -> None:
        """A session is about to begin."""
        await self._connection.execute(
            ADD,
            row.id,
            row.organization_id,
            row.project_id,
            row.environment_id,
            row.service_id,
            row.cluster_id,
            row.kind,
            row.port,
            row.command,
            row.tty,
            row.user_id,
            row.user_name,
            row.origin_address,
            row.purpose,
            row.recording,
            holder,
            resume_hash,
            now,
        )
        await self.tell(row, "opened", "", now)

    async def started(self, id: str, process: str) -> None:
        """The terminal runs beside this process of the service."""
        await self._connection.execute(STARTED, id, process)

    async def seen(self, ids: list[str], holder: str) -> None:
        """These sessions are alive."""
        await self._connection.execute(SEEN, ids, holder)

    async def wishes(self, ids: list[str], holder: str) -> list[Wish]:
        """Of these sessions, those that somebody wants ended or that another gateway took over."""
        return [msgspec.convert(dict(row), Wish) for row in await self._connection.fetch(WISHES, ids, holder)]

    async def take_over(self, id: str, user_id: str, resume_hash: bytes, holder: str) -> SessionRow | None:
        """Make a living session this gateway's own; None when it is over, somebody else's, or the secret is wrong."""
        row = await self._connection.fetchrow(TAKE_OVER, id, user_id, resume_hash, holder)
        return msgspec.convert(dict(row), SessionRow) if row else None

    async def end(
        self,
        row: SessionRow,
        holder: str,
        now: datetime,
        *,
        reason: str,
        exit_code: int | None = None,
        input_bytes: int = 0,
        output_bytes: int = 0,
    ) -> bool:
        """A session has ended. False when another gateway has it: then it goes on there."""
        ended = await self._connection.fetchrow(END, row.id, now, exit_code, reason, input_bytes, output_bytes, holder)
        if ended is not None:
            await self.tell(row, "ended", reason, now)
            return True
        return bool(await self._connection.fetchval(HELD, row.id) == holder)

    async def end_lost(self, not_seen_since: datetime) -> int:
        """End what no gateway holds any more; how many."""
        rows = await self._connection.fetch(LOST, not_seen_since)
        for found in rows:
            row = msgspec.convert(dict(found), SessionRow)
            reason = "the gateway that held it was lost"
            await self.end(row, found["holder"], datetime.now(UTC), reason=reason)
        return len(rows)

    async def list(
        self,
        organization_id: str,
        *,
        user_id: str | None = None,
        service_id: str | None = None,
        open: bool | None = None,
        before: str | None = None,
        id: str | None = None,
        limit: int = 50,
    ) -> list[SessionView]:
        """Sessions of an organization, the newest first."""
        rows = await self._connection.fetch(LISTED, organization_id, user_id, service_id, open, before, id, limit)
        return [msgspec.convert(dict(row), SessionView) for row in rows]

    async def want_end(self, id: str, reason: str) -> bool:
        """Have a session ended by whoever holds it. False when it has ended already."""
        return await self._connection.fetchrow(WANT_END, id, reason) is not None

    async def tell(self, row: SessionRow, verb: str, reason: str, now: datetime, *, by: str = "", at: str = "") -> None:
        """News of a session. `by`, `at`: who else it is about, and from which address."""
        event = SessionChanged(
            session_id=row.id,
            kind=row.kind,
            organization_id=row.organization_id,
            project_id=row.project_id,
            environment_id=row.environment_id,
            service_id=row.service_id,
            verb=verb,
            user=by or row.user_name,
            origin_address=at or row.origin_address,
            command=row.command,
            reason=reason or row.purpose,
            at=now,
        )
        ids = {"organization_id": row.organization_id, "verb": verb}
        id = f"{row.id}.{verb}" + (f".{by}.{now.timestamp():.0f}" if by else "")
        await Outbox(self._connection).add(SESSION_CHANGED, event, id=id, aggregate=row.id, **ids)
