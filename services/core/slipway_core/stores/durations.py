"""How long steps took: the last good runs of each service and kind of step."""

from collections.abc import Iterable

from slipway_postgres import Connection

KEPT = 9
"""Runs that count: few enough to follow a change, enough that one slow run doesn't matter."""
NOTE = """
    INSERT INTO step_durations (service_id, kind, seconds) SELECT id, $2, ARRAY[$3::double precision]
    FROM services WHERE id = $1
    ON CONFLICT (service_id, kind) DO UPDATE SET seconds = (excluded.seconds || step_durations.seconds)[1:$4]
"""
OF = "SELECT service_id, kind, seconds FROM step_durations WHERE service_id = ANY($1::uuid[])"


class Durations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def note(self, ended: Iterable[tuple[str, str, float]]) -> None:
        """(service id, kind, seconds) of steps that succeeded. One whose service is gone is left out."""
        rows = [(service_id, kind, seconds, KEPT) for service_id, kind, seconds in sorted(ended)]
        if rows:
            await self._connection.executemany(NOTE, rows)

    async def of_services(self, service_ids: Iterable[str]) -> dict[tuple[str, str], list[float]]:
        """(service id, kind) → seconds, newest first."""
        found = await self._connection.fetch(OF, list(service_ids))
        return {(str(row["service_id"]), row["kind"]): list(row["seconds"]) for row in found}
