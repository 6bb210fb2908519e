"""Freezes: windows in which nothing is deployed, of an organization, a project or an environment."""

from datetime import datetime
from typing import Any

import msgspec

from slipway_core.freezes import Window
from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_postgres import Connection, constraint_faults


class Freeze(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    organization_id: str
    project_id: str | None
    environment_id: str | None
    name: str
    config: dict[str, Any]
    created_by: str
    created_at: datetime

    @property
    def window(self) -> Window:
        return msgspec.convert(self.config, Window)


ADD = """
    INSERT INTO freezes (id, organization_id, project_id, environment_id, name, config, created_by, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
"""
AROUND = """
    SELECT * FROM freezes
    WHERE organization_id = $1 AND (project_id IS NULL OR project_id = $2::uuid)
        AND (environment_id IS NULL OR environment_id = $3::uuid)
    ORDER BY created_at, id
"""
DELETE = "DELETE FROM freezes WHERE id = $1 AND organization_id = $2 RETURNING *"


class Freezes:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, freeze: Freeze) -> Freeze:
        with constraint_faults({"freezes_name": lambda: NameTaken("name", freeze.name, "a freeze")}):
            row = await self._connection.fetchrow(
                ADD,
                freeze.id,
                freeze.organization_id,
                freeze.project_id,
                freeze.environment_id,
                freeze.name,
                rows.to_json(freeze.config),
                freeze.created_by,
                freeze.created_at,
            )
        return rows.sure(row, Freeze)

    async def around(
        self, organization_id: str, project_id: str | None = None, environment_id: str | None = None
    ) -> list[Freeze]:
        """Those of a place and of what it stands in."""
        found = await self._connection.fetch(AROUND, organization_id, project_id, environment_id)
        return rows.many(found, Freeze)

    async def delete(self, id: str, organization_id: str) -> Freeze | None:
        return rows.one(await self._connection.fetchrow(DELETE, id, organization_id), Freeze)
