"""The outbox, filled with a whole batch of firings by one statement."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from slipway_contracts.schedules import FIRED, Fired
from slipway_postgres import Connection
from slipway_scheduler.outcomes import LATE, Firing

# A message that is alone in its aggregate may be sent by who adds it: the relay leaves it alone until then.
ADD = """
    INSERT INTO outbox (id, aggregate, subject, payload, retry_at)
    SELECT one.id, one.aggregate, one.subject, one.payload,
        CASE WHEN one.alone AND NOT EXISTS (SELECT FROM outbox WHERE outbox.aggregate = one.aggregate)
            THEN now() + $6 * interval '1 second' ELSE now() END
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::boolean[])
        AS one (id, aggregate, subject, payload, alone)
    RETURNING sequence, id, retry_at > now() AS held
"""
# Lost in a crash, it is sent again under the same id: not worth waiting for the disk.
DONT_WAIT = "SET LOCAL synchronous_commit = off"
DELETE = "DELETE FROM outbox WHERE sequence = ANY($1::bigint[])"


class Told(msgspec.Struct, frozen=True):
    """A message in the outbox that who added it is to send."""

    sequence: int
    id: str
    subject: str
    payload: bytes


class News:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, firings: Sequence[Firing], now: datetime, held_seconds: float) -> list[Told]:
        """Tell of these when the transaction commits, each once, under an id made of schedule and nominal time.

        Gives what the relay leaves alone for so long, for the caller to send after the commit.
        """
        if not firings:
            return []
        aggregates = [one.schedule.environment_id or one.schedule.id for one in firings]
        counted = Counter(aggregates)
        messages = {_id(one): (FIRED.subject(kind=one.schedule.kind), _payload(one, now)) for one in firings}
        rows = await self._connection.fetch(
            ADD,
            list(messages),
            aggregates,
            [subject for subject, _ in messages.values()],
            [payload for _, payload in messages.values()],
            [counted[aggregate] == 1 and held_seconds > 0 for aggregate in aggregates],
            held_seconds,
        )
        return [Told(row["sequence"], row["id"], *messages[row["id"]]) for row in rows if row["held"]]

    async def sent(self, sequences: Sequence[int]) -> None:
        """These are in the stream."""
        await self._connection.execute(DONT_WAIT)
        await self._connection.execute(DELETE, sequences)


def _id(firing: Firing) -> str:
    return f"{firing.schedule.id}.{firing.nominal_at.isoformat()}"


def _payload(firing: Firing, now: datetime) -> bytes:
    schedule = firing.schedule
    message = Fired(
        schedule_id=schedule.id,
        kind=schedule.kind,
        organization_id=schedule.organization_id,
        environment_id=schedule.environment_id,
        service_id=schedule.service_id,
        nominal_at=firing.nominal_at,
        fired_at=now,
        reason=schedule.reason,
        late=firing.outcome == LATE,
        cancel_running=firing.cancel_running,
        body=msgspec.json.decode(schedule.body, type=dict[str, str]) if schedule.body != "{}" else {},
    )
    return msgspec.json.encode(message)
