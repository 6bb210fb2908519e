"""What is due when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from slipway_postgres import Connection
from slipway_scheduler.schedules import Overlap, Schedule

FIELDS = tuple(field.name for field in msgspec.structs.fields(Schedule))
# What people and runs did to a schedule outlives a new version of it.
KEPT = ("id", "paused_by", "running_at", "running_until", "waiting_at")
COLUMNS = ", ".join(FIELDS)
VALUES = ", ".join(f"${number + 1}" for number in range(len(FIELDS) + 1))
CHANGES = ", ".join(f"{name} = excluded.{name}" for name in (*FIELDS, "due_at") if name not in KEPT)
SELECT = f"SELECT {COLUMNS} FROM schedules"  # noqa: S608 - constants
PUT = f"""
    INSERT INTO schedules ({COLUMNS}, due_at) VALUES ({VALUES})
    ON CONFLICT ON CONSTRAINT schedules_pk DO UPDATE SET {CHANGES}
"""  # noqa: S608 - constants
# What is no timetable is its own rule.
DELETE_OTHERS_OF_RULE = """
    DELETE FROM schedules
    WHERE (id = $1 OR (rule_id = $1 AND form = 'timetable')) AND id <> ALL($2::text[])
"""
DELETE = "DELETE FROM schedules WHERE id = ANY($1::text[])"
DELETE_OF_ENVIRONMENT = "DELETE FROM schedules WHERE environment_id = $1"
OF_ENVIRONMENTS = f"{SELECT} WHERE environment_id = ANY($1::text[]) ORDER BY next_at, kind, id LIMIT $2"
TIMETABLES_OF = f"{SELECT} WHERE environment_id = ANY($1::text[]) AND form = 'timetable'"
LOCK = f"{SELECT} WHERE id = $1 FOR UPDATE"
# Replicas skip what another one is firing at this moment.
CLAIM_DUE = f"{SELECT} WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED"
ADVANCE = """
    UPDATE schedules SET next_at = due.next_at, due_at = due.due_at
    FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS due (id, next_at, due_at)
    WHERE schedules.id = due.id
"""
SET_RUNS = """
    UPDATE schedules
    SET running_at = runs.running_at, running_until = runs.running_until, waiting_at = runs.waiting_at
    FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[])
        AS runs (id, running_at, running_until, waiting_at)
    WHERE schedules.id = runs.id
"""
PAUSE = "UPDATE schedules SET paused_by = $2, due_at = $3 WHERE id = $1"
NEXT = "SELECT min(due_at) FROM schedules"


class Schedules:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def replace(self, rule_id: str, schedules: Sequence[Schedule]) -> None:
        """The schedules of a rule or definition are these from now on."""
        await self._connection.execute(DELETE_OTHERS_OF_RULE, rule_id, [one.id for one in schedules])
        await self._connection.executemany(PUT, [_row(schedule) for schedule in schedules])

    async def delete(self, ids: Sequence[str]) -> None:
        """These are done."""
        if ids:
            await self._connection.execute(DELETE, ids)

    async def delete_of(self, environment_id: str) -> None:
        await self._connection.execute(DELETE_OF_ENVIRONMENT, environment_id)

    async def of(self, environment_ids: Sequence[str], limit: int = 1000) -> list[Schedule]:
        """The schedules of these environments, the next one first."""
        return _schedules(await self._connection.fetch(OF_ENVIRONMENTS, list(environment_ids), limit))

    async def timetables_of(self, environment_ids: Sequence[str]) -> list[Schedule]:
        """The starts and stops of these environments."""
        if not environment_ids:
            return []
        return _schedules(await self._connection.fetch(TIMETABLES_OF, list(environment_ids)))

    async def lock(self, id: str) -> Schedule | None:
        """One schedule, which nobody else changes until the end of the transaction."""
        row = await self._connection.fetchrow(LOCK, id)
        return msgspec.convert(dict(row), Schedule) if row else None

    async def claim_due(self, now: datetime, limit: int) -> list[Schedule]:
        """What is due and nobody else is firing; it is ours until the end of the transaction."""
        return _schedules(await self._connection.fetch(CLAIM_DUE, now, limit))

    async def advance(self, schedules: Sequence[Schedule]) -> None:
        """They have had their turn: set when they are due again, and what runs and waits."""
        await self._set(ADVANCE, schedules, "id", "next_at", "due_at")
        following_runs = [one for one in schedules if one.overlap != Overlap.ALLOW]
        await self._set(SET_RUNS, following_runs, "id", "running_at", "running_until", "waiting_at")

    async def _set(self, statement: str, schedules: Sequence[Schedule], *columns: str) -> None:
        if schedules:
            await self._connection.execute(statement, *([getattr(one, name) for one in schedules] for name in columns))

    async def pause(self, schedule: Schedule) -> None:
        """Keep who paused it, or that nobody does."""
        await self._connection.execute(PAUSE, schedule.id, schedule.paused_by, schedule.due_at)

    async def next_at(self) -> datetime | None:
        """When the next one is due."""
        moment: datetime | None = await self._connection.fetchval(NEXT)
        return moment


def _row(schedule: Schedule) -> tuple[Any, ...]:
    return (*msgspec.structs.astuple(schedule), schedule.due_at)


def _schedules(rows: Sequence[object]) -> list[Schedule]:
    return [msgspec.convert(dict(row), Schedule) for row in rows]  # type: ignore[call-overload]
