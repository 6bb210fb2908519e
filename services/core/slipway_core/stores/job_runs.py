"""Runs of jobs beside deployments: one row each, changed by every report of it that counts."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection

KEPT = 200
"""Of a job."""


class JobRun(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    """Also its task's."""
    service_id: str
    cluster_id: str
    event: str
    nominal_at: datetime
    state: str
    """SENT, RUNNING, COMPLETED, ERROR, CANCELED, SKIPPED."""
    commit: str = ""
    message: str = ""
    code: str = ""
    details: str = ""
    fence: int = 0
    delivery: int = 0
    sequence: int = 0
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    due_at: datetime


ADD = """
    INSERT INTO job_runs (id, service_id, cluster_id, event, nominal_at, state, commit, message, code, fence,
        created_at, ended_at, due_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
PRUNE = """
    DELETE FROM job_runs WHERE service_id = $1 AND ended_at IS NOT NULL AND id NOT IN (
        SELECT id FROM job_runs WHERE service_id = $1 ORDER BY id DESC LIMIT $2
    )
"""
SAVE = """
    UPDATE job_runs SET state = $2, message = $3, code = $4, details = $5, delivery = $6, sequence = $7,
        started_at = $8, ended_at = $9
    WHERE id = $1
"""
OPEN = "SELECT * FROM job_runs WHERE id = ANY($1::uuid[]) AND ended_at IS NULL ORDER BY id FOR UPDATE"
ACTIVE = "SELECT * FROM job_runs WHERE service_id = $1 AND ended_at IS NULL"
OVERDUE = """
    SELECT * FROM job_runs WHERE ended_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED
"""
OF_SERVICE = "SELECT * FROM job_runs WHERE service_id = $1 ORDER BY id DESC LIMIT $2"
FORGET_FAILED = """
    DELETE FROM job_runs WHERE service_id = ANY($1::uuid[]) AND state = 'ERROR' AND ended_at IS NOT NULL
    RETURNING id, service_id
"""


class JobRuns:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, run: JobRun) -> None:
        await self._connection.execute(
            ADD,
            run.id,
            run.service_id,
            run.cluster_id,
            run.event,
            run.nominal_at,
            run.state,
            run.commit,
            run.message,
            run.code,
            run.fence,
            run.created_at,
            run.ended_at,
            run.due_at,
        )
        await self._connection.execute(PRUNE, run.service_id, KEPT)

    async def save(self, run: JobRun) -> None:
        await self._connection.execute(
            SAVE,
            run.id,
            run.state,
            run.message,
            run.code,
            run.details,
            run.delivery,
            run.sequence,
            run.started_at,
            run.ended_at,
        )

    async def open(self, ids: Iterable[str]) -> list[JobRun]:
        """Those that have not ended, locked."""
        return rows.many(await self._connection.fetch(OPEN, list(ids)), JobRun)

    async def active(self, service_id: str) -> JobRun | None:
        return rows.one(await self._connection.fetchrow(ACTIVE, service_id), JobRun)

    async def overdue(self, now: datetime) -> list[JobRun]:
        """Those that should have ended by now, locked."""
        return rows.many(await self._connection.fetch(OVERDUE, now), JobRun)

    async def of_service(self, service_id: str, count: int) -> list[JobRun]:
        """Newest first."""
        return rows.many(await self._connection.fetch(OF_SERVICE, service_id, count), JobRun)

    async def forget_failed(self, service_ids: Iterable[str]) -> dict[str, list[str]]:
        """Remove the failed ones; service id → ids of what was removed."""
        removed: dict[str, list[str]] = {}
        for row in await self._connection.fetch(FORGET_FAILED, list(service_ids)):
            removed.setdefault(str(row["service_id"]), []).append(str(row["id"]))
        return removed
