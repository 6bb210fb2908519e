"""Deployments: one row each; at most one of an environment runs, the others wait in the order of their numbers.

Whoever changes a deployment holds the lock on its environment's row, so the two sides of "one at a time" can't race.
"""

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from slipway_core.machine import Action, State
from slipway_core.planner import Request
from slipway_core.progress import Run
from slipway_core.stores import rows
from slipway_postgres import Connection


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Where deployments of an environment happen."""

    environment_id: str
    environment_name: str
    mode: str
    project_id: str
    project_name: str
    organization_id: str
    cluster_id: str
    cluster_name: str
    cluster_config: dict[str, Any]
    public_key: bytes | None
    capabilities: list[str]
    engine_seen_at: datetime | None
    fork_url: str | None = None
    """Of a fork's preview: where its code comes from. It gets no secret, and no commit but the approved one."""
    fork_head: str | None = None


KEPT_IN_MEMORY = {"steps", "max_builds", "max_deploys", "engine_known", "changed", "orders"}
GROUNDS = """
    SELECT e.id AS environment_id, e.name AS environment_name, e.mode, e.project_id, p.name AS project_name,
        p.organization_id, e.cluster_id, c.name AS cluster_name, c.config AS cluster_config, c.public_key,
        c.capabilities, c.engine_seen_at, v.source_url AS fork_url, v.approved_head AS fork_head
    FROM environments e JOIN projects p ON p.id = e.project_id JOIN clusters c ON c.id = e.cluster_id
        LEFT JOIN previews v ON v.environment_id = e.id AND v.from_fork
    WHERE e.id = ANY($1::uuid[])
"""
# Two lockers of several environments take them in the same order.
LOCK = "SELECT id FROM environments WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
TRY_LOCK = "SELECT id FROM environments WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED"
GET = "SELECT * FROM deployments WHERE id = $1"
MANY = "SELECT * FROM deployments WHERE id = ANY($1::uuid[])"
OPEN = "SELECT * FROM deployments WHERE environment_id = ANY($1::uuid[]) AND ended_at IS NULL ORDER BY number"
OPEN_OF_SERVICE = """
    SELECT * FROM deployments
    WHERE environment_id = (SELECT environment_id FROM services WHERE id = $1::uuid) AND ended_at IS NULL
        AND started_at IS NULL AND (request -> 'wishes' ? ($1::uuid)::text OR (request ->> 'everything')::boolean)
    ORDER BY number
"""
LAST = "SELECT * FROM deployments WHERE environment_id = $1 ORDER BY number DESC LIMIT 1"
LAST_STARTED = """
    SELECT d.* FROM unnest($1::uuid[]) AS e(id), LATERAL (
        SELECT * FROM deployments WHERE environment_id = e.id AND started_at IS NOT NULL ORDER BY number DESC LIMIT 1
    ) d
"""
LAST_OF_MANY = """
    SELECT DISTINCT ON (environment_id) * FROM deployments
    WHERE environment_id = ANY($1::uuid[]) ORDER BY environment_id, number DESC
"""
NAMED = "SELECT * FROM deployments WHERE environment_id = $1 AND (id::text = $2 OR number::text = $2)"
HISTORY = """
    SELECT * FROM deployments
    WHERE environment_id = $1 AND ($2::uuid IS NULL OR number < (SELECT number FROM deployments WHERE id = $2::uuid))
    ORDER BY number DESC LIMIT $3
"""
HISTORY_OF_SERVICE = """
    SELECT * FROM deployments
    WHERE environment_id = (SELECT environment_id FROM services WHERE id = $1)
        AND EXISTS (SELECT FROM deployment_steps s WHERE s.deployment_id = deployments.id AND s.service_id = $1)
        AND ($2::uuid IS NULL OR number < (SELECT number FROM deployments WHERE id = $2::uuid))
    ORDER BY number DESC LIMIT $3
"""
ADD = """
    INSERT INTO deployments (
        id, organization_id, project_id, environment_id, cluster_id, number, action, status, reason, cancel, trigger,
        principal_id, triggered_by, origin, request, commits, version, status_at, created_at, started_at, ended_at,
        due_at, approval, approval_until
    )
    VALUES ($1, $2, $3, $4, $5, (SELECT coalesce(max(number), 0) + 1 FROM deployments WHERE environment_id = $4),
        $6, $7, $8, '', $9, $10, $11, $12, $13, $14, 1, $15, $15, NULL, NULL, $16,
        $17, $18)
    RETURNING number
"""
SAVE = """
    UPDATE deployments SET status = $2, reason = $3, cancel = $4, request = $5, commits = $6, version = $7,
        status_at = $8, started_at = $9, ended_at = $10, due_at = $11, triggered_by = $12, cluster_id = $13,
        approval = $14, approval_by = $15, approval_comment = $16
    WHERE id = $1
"""
DUE = """
    SELECT environment_id FROM deployments WHERE ended_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT $2
"""
ENVIRONMENTS_OF_TASKS = """
    SELECT DISTINCT d.environment_id FROM deployment_steps s JOIN deployments d ON d.id = s.deployment_id
    WHERE s.task_id = ANY($1::uuid[])
"""
OF_TASKS = """
    SELECT DISTINCT s.deployment_id FROM deployment_steps s JOIN deployments d ON d.id = s.deployment_id
    WHERE s.task_id = ANY($1::uuid[]) AND d.ended_at IS NULL
"""
POSTPONE = "UPDATE deployments SET due_at = $2 WHERE id = $1"


COLUMNS = [field.name for field in dataclasses.fields(Run) if field.name not in KEPT_IN_MEMORY]


def _run(record: Any) -> Run:
    fields = {name: record[name] for name in COLUMNS}
    for name in ("id", "organization_id", "project_id", "environment_id", "cluster_id"):
        fields[name] = str(fields[name])
    fields["action"] = Action(fields["action"])
    fields["status"] = State(fields["status"])
    fields["request"] = msgspec.json.decode(fields["request"], type=Request)
    fields["commits"] = msgspec.json.decode(fields["commits"], type=dict[str, str])
    return Run(**fields)


class Deployments:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(self, environment_ids: Iterable[str]) -> list[str]:
        """Until the end of this transaction nobody else changes deployments there. The ids of those that exist."""
        return [str(row["id"]) for row in await self._connection.fetch(LOCK, list(environment_ids))]

    async def try_lock(self, environment_id: str) -> bool:
        """As `lock`; False when somebody else is at it."""
        return await self._connection.fetchrow(TRY_LOCK, environment_id) is not None

    async def ground(self, environment_id: str) -> Ground | None:
        return (await self.grounds([environment_id])).get(environment_id)

    async def grounds(self, environment_ids: Iterable[str]) -> dict[str, Ground]:
        """environment id → its ground, for those that exist."""
        found = rows.many(await self._connection.fetch(GROUNDS, list(environment_ids)), Ground)
        return {ground.environment_id: ground for ground in found}

    async def get(self, id: str) -> Run | None:
        row = await self._connection.fetchrow(GET, id)
        return None if row is None else _run(row)

    async def named(self, environment_id: str, name: str) -> Run | None:
        """A deployment of an environment by its id, its number, or `<environment id>-<number>`."""
        name = name.lower().removeprefix(f"{environment_id}-")
        row = await self._connection.fetchrow(NAMED, environment_id, name)
        return None if row is None else _run(row)

    async def many(self, ids: Iterable[str]) -> list[Run]:
        return [_run(row) for row in await self._connection.fetch(MANY, list(ids))]

    async def open(self, *environment_ids: str) -> list[Run]:
        """What runs, then what waits, in the order of each environment."""
        return [_run(row) for row in await self._connection.fetch(OPEN, environment_ids)]

    async def waiting_of_service(self, service_id: str) -> list[Run]:
        return [_run(row) for row in await self._connection.fetch(OPEN_OF_SERVICE, service_id)]

    async def last(self, environment_id: str) -> Run | None:
        row = await self._connection.fetchrow(LAST, environment_id)
        return None if row is None else _run(row)

    async def last_started(self, *environment_ids: str) -> dict[str, Run]:
        """environment id → its newest deployment that has begun."""
        found = [_run(row) for row in await self._connection.fetch(LAST_STARTED, environment_ids)]
        return {run.environment_id: run for run in found}

    async def last_of_many(self, environment_ids: Iterable[str]) -> dict[str, Run]:
        """environment id → its newest deployment."""
        found = await self._connection.fetch(LAST_OF_MANY, list(environment_ids))
        return {str(row["environment_id"]): _run(row) for row in found}

    async def history(self, environment_id: str, after_id: str | None, limit: int) -> list[Run]:
        """Newest first, older than `after_id`."""
        return [_run(row) for row in await self._connection.fetch(HISTORY, environment_id, after_id, limit)]

    async def history_of_service(self, service_id: str, after_id: str | None, limit: int) -> list[Run]:
        found = await self._connection.fetch(HISTORY_OF_SERVICE, service_id, after_id, limit)
        return [_run(row) for row in found]

    async def add(self, run: Run) -> None:
        """Put it at the end of its environment's queue; its number is set."""
        run.number = await self._connection.fetchval(
            ADD,
            run.id,
            run.organization_id,
            run.project_id,
            run.environment_id,
            run.cluster_id,
            run.action,
            run.status,
            run.reason,
            run.trigger,
            run.principal_id,
            run.triggered_by,
            run.origin,
            rows.to_json(run.request),
            rows.to_json(run.commits),
            run.created_at,
            run.due_at,
            run.approval,
            run.approval_until,
        )

    async def save(self, run: Run) -> None:
        """Write what changed. Every save is a new version."""
        run.version += 1
        run.changed = False
        await self._connection.execute(
            SAVE,
            run.id,
            run.status,
            run.reason,
            run.cancel,
            rows.to_json(run.request),
            rows.to_json(run.commits),
            run.version,
            run.status_at,
            run.started_at,
            run.ended_at,
            run.due_at,
            run.triggered_by,
            run.cluster_id,
            run.approval,
            run.approval_by,
            run.approval_comment,
        )

    async def due(self, now: datetime, limit: int) -> list[str]:
        """Environments in which a deployment has something due."""
        return [str(row["environment_id"]) for row in await self._connection.fetch(DUE, now, limit)]

    async def environments_of_tasks(self, task_ids: Iterable[str]) -> list[str]:
        found = await self._connection.fetch(ENVIRONMENTS_OF_TASKS, list(task_ids))
        return [str(row["environment_id"]) for row in found]

    async def open_of_tasks(self, task_ids: Iterable[str]) -> list[Run]:
        """The deployments to which these tasks belong, without those that have ended."""
        found = await self._connection.fetch(OF_TASKS, list(task_ids))
        return await self.many(str(row["deployment_id"]) for row in found) if found else []

    async def postpone(self, id: str, due_at: datetime) -> None:
        """Look at it later; nothing else changed, so it is no new version."""
        await self._connection.execute(POSTPONE, id, due_at)
