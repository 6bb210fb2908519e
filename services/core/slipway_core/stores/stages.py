"""Deployment stages of an environment, in order; every service stands in exactly one."""

from datetime import datetime

import msgspec

from slipway_contracts.base import uuid7
from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_core.stores.organizations import Used
from slipway_postgres import Connection, constraint_faults

DEFAULTS = ("DATABASE DEFAULT", "JOB DEFAULT", "CONTAINER DEFAULT", "APPLICATION DEFAULT")
"""Made with every environment, in this order: what others need comes first."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    environment_id: str
    name: str
    description: str
    position: int
    version: int
    created_at: datetime
    updated_at: datetime


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A service in a stage."""

    id: str
    stage_id: str
    kind: str
    is_skipped: bool
    created_at: datetime
    updated_at: datetime


ADD = """
    INSERT INTO deployment_stages (id, environment_id, name, description, position)
    VALUES ($1, $2, $3, $4,
        (SELECT coalesce(max(position), 0) + 1 FROM deployment_stages WHERE environment_id = $2))
    RETURNING *
"""
GET = "SELECT * FROM deployment_stages WHERE id = $1"
LOCK = "SELECT * FROM deployment_stages WHERE id = $1 FOR UPDATE"
LIST = "SELECT * FROM deployment_stages WHERE environment_id = ANY($1::uuid[]) ORDER BY position"
DEFAULT_FOR = """
    SELECT id FROM deployment_stages WHERE environment_id = $1 ORDER BY (name = $2) DESC, position DESC LIMIT 1
"""
PLACED = """
    SELECT id, stage_id, kind, is_skipped, created_at, updated_at FROM services
    WHERE environment_id = $1 ORDER BY id
"""
UPDATE = """
    UPDATE deployment_stages SET name = $2, description = $3, version = version + 1, updated_at = now()
    WHERE id = $1 RETURNING *
"""
REORDER = """
    UPDATE deployment_stages d SET position = o.position, updated_at = now(), version = version + 1
    FROM unnest($2::uuid[]) WITH ORDINALITY AS o(id, position)
    WHERE d.id = o.id AND d.environment_id = $1 AND d.position <> o.position
"""
DELETE = "DELETE FROM deployment_stages WHERE id = $1"
USED_BY = "SELECT 'service' AS kind, id, name FROM services WHERE stage_id = $1 ORDER BY name LIMIT 101"


class Stages:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add_defaults(self, environment_id: str) -> None:
        for name in DEFAULTS:
            await self.add(uuid7(), environment_id, name, "")

    async def add(self, id: str, environment_id: str, name: str, description: str) -> Stage:
        """A new stage, after all others."""
        with constraint_faults({"deployment_stages_name": lambda: NameTaken("name", name, "a stage")}):
            row = await self._connection.fetchrow(ADD, id, environment_id, name, description)
        return rows.sure(row, Stage)

    async def get(self, id: str, lock: bool = False) -> Stage | None:
        return rows.one(await self._connection.fetchrow(LOCK if lock else GET, id), Stage)

    async def all(self, *environment_ids: str) -> list[Stage]:
        """The stages of environments, in order."""
        return rows.many(await self._connection.fetch(LIST, environment_ids), Stage)

    async def default_for(self, environment_id: str, kind: str) -> str:
        """Where a new service of this kind goes: its kind's default stage, or the last one where that was renamed."""
        return str(await self._connection.fetchval(DEFAULT_FOR, environment_id, f"{kind} DEFAULT"))

    async def placed(self, environment_id: str) -> list[Placed]:
        return rows.many(await self._connection.fetch(PLACED, environment_id), Placed)

    async def update(self, id: str, name: str, description: str) -> Stage:
        with constraint_faults({"deployment_stages_name": lambda: NameTaken("name", name, "a stage")}):
            return rows.sure(await self._connection.fetchrow(UPDATE, id, name, description), Stage)

    async def reorder(self, environment_id: str, ids: list[str]) -> None:
        """Put all stages of an environment into this order."""
        await self._connection.execute(REORDER, environment_id, ids)

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE, id)

    async def used_by(self, id: str) -> list[Used]:
        return rows.many(await self._connection.fetch(USED_BY, id), Used)
