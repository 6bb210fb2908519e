"""Environments of projects, each on one cluster."""

from datetime import datetime
from typing import Any

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_core.stores.organizations import Used
from slipway_postgres import Connection, constraint_faults


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    project_id: str
    cluster_id: str
    name: str
    mode: str
    config: dict[str, Any]
    last_updated_by: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    organization_id: str
    cluster_name: str
    cluster_kind: str
    cluster_config: dict[str, Any]
    project_name: str
    services: int


ADD = """
    INSERT INTO environments (id, project_id, cluster_id, name, mode, last_updated_by) VALUES ($1, $2, $3, $4, $5, $6)
"""
LIST = """
    SELECT e.*, p.organization_id, p.name AS project_name, c.name AS cluster_name,
        c.kind AS cluster_kind, c.config AS cluster_config,
        (SELECT count(*) FROM services s WHERE s.environment_id = e.id) AS services
    FROM environments e JOIN projects p ON p.id = e.project_id JOIN clusters c ON c.id = e.cluster_id
    WHERE ($1::uuid IS NULL OR e.id = $1) AND ($2::uuid IS NULL OR e.project_id = $2)
      AND ($3::uuid IS NULL OR p.organization_id = $3) AND ($4::uuid IS NULL OR e.cluster_id = $4)
    ORDER BY e.id
"""
LOCK = "SELECT id FROM environments WHERE id = $1 FOR UPDATE"
UPDATE = """
    UPDATE environments SET name = $2, mode = $3, last_updated_by = $4, version = version + 1, updated_at = now()
    WHERE id = $1
"""
DELETE = "DELETE FROM environments WHERE id = $1"
USED_BY = "SELECT 'service' AS kind, id, name FROM services WHERE environment_id = $1 ORDER BY name LIMIT 101"
DEFAULT_CLUSTER = "SELECT id FROM clusters WHERE organization_id = $1 ORDER BY id LIMIT 1"


class Environments:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, id: str, project_id: str, cluster_id: str, name: str, mode: str, by: str | None) -> Environment:
        with constraint_faults({"environments_name": lambda: NameTaken("name", name, "an environment")}):
            await self._connection.execute(ADD, id, project_id, cluster_id, name, mode, by)
        return await self.sure(id)

    async def get(self, id: str, lock: bool = False) -> Environment | None:
        if lock:
            await self._connection.execute(LOCK, id)
        found = rows.many(await self._connection.fetch(LIST, id, None, None, None), Environment)
        return found[0] if found else None

    async def sure(self, id: str) -> Environment:
        found = await self.get(id)
        assert found is not None
        return found

    async def all(
        self, project_id: str | None = None, organization_id: str | None = None, cluster_id: str | None = None
    ) -> list[Environment]:
        found = await self._connection.fetch(LIST, None, project_id, organization_id, cluster_id)
        return rows.many(found, Environment)

    async def update(self, id: str, name: str, mode: str, by: str | None) -> Environment:
        with constraint_faults({"environments_name": lambda: NameTaken("name", name, "an environment")}):
            await self._connection.execute(UPDATE, id, name, mode, by)
        return await self.sure(id)

    async def delete(self, id: str) -> None:
        """Remove an environment and what is only its own: stages, variables, its rule."""
        await self._connection.execute(DELETE, id)

    async def used_by(self, id: str) -> list[Used]:
        return rows.many(await self._connection.fetch(USED_BY, id), Used)

    async def default_cluster(self, organization_id: str) -> str | None:
        """The oldest cluster of an organization."""
        found = await self._connection.fetchval(DEFAULT_CLUSTER, organization_id)
        return None if found is None else str(found)
