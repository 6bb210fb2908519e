"""Clusters: where services run, and what their engines and agents last said."""

from datetime import datetime
from typing import Any

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_core.stores.organizations import Used
from slipway_postgres import Connection, constraint_faults


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    organization_id: str
    name: str
    kind: str
    """LOCAL, SELF_MANAGED."""
    config: dict[str, Any]
    public_key: bytes | None
    """Of the engine: what secrets are sealed for. None until its first hello."""
    engine_version: str
    engine_seen_at: datetime | None
    agent_version: str
    agent_seen_at: datetime | None
    capabilities: list[str]
    version: int
    created_at: datetime
    updated_at: datetime


ADD = """
    INSERT INTO clusters (id, organization_id, name, kind, config) VALUES ($1, $2, $3, $4, $5) RETURNING *
"""
GET = "SELECT * FROM clusters WHERE id = $1"
LOCK = "SELECT * FROM clusters WHERE id = $1 FOR UPDATE"
LIST = "SELECT * FROM clusters WHERE organization_id = $1 ORDER BY id"
UPDATE = """
    UPDATE clusters SET name = $2, config = $3, version = version + 1, updated_at = now() WHERE id = $1 RETURNING *
"""
DELETE = "DELETE FROM clusters WHERE id = $1"
USED_BY = """
    SELECT 'environment' AS kind, e.id, p.name || '/' || e.name AS name
    FROM environments e JOIN projects p ON p.id = e.project_id WHERE e.cluster_id = $1 ORDER BY 3 LIMIT 101
"""
ENGINE_SEEN = """
    UPDATE clusters SET engine_version = $2, capabilities = $3, public_key = $4,
        engine_seen_at = greatest(engine_seen_at, $5), version = version + $6
    WHERE id = $1
"""
AGENT_SEEN = """
    UPDATE clusters SET agent_version = $2, agent_seen_at = greatest(agent_seen_at, $3), version = version + $4
    WHERE id = $1
"""
ALL_IDS = "SELECT id FROM clusters ORDER BY id"


class Clusters:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, id: str, organization_id: str, name: str, kind: str, config: dict[str, Any]) -> Cluster:
        with constraint_faults({"clusters_name": lambda: NameTaken("name", name, "a cluster")}):
            row = await self._connection.fetchrow(ADD, id, organization_id, name, kind, rows.to_json(config))
        return rows.sure(row, Cluster)

    async def get(self, id: str, lock: bool = False) -> Cluster | None:
        return rows.one(await self._connection.fetchrow(LOCK if lock else GET, id), Cluster)

    async def all(self, organization_id: str) -> list[Cluster]:
        return rows.many(await self._connection.fetch(LIST, organization_id), Cluster)

    async def update(self, id: str, name: str, config: dict[str, Any]) -> Cluster:
        with constraint_faults({"clusters_name": lambda: NameTaken("name", name, "a cluster")}):
            return rows.sure(await self._connection.fetchrow(UPDATE, id, name, rows.to_json(config)), Cluster)

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE, id)

    async def used_by(self, id: str) -> list[Used]:
        return rows.many(await self._connection.fetch(USED_BY, id), Used)

    async def engine_seen(
        self, id: str, version: str, capabilities: list[str], public_key: bytes | None, at: datetime, news: bool
    ) -> None:
        """The engine said hello. `news`: more than the time changed."""
        listed = rows.to_json(capabilities)
        await self._connection.execute(ENGINE_SEEN, id, version, listed, public_key, at, int(news))

    async def agent_seen(self, id: str, version: str, at: datetime, news: bool) -> None:
        await self._connection.execute(AGENT_SEEN, id, version, at, int(news))

    async def all_ids(self) -> list[str]:
        return [str(row["id"]) for row in await self._connection.fetch(ALL_IDS)]
