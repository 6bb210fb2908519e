"""The table `deliveries`: one row for everything that came to a known link."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from slipway_postgres import Connection

# One argument for many rows: encoding it costs a tenth of what a row's columns one by one do.
ADD = """
    INSERT INTO deliveries (id, link_id, organization_id, service_id, delivery_id, provider, event, verified, outcome,
        reason, status, repository, ref, after, bytes, milliseconds, address, received_at, replay_of)
    SELECT id, link_id, organization_id, service_id, delivery_id, provider, event, verified, outcome,
        reason, status, repository, ref, after, bytes, milliseconds, address, received_at, replay_of
    FROM json_populate_recordset(NULL::deliveries, $1::json)
"""
OF_ORGANIZATION = """
    SELECT id::text, link_id, organization_id, service_id, delivery_id, provider, event, verified, outcome, reason,
        status, repository, ref, after, bytes, milliseconds, address, received_at, replay_of
    FROM deliveries
    WHERE organization_id = $1 AND ($2::uuid IS NULL OR id < $2)
    ORDER BY id DESC LIMIT $3
"""
OF_LINK = """
    SELECT id::text, link_id, organization_id, service_id, delivery_id, provider, event, verified, outcome, reason,
        status, repository, ref, after, bytes, milliseconds, address, received_at, replay_of
    FROM deliveries
    WHERE link_id = $1 AND ($2::uuid IS NULL OR id < $2)
    ORDER BY id DESC LIMIT $3
"""
BY_ID = """
    SELECT id::text, link_id, organization_id, service_id, delivery_id, provider, event, verified, outcome, reason,
        status, repository, ref, after, bytes, milliseconds, address, received_at, replay_of
    FROM deliveries
    WHERE id = $1
"""
REMOVE_OLD = """
    DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE received_at < $1 LIMIT $2)
"""


NUL = rb"\u0000"
"""No text of Postgres may bear it."""
_encoder = msgspec.json.Encoder()


class Logged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One delivery as it was answered."""

    id: str
    link_id: str
    organization_id: str
    service_id: str = ""
    delivery_id: str = ""
    """The provider's id of it."""
    provider: str
    event: str = ""
    verified: bool
    outcome: str
    """accepted, ignored, refused, put_off."""
    reason: str = ""
    status: int
    """HTTP status of the answer."""
    repository: str = ""
    ref: str = ""
    after: str = ""
    bytes: int
    milliseconds: float
    address: str
    received_at: datetime
    replay_of: str = ""
    """Id of the entry that was sent again with this one."""


class Deliveries:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, entries: Sequence[Logged]) -> None:
        """Write many at once."""
        await self._connection.execute(ADD, _encoder.encode(entries).replace(NUL, b"").decode())

    async def get(self, id: str) -> Logged | None:
        """One line."""
        row = await self._connection.fetchrow(BY_ID, id)
        return msgspec.convert(dict(row), Logged) if row else None

    async def of_organization(self, organization_id: str, before: str | None, limit: int) -> list[Logged]:
        """The newest first, from before an id."""
        rows = await self._connection.fetch(OF_ORGANIZATION, organization_id, before, limit)
        return [msgspec.convert(dict(row), Logged) for row in rows]

    async def of_link(self, link_id: str, before: str | None, limit: int) -> list[Logged]:
        """The newest first, from before an id."""
        rows = await self._connection.fetch(OF_LINK, link_id, before, limit)
        return [msgspec.convert(dict(row), Logged) for row in rows]

    async def remove_old(self, before: datetime, limit: int) -> int:
        """Remove up to `limit` rows that are older; how many went."""
        done = await self._connection.execute(REMOVE_OLD, before, limit)
        return int(done.rpartition(" ")[2])
