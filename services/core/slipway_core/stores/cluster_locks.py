"""Locks of clusters: who keeps others from changing one, and why."""

from datetime import datetime

import msgspec

from slipway_core.stores import rows
from slipway_postgres import Connection


class ClusterLock(msgspec.Struct, frozen=True, kw_only=True):
    cluster_id: str
    reason: str
    owner_name: str
    ttl_in_days: int | None
    locked_at: datetime


PUT = """
    INSERT INTO cluster_locks (cluster_id, reason, owner_name, ttl_in_days) VALUES ($1, $2, $3, $4)
    ON CONFLICT (cluster_id) DO UPDATE SET reason = excluded.reason, owner_name = excluded.owner_name,
        ttl_in_days = excluded.ttl_in_days, locked_at = now()
        WHERE cluster_locks.locked_at + cluster_locks.ttl_in_days * interval '1 day' <= now()
    RETURNING *
"""
GET = """
    SELECT * FROM cluster_locks
    WHERE cluster_id = $1 AND (ttl_in_days IS NULL OR locked_at + ttl_in_days * interval '1 day' > now())
"""
LIST = """
    SELECT l.* FROM cluster_locks l JOIN clusters c ON c.id = l.cluster_id
    WHERE c.organization_id = $1
        AND (l.ttl_in_days IS NULL OR l.locked_at + l.ttl_in_days * interval '1 day' > now())
    ORDER BY l.locked_at
"""
DELETE = "DELETE FROM cluster_locks WHERE cluster_id = $1 RETURNING cluster_id"


class ClusterLocks:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, cluster_id: str, reason: str, owner: str, ttl_in_days: int | None) -> ClusterLock | None:
        """Lock a cluster; None when it is locked already."""
        return rows.one(await self._connection.fetchrow(PUT, cluster_id, reason, owner, ttl_in_days), ClusterLock)

    async def get(self, cluster_id: str) -> ClusterLock | None:
        return rows.one(await self._connection.fetchrow(GET, cluster_id), ClusterLock)

    async def all(self, organization_id: str) -> list[ClusterLock]:
        return rows.many(await self._connection.fetch(LIST, organization_id), ClusterLock)

    async def delete(self, cluster_id: str) -> bool:
        return await self._connection.fetchval(DELETE, cluster_id) is not None
