"""The audit log: one row for every change, never a secret in it."""

from datetime import datetime
from typing import Any

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    organization_id: str
    project_id: str | None = None
    environment_id: str | None = None
    service_id: str | None = None
    event_type: str
    target_type: str
    target_id: str
    target_name: str = ""
    sub_target_type: str | None = None
    origin: str
    actor: str
    actor_id: str = ""
    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    at: datetime
    project_name: str | None = None
    environment_name: str | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What to show of an organization's log; None shows all."""

    organization_id: str
    since: datetime | None = None
    until: datetime | None = None
    event_type: str | None = None
    target_type: str | None = None
    target_id: str | None = None
    sub_target_type: str | None = None
    triggered_by: str | None = None
    origin: str | None = None
    project_id: str | None = None
    environment_id: str | None = None


ADD = """
    INSERT INTO audit_events (id, organization_id, project_id, environment_id, service_id, event_type, target_type,
        target_id, target_name, sub_target_type, origin, actor, actor_id, address, user_agent, request_id, before,
        after, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""
ADD_ONCE = ADD + " ON CONFLICT (id) DO NOTHING"
LIST = """
    SELECT a.*, p.name AS project_name, e.name AS environment_name
    FROM audit_events a LEFT JOIN projects p ON p.id = a.project_id
        LEFT JOIN environments e ON e.id = a.environment_id
    WHERE a.organization_id = $1 AND ($2::timestamptz IS NULL OR a.at >= $2)
        AND ($3::timestamptz IS NULL OR a.at <= $3) AND ($4::text IS NULL OR a.event_type = $4)
        AND ($5::text IS NULL OR a.target_type = $5) AND ($6::text IS NULL OR a.target_id = $6)
        AND ($7::text IS NULL OR a.sub_target_type = $7) AND ($8::text IS NULL OR a.actor = $8)
        AND ($9::text IS NULL OR a.origin = $9) AND ($10::uuid IS NULL OR a.project_id = $10)
        AND ($11::uuid IS NULL OR a.environment_id = $11)
        AND ($12::uuid IS NULL OR a.id < $12) AND ($13::uuid IS NULL OR a.id > $13)
    ORDER BY CASE WHEN $13::uuid IS NULL THEN a.id END DESC, CASE WHEN $13::uuid IS NOT NULL THEN a.id END
    LIMIT $14
"""
TARGETS = """
    SELECT DISTINCT ON (target_id) target_id AS id, target_name AS name FROM audit_events a
    WHERE a.organization_id = $1 AND ($2::timestamptz IS NULL OR a.at >= $2)
        AND ($3::timestamptz IS NULL OR a.at <= $3) AND ($4::text IS NULL OR a.event_type = $4)
        AND ($5::text IS NULL OR a.target_type = $5) AND ($6::text IS NULL OR a.target_id = $6)
        AND ($7::text IS NULL OR a.sub_target_type = $7) AND ($8::text IS NULL OR a.actor = $8)
        AND ($9::text IS NULL OR a.origin = $9) AND ($10::uuid IS NULL OR a.project_id = $10)
        AND ($11::uuid IS NULL OR a.environment_id = $11)
    ORDER BY target_id, a.id DESC LIMIT 1000
"""


class Audit:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, event: AuditEvent) -> None:
        await self._connection.execute(ADD, *_values(event))

    async def add_once(self, event: AuditEvent) -> None:
        """Add a row whose id follows from what it tells; nothing when it is there."""
        await self._connection.execute(ADD_ONCE, *_values(event))

    async def all(
        self, filter: Filter, limit: int, before_id: str | None = None, after_id: str | None = None
    ) -> list[AuditEvent]:
        """Newest first; with `after_id` the page just newer than it, still newest first."""
        values = msgspec.structs.astuple(filter)
        found = rows.many(await self._connection.fetch(LIST, *values, before_id, after_id, limit), AuditEvent)
        return found[::-1] if after_id else found

    async def targets(self, filter: Filter) -> list[Target]:
        """What the shown events are about, by id with its latest name."""
        return rows.many(await self._connection.fetch(TARGETS, *msgspec.structs.astuple(filter)), Target)


def _values(event: AuditEvent) -> tuple[Any, ...]:
    return (
        event.id,
        event.organization_id,
        event.project_id,
        event.environment_id,
        event.service_id,
        event.event_type,
        event.target_type,
        event.target_id,
        event.target_name,
        event.sub_target_type,
        event.origin,
        event.actor,
        event.actor_id,
        event.address,
        event.user_agent,
        event.request_id,
        None if event.before is None else rows.to_json(event.before),
        None if event.after is None else rows.to_json(event.after),
        event.at,
    )
