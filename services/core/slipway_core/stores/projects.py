"""Projects: they hold environments, and name the first half of built-in repositories."""

from datetime import datetime
from typing import Any

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_core.stores.organizations import Used
from slipway_postgres import Connection, constraint_faults


class Project(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    organization_id: str
    name: str
    slug: str
    config: dict[str, Any]
    environments: int = 0
    version: int
    created_at: datetime
    updated_at: datetime


ADD = "INSERT INTO projects (id, organization_id, name, slug, config) VALUES ($1, $2, $3, $4, $5) RETURNING *"
SLUG_TAKEN = "SELECT EXISTS (SELECT FROM projects WHERE slug = $1)"
GET = """
    SELECT p.*, (SELECT count(*) FROM environments e WHERE e.project_id = p.id) AS environments
    FROM projects p WHERE p.id = $1
"""
LOCK = "SELECT * FROM projects WHERE id = $1 FOR UPDATE"
LIST = """
    SELECT p.*, (SELECT count(*) FROM environments e WHERE e.project_id = p.id) AS environments
    FROM projects p WHERE p.organization_id = $1 ORDER BY p.id
"""
UPDATE = """
    UPDATE projects SET name = $2, config = $3, version = version + 1, updated_at = now() WHERE id = $1
    RETURNING *, (SELECT count(*) FROM environments e WHERE e.project_id = $1) AS environments
"""
DELETE = "DELETE FROM projects WHERE id = $1"
USED_BY = "SELECT 'environment' AS kind, id, name FROM environments WHERE project_id = $1 ORDER BY name LIMIT 101"
STATS = """
    SELECT p.id AS project_id, count(DISTINCT e.id) AS environments, count(s.id) AS services
    FROM projects p LEFT JOIN environments e ON e.project_id = p.id LEFT JOIN services s ON s.environment_id = e.id
    WHERE p.organization_id = $1 GROUP BY p.id ORDER BY p.id
"""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    project_id: str
    environments: int
    services: int


class Projects:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, id: str, organization_id: str, name: str, slug: str, config: dict[str, Any]) -> Project:
        taken = {
            "projects_name": lambda: NameTaken("name", name, "a project"),
            "projects_slug": lambda: NameTaken("name", slug, "a repository folder"),
        }
        with constraint_faults(taken):
            row = await self._connection.fetchrow(ADD, id, organization_id, name, slug, rows.to_json(config))
        return rows.sure(row, Project)

    async def slug_taken(self, slug: str) -> bool:
        return bool(await self._connection.fetchval(SLUG_TAKEN, slug))

    async def get(self, id: str, lock: bool = False) -> Project | None:
        return rows.one(await self._connection.fetchrow(LOCK if lock else GET, id), Project)

    async def all(self, organization_id: str) -> list[Project]:
        return rows.many(await self._connection.fetch(LIST, organization_id), Project)

    async def update(self, id: str, name: str, config: dict[str, Any]) -> Project:
        with constraint_faults({"projects_name": lambda: NameTaken("name", name, "a project")}):
            return rows.sure(await self._connection.fetchrow(UPDATE, id, name, rows.to_json(config)), Project)

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE, id)

    async def used_by(self, id: str) -> list[Used]:
        return rows.many(await self._connection.fetch(USED_BY, id), Used)

    async def stats(self, organization_id: str) -> list[Stats]:
        return rows.many(await self._connection.fetch(STATS, organization_id), Stats)
