"""Services of every kind: one row each. What a kind has of its own lies in `config`, as the public API names it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_postgres import Connection, constraint_faults


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `services`."""

    id: str
    environment_id: str
    kind: str
    """APPLICATION, CONTAINER, DATABASE, JOB."""
    name: str
    label: str
    stage_id: str
    is_skipped: bool = False
    config: dict[str, Any]
    advanced: dict[str, Any] = {}
    """Advanced settings that differ from their defaults."""
    auto_deploy: bool
    version: int
    fence: int
    created_at: datetime
    updated_at: datetime


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A service with the names of where it stands, for lists over an organization."""

    id: str
    kind: str
    name: str
    config: dict[str, Any]
    environment_id: str
    environment_name: str
    project_id: str
    project_name: str
    mode: str
    cluster_id: str
    cluster_name: str


ADD = """
    INSERT INTO services (id, environment_id, kind, name, label, stage_id, config, auto_deploy, created_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (label) DO NOTHING
    RETURNING *
"""
GET = "SELECT * FROM services WHERE id = $1"
LOCK = "SELECT * FROM services WHERE id = $1 FOR UPDATE"
LIST = "SELECT * FROM services WHERE environment_id = $1 AND ($2::text IS NULL OR kind = $2) ORDER BY id"
OF_ENVIRONMENTS = "SELECT * FROM services WHERE environment_id = ANY($1::uuid[]) ORDER BY id"
UPDATE = """
    UPDATE services SET name = $2, config = $3, auto_deploy = $4, version = version + 1, updated_at = now()
    WHERE id = $1 RETURNING *
"""
SET_ADVANCED = """
    UPDATE services SET advanced = $2, version = version + 1, updated_at = now() WHERE id = $1 RETURNING *
"""
MOVE = """
    UPDATE services SET stage_id = $2, is_skipped = $3, version = version + 1, updated_at = now() WHERE id = $1
"""
DELETE = "DELETE FROM services WHERE id = $1"
SEARCH = """
    SELECT s.id, s.kind, s.name, s.config, e.id AS environment_id, e.name AS environment_name, p.id AS project_id,
        p.name AS project_name, e.mode, c.id AS cluster_id, c.name AS cluster_name
    FROM services s JOIN environments e ON e.id = s.environment_id JOIN projects p ON p.id = e.project_id
        JOIN clusters c ON c.id = e.cluster_id
    WHERE p.organization_id = $1 AND ($2::uuid IS NULL OR p.id = $2) AND ($3::uuid IS NULL OR e.id = $3)
        AND ($4::uuid IS NULL OR c.id = $4)
    ORDER BY s.id
"""


class Services:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self,
        id: str,
        environment_id: str,
        kind: str,
        name: str,
        label: str,
        stage_id: str,
        config: dict[str, Any],
        auto_deploy: bool,
        by: str | None,
    ) -> Service | None:
        """A new service; None when the label is taken in the platform."""
        with constraint_faults({"services_name": lambda: NameTaken("name", name, "a service")}):
            listed = rows.to_json(config)
            row = await self._connection.fetchrow(
                ADD, id, environment_id, kind, name, label, stage_id, listed, auto_deploy, by
            )
        return rows.one(row, Service)

    async def get(self, id: str, lock: bool = False) -> Service | None:
        return rows.one(await self._connection.fetchrow(LOCK if lock else GET, id), Service)

    async def of_environment(self, environment_id: str, kind: str | None = None) -> list[Service]:
        """The services of an environment, oldest first."""
        return rows.many(await self._connection.fetch(LIST, environment_id, kind), Service)

    async def of_environments(self, environment_ids: Iterable[str]) -> list[Service]:
        """The services of several environments, oldest first."""
        return rows.many(await self._connection.fetch(OF_ENVIRONMENTS, list(environment_ids)), Service)

    async def update(self, id: str, name: str, config: dict[str, Any], auto_deploy: bool) -> Service:
        with constraint_faults({"services_name": lambda: NameTaken("name", name, "a service")}):
            row = await self._connection.fetchrow(UPDATE, id, name, rows.to_json(config), auto_deploy)
        return rows.sure(row, Service)

    async def set_advanced(self, id: str, advanced: dict[str, Any]) -> Service:
        return rows.sure(await self._connection.fetchrow(SET_ADVANCED, id, rows.to_json(advanced)), Service)

    async def move(self, id: str, stage_id: str, is_skipped: bool) -> None:
        """Put a service into a stage."""
        await self._connection.execute(MOVE, id, stage_id, is_skipped)

    async def delete(self, id: str) -> None:
        """Remove a service and what is only its own: variables, Git link."""
        await self._connection.execute(DELETE, id)

    async def search(
        self,
        organization_id: str,
        project_id: str | None = None,
        environment_id: str | None = None,
        cluster_id: str | None = None,
    ) -> list[Found]:
        found = await self._connection.fetch(SEARCH, organization_id, project_id, environment_id, cluster_id)
        return rows.many(found, Found)
