"""What deployment rules say, the newest version of each, and which environments are gone."""

from datetime import datetime

import msgspec

from slipway_postgres import Connection
from slipway_scheduler.timetables import Timetable

# An older version, or anything after the deletion, changes nothing and returns no row.
PUT = """
    INSERT INTO timetables (rule_id, organization_id, environment_id, version, timetable, problem, changed_at)
    SELECT $1, $2, $3, $4, $5, $6, $7
    WHERE NOT EXISTS (SELECT FROM gone_environments WHERE environment_id = $3)
    ON CONFLICT ON CONSTRAINT timetables_pk DO UPDATE
    SET environment_id = excluded.environment_id, version = excluded.version, timetable = excluded.timetable,
        problem = excluded.problem, changed_at = excluded.changed_at
    WHERE timetables.version < excluded.version AND NOT timetables.deleted
    RETURNING rule_id
"""
DELETE = """
    INSERT INTO timetables (rule_id, organization_id, environment_id, version, deleted, timetable, changed_at)
    VALUES ($1, $2, $3, $4, true, '{}', $5)
    ON CONFLICT ON CONSTRAINT timetables_pk DO UPDATE SET deleted = true, changed_at = excluded.changed_at
"""
GIVE_UP = "UPDATE timetables SET problem = $2 WHERE rule_id = $1"
GONE = "INSERT INTO gone_environments (environment_id, gone_at) VALUES ($1, $2) ON CONFLICT DO NOTHING"
DELETE_OF = "UPDATE timetables SET deleted = true, changed_at = $2 WHERE environment_id = $1"
PROBLEM_OF = "SELECT problem FROM timetables WHERE environment_id = $1 AND NOT deleted AND problem <> '' LIMIT 1"


class Timetables:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(
        self,
        rule_id: str,
        organization_id: str,
        environment_id: str,
        version: int,
        timetable: Timetable,
        problem: str,
        at: datetime,
    ) -> bool:
        """Keep this version; False when a newer one is known, or the rule or its environment is gone."""
        text = msgspec.json.encode(timetable).decode()
        arguments = (rule_id, organization_id, environment_id, version, text, problem, at)
        return await self._connection.fetchval(PUT, *arguments) is not None

    async def delete(self, rule_id: str, organization_id: str, environment_id: str, version: int, at: datetime) -> None:
        """Never take news of this rule again."""
        await self._connection.execute(DELETE, rule_id, organization_id, environment_id, version, at)

    async def give_up(self, rule_id: str, problem: str) -> None:
        """Say why this one can't be kept any more."""
        await self._connection.execute(GIVE_UP, rule_id, problem)

    async def delete_of(self, environment_id: str, at: datetime) -> None:
        """Never take news of rules of this environment again."""
        await self._connection.execute(GONE, environment_id, at)
        await self._connection.execute(DELETE_OF, environment_id, at)

    async def problem_of(self, environment_id: str) -> str:
        """Why the environment's timetable can't be kept, if so."""
        problem: str | None = await self._connection.fetchval(PROBLEM_OF, environment_id)
        return problem or ""
