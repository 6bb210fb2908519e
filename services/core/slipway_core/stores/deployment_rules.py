"""Deployment rules: the ordered patterns of a project, the one timetable of an environment."""

from datetime import datetime
from typing import Any

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_postgres import Connection, constraint_faults


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    project_id: str | None
    environment_id: str | None
    position: int
    name: str
    config: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime


ADD = """
    INSERT INTO deployment_rules (id, project_id, environment_id, position, name, config)
    VALUES ($1, $2, $3,
        (SELECT coalesce(max(position), 0) + 1 FROM deployment_rules WHERE project_id = $2), $4, $5)
    RETURNING *
"""
GET = "SELECT * FROM deployment_rules WHERE id = $1 FOR UPDATE"
OF_ENVIRONMENT = "SELECT * FROM deployment_rules WHERE environment_id = $1"
OF_PROJECT = "SELECT * FROM deployment_rules WHERE project_id = $1 ORDER BY position"
UPDATE = """
    UPDATE deployment_rules SET name = $2, config = $3, version = version + 1, updated_at = now() WHERE id = $1
    RETURNING *
"""
REORDER = """
    UPDATE deployment_rules d SET position = o.position, version = version + 1, updated_at = now()
    FROM unnest($2::uuid[]) WITH ORDINALITY AS o(id, position)
    WHERE d.id = o.id AND d.project_id = $1
"""
DELETE = "DELETE FROM deployment_rules WHERE id = $1"


class DeploymentRules:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(
        self, id: str, project_id: str | None, environment_id: str | None, name: str, config: dict[str, Any]
    ) -> Rule:
        with constraint_faults({"deployment_rules_name": lambda: NameTaken("name", name, "a rule")}):
            row = await self._connection.fetchrow(ADD, id, project_id, environment_id, name, rows.to_json(config))
        return rows.sure(row, Rule)

    async def get(self, id: str) -> Rule | None:
        return rows.one(await self._connection.fetchrow(GET, id), Rule)

    async def of_environment(self, environment_id: str) -> Rule | None:
        return rows.one(await self._connection.fetchrow(OF_ENVIRONMENT, environment_id), Rule)

    async def of_project(self, project_id: str) -> list[Rule]:
        return rows.many(await self._connection.fetch(OF_PROJECT, project_id), Rule)

    async def update(self, id: str, name: str, config: dict[str, Any]) -> Rule:
        with constraint_faults({"deployment_rules_name": lambda: NameTaken("name", name, "a rule")}):
            return rows.sure(await self._connection.fetchrow(UPDATE, id, name, rows.to_json(config)), Rule)

    async def reorder(self, project_id: str, ids: list[str]) -> None:
        await self._connection.execute(REORDER, project_id, ids)

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE, id)
