"""What came of each nominal time: one row per schedule and nominal time."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from slipway_postgres import Connection
from slipway_scheduler.outcomes import Firing


class FiringRow(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one nominal time."""

    schedule_id: str
    service_id: str
    kind: str
    outcome: str
    """fired, late (after an outage), missed (in an outage, and not caught up), skipped (by a policy or a person)."""
    nominal_at: datetime
    fired_at: datetime
    """When it fired, or when it was found to be missed or skipped."""
    owner: str
    """Which replica that was."""
    superseded_by: str
    """What was due later and counted instead."""
    reason: str
    why: str
    """Why it was missed or skipped."""


COLUMNS = ", ".join(field.name for field in msgspec.structs.fields(FiringRow))
# What is in the table already has had its effect: no row comes back for it. To be noted before its schedule goes on.
ADD = """
    INSERT INTO firings (schedule_id, nominal_at, kind, environment_id, service_id, fired_at, owner, outcome,
        superseded_by, reason, why)
    SELECT schedules.id, one.nominal_at, schedules.kind, schedules.environment_id, schedules.service_id, $1, $2,
        one.outcome, one.superseded_by, schedules.reason, one.why
    FROM unnest($3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
        AS one (schedule_id, nominal_at, outcome, superseded_by, why)
    JOIN schedules ON schedules.id = one.schedule_id
    ON CONFLICT ON CONSTRAINT firings_pk DO NOTHING
    RETURNING schedule_id, nominal_at
"""
OF_ENVIRONMENT = f"""
    SELECT {COLUMNS} FROM firings
    WHERE environment_id = $1 AND environment_id <> '' AND ($3 = '' OR outcome = $3) AND ($4 = '' OR schedule_id = $4)
    ORDER BY nominal_at DESC, schedule_id LIMIT $2
"""  # noqa: S608 - constants
FORGET = "DELETE FROM firings WHERE fired_at < $1"


class Firings:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, firings: Sequence[Firing], now: datetime, owner: str) -> list[Firing]:
        """Note these; those that were not noted before."""
        if not firings:
            return []
        rows = await self._connection.fetch(
            ADD,
            now,
            owner,
            [one.schedule.id for one in firings],
            [one.nominal_at for one in firings],
            [one.outcome for one in firings],
            [one.superseded_by for one in firings],
            [one.why for one in firings],
        )
        added = {(row["schedule_id"], row["nominal_at"]) for row in rows}
        return [one for one in firings if (one.schedule.id, one.nominal_at) in added]

    async def of(self, environment_id: str, limit: int, outcome: str = "", schedule_id: str = "") -> list[FiringRow]:
        """The newest firings of an environment: all, of one outcome, of one schedule."""
        rows = await self._connection.fetch(OF_ENVIRONMENT, environment_id, limit, outcome, schedule_id)
        return [msgspec.convert(dict(row), FiringRow) for row in rows]

    async def forget(self, before: datetime) -> None:
        """Remove what is too old to be of interest."""
        await self._connection.execute(FORGET, before)
