"""What others asked to be told of, the newest version of each."""

from datetime import datetime

from slipway_postgres import Connection

# An older version, or anything for an environment that is gone, changes nothing and returns no row.
PUT = """
    INSERT INTO definitions (id, organization_id, environment_id, version, problem, changed_at)
    SELECT $1, $2, $3, $4, $5, $6
    WHERE NOT EXISTS (SELECT FROM gone_environments WHERE environment_id = $3)
    ON CONFLICT ON CONSTRAINT definitions_pk DO UPDATE
    SET organization_id = excluded.organization_id, environment_id = excluded.environment_id,
        version = excluded.version, problem = excluded.problem, changed_at = excluded.changed_at, deleted = false
    WHERE definitions.version < excluded.version
    RETURNING id
"""
DELETE = """
    INSERT INTO definitions (id, organization_id, environment_id, version, deleted, changed_at)
    VALUES ($1, $2, $3, $4, true, $5)
    ON CONFLICT ON CONSTRAINT definitions_pk DO UPDATE
    SET deleted = true, problem = '', version = excluded.version, changed_at = excluded.changed_at
    WHERE definitions.version <= excluded.version
    RETURNING id
"""
GIVE_UP = "UPDATE definitions SET problem = $2 WHERE id = $1"
DELETE_OF = "UPDATE definitions SET deleted = true, problem = '', changed_at = $2 WHERE environment_id = $1"
PROBLEM_OF = """
    SELECT problem FROM definitions WHERE environment_id = $1 AND environment_id <> '' AND problem <> '' LIMIT 1
"""
FORGET = """
    DELETE FROM definitions
    WHERE changed_at < $1 AND problem = '' AND NOT EXISTS (SELECT FROM schedules WHERE id = definitions.id)
"""


class Definitions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(
        self, id: str, organization_id: str, environment_id: str, version: int, problem: str, at: datetime
    ) -> bool:
        """Keep this version; False when it or a newer one is known, or its environment is gone."""
        arguments = (id, organization_id, environment_id, version, problem, at)
        return await self._connection.fetchval(PUT, *arguments) is not None

    async def delete(self, id: str, organization_id: str, environment_id: str, version: int, at: datetime) -> bool:
        """Take only newer versions of it from now on; False when one is known."""
        arguments = (id, organization_id, environment_id, version, at)
        return await self._connection.fetchval(DELETE, *arguments) is not None

    async def give_up(self, id: str, problem: str) -> None:
        """Say why this one can't be kept any more."""
        await self._connection.execute(GIVE_UP, id, problem)

    async def delete_of(self, environment_id: str, at: datetime) -> None:
        """Nothing of this environment is kept any more."""
        await self._connection.execute(DELETE_OF, environment_id, at)

    async def problem_of(self, environment_id: str) -> str:
        """Why something of the environment can't be kept, if so."""
        problem: str | None = await self._connection.fetchval(PROBLEM_OF, environment_id)
        return problem or ""

    async def forget(self, before: datetime) -> None:
        """Remove what is done since long."""
        await self._connection.execute(FORGET, before)
