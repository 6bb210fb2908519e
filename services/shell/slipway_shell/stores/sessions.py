"""The sessions: a row each, with the news of its beginning and end in the outbox of the same transaction."""

from datetime import UTC, datetime

import msgspec

from slipway_contracts.shell import SESSION_CHANGED, SessionChanged
from slipway_postgres import Connection, Outbox

ADD = """
    INSERT INTO sessions (id, organization_id, project_id, environment_id, service_id, cluster_id, command, tty,
                          user_id, user_name, origin_address, recording, opened_at, seen_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
"""
STARTED = "UPDATE sessions SET process = $2 WHERE id = $1"
SEEN = "UPDATE sessions SET seen_at = now() WHERE id = ANY($1::uuid[]) AND ended_at IS NULL"
END = """
    UPDATE sessions
    SET ended_at = $2, exit_code = $3, reason = $4, input_bytes = $5, output_bytes = $6
    WHERE id = $1 AND ended_at IS NULL
    RETURNING id
"""
# Rows of gateways that died. Several gateways may look at once: each row is ended by one of them.
LOST = """
    SELECT id::text, organization_id::text, project_id::text, environment_id::text, service_id::text, user_name,
           origin_address, command
    FROM sessions WHERE ended_at IS NULL AND seen_at < $1
    ORDER BY seen_at LIMIT 100 FOR UPDATE SKIP LOCKED
"""


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record of a session from its beginning."""

    id: str
    organization_id: str
    project_id: str
    environment_id: str
    service_id: str
    cluster_id: str = ""
    command: list[str] = []
    tty: bool = True
    user_id: str = ""
    user_name: str
    origin_address: str = ""
    recording: str = ""


class Sessions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, row: SessionRow, now: datetime) -> None:
        """A session is about to begin."""
        await self._connection.execute(
            ADD,
            row.id,
            row.organization_id,
            row.project_id,
            row.environment_id,
            row.service_id,
            row.cluster_id,
            row.command,
            row.tty,
            row.user_id,
            row.user_name,
            row.origin_address,
            row.recording,
            now,
        )
        await self._tell(row, "opened", "", now)

    async def started(self, id: str, process: str) -> None:
        """The terminal runs beside this process of the service."""
        await self._connection.execute(STARTED, id, process)

    async def seen(self, ids: list[str]) -> None:
        """These sessions are alive."""
        await self._connection.execute(SEEN, ids)

    async def end(
        self, row: SessionRow, now: datetime, *, reason: str, exit_code: int | None, input_bytes: int, output_bytes: int
    ) -> None:
        """A session has ended. Ending it again changes nothing."""
        ended = await self._connection.fetchrow(END, row.id, now, exit_code, reason, input_bytes, output_bytes)
        if ended is not None:
            await self._tell(row, "ended", reason, now)

    async def end_lost(self, not_seen_since: datetime) -> int:
        """End what no gateway holds any more; how many."""
        rows = await self._connection.fetch(LOST, not_seen_since)
        for found in rows:
            row = msgspec.convert(dict(found), SessionRow)
            reason = "the gateway that held it was lost"
            now = datetime.now(UTC)
            await self.end(row, now, reason=reason, exit_code=None, input_bytes=0, output_bytes=0)
        return len(rows)

    async def _tell(self, row: SessionRow, verb: str, reason: str, now: datetime) -> None:
        event = SessionChanged(
            session_id=row.id,
            organization_id=row.organization_id,
            project_id=row.project_id,
            environment_id=row.environment_id,
            service_id=row.service_id,
            verb=verb,
            user=row.user_name,
            origin_address=row.origin_address,
            command=row.command,
            reason=reason,
            at=now,
        )
        ids = {"organization_id": row.organization_id, "verb": verb}
        await Outbox(self._connection).add(SESSION_CHANGED, event, id=f"{row.id}.{verb}", aggregate=row.id, **ids)
