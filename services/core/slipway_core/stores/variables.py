"""Variables of projects, environments and services. A secret has ciphertext, bound to its row, instead of a value."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from slipway_core.problems import NameTaken
from slipway_core.stores import rows
from slipway_postgres import Connection, constraint_faults


class VariableRow(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    project_id: str | None
    environment_id: str | None
    service_id: str | None
    key: str
    type: str
    target_id: str | None = None
    target_key: str | None = None
    is_secret: bool = False
    value: str | None = None
    ciphertext: bytes | None = None
    data_key_id: str | None = None
    mount_path: str | None = None
    description: str = ""
    enable_interpolation_in_file: bool | None = None
    version: int = 1
    created_at: datetime
    updated_at: datetime
    bound_to: str = ""
    """What the ciphertext is bound to, where that isn't this row (built-in ones have none)."""

    @property
    def scope(self) -> str:
        """BUILT_IN, PROJECT, ENVIRONMENT, SERVICE."""
        if self.type == "BUILT_IN":
            return "BUILT_IN"
        return "SERVICE" if self.service_id else "ENVIRONMENT" if self.environment_id else "PROJECT"


ADD = """
    INSERT INTO variables (id, project_id, environment_id, service_id, key, type, target_id, target_key, is_secret,
        value, ciphertext, data_key_id, mount_path, description, enable_interpolation_in_file)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    RETURNING *
"""
GET = "SELECT * FROM variables WHERE id = $1"
LOCK = "SELECT * FROM variables WHERE id = $1 FOR UPDATE"
VISIBLE = """
    SELECT * FROM variables
    WHERE project_id = $1 OR environment_id = $2::uuid OR service_id = $3::uuid
    ORDER BY key, id
"""
UPDATE = """
    UPDATE variables SET key = $2, value = $3, ciphertext = $4, data_key_id = $5, mount_path = $6, description = $7,
        enable_interpolation_in_file = $8, is_secret = $9, type = $10, version = version + 1, updated_at = now()
    WHERE id = $1 RETURNING *
"""
DELETE = "DELETE FROM variables WHERE id = $1"
TARGETING = "SELECT * FROM variables WHERE target_id = $1 ORDER BY key"
KEYS_BELOW = """
    SELECT DISTINCT v.key FROM variables v
    LEFT JOIN services s ON s.id = v.service_id
    LEFT JOIN environments e ON e.id = coalesce(v.environment_id, s.environment_id)
    WHERE e.project_id = $1 AND ($2::uuid IS NULL OR e.id = $2)
"""
# Who may mention a key: secrets are looked into by the caller.
BELOW = """
    SELECT v.* FROM variables v
    LEFT JOIN services s ON s.id = v.service_id
    LEFT JOIN environments e ON e.id = coalesce(v.environment_id, s.environment_id)
    WHERE coalesce(v.project_id, e.project_id) = $1 AND ($2::uuid IS NULL OR e.id = $2)
        AND ($3::uuid IS NULL OR s.id = $3)
        AND (v.is_secret OR v.target_key = $4 OR strpos(v.value, '{{') > 0)
"""
VERSIONS = """
    SELECT v.id, v.project_id, v.environment_id, v.service_id, v.key, v.type, v.version, v.created_at, v.updated_at
    FROM variables v WHERE v.project_id = ANY($1::uuid[])
    UNION ALL
    SELECT v.id, v.project_id, v.environment_id, v.service_id, v.key, v.type, v.version, v.created_at, v.updated_at
    FROM variables v WHERE v.environment_id = ANY($2::uuid[])
    UNION ALL
    SELECT v.id, v.project_id, v.environment_id, v.service_id, v.key, v.type, v.version, v.created_at, v.updated_at
    FROM variables v JOIN services s ON s.id = v.service_id WHERE s.environment_id = ANY($2::uuid[])
"""
OF_ENVIRONMENT = """
    SELECT v.* FROM variables v LEFT JOIN services s ON s.id = v.service_id
    WHERE v.environment_id = $1 OR s.environment_id = $1 ORDER BY v.id
"""


class Variables:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, row: VariableRow) -> VariableRow:
        with constraint_faults({"variables_key": lambda: NameTaken("key", row.key, "a variable")}):
            added = await self._connection.fetchrow(
                ADD,
                row.id,
                row.project_id,
                row.environment_id,
                row.service_id,
                row.key,
                row.type,
                row.target_id,
                row.target_key,
                row.is_secret,
                row.value,
                row.ciphertext,
                row.data_key_id,
                row.mount_path,
                row.description,
                row.enable_interpolation_in_file,
            )
        return rows.sure(added, VariableRow)

    async def get(self, id: str, lock: bool = False) -> VariableRow | None:
        return rows.one(await self._connection.fetchrow(LOCK if lock else GET, id), VariableRow)

    async def visible(self, project_id: str, environment_id: str | None, service_id: str | None) -> list[VariableRow]:
        """What is written in a scope and in those around it (pass None for narrower ones)."""
        return rows.many(await self._connection.fetch(VISIBLE, project_id, environment_id, service_id), VariableRow)

    async def versions(self, project_ids: Iterable[str], environment_ids: Iterable[str]) -> list[VariableRow]:
        """What is written in projects, in environments and in their services, without values."""
        found = await self._connection.fetch(VERSIONS, list(project_ids), list(environment_ids))
        return rows.many(found, VariableRow)

    async def of_environment(self, environment_id: str) -> list[VariableRow]:
        """What is written in an environment and in its services, for a clone."""
        return rows.many(await self._connection.fetch(OF_ENVIRONMENT, environment_id), VariableRow)

    async def keys_below(self, project_id: str, environment_id: str | None) -> frozenset[str]:
        """Keys of narrower scopes: in any environment of the project, or in any service of the environment."""
        return frozenset(row["key"] for row in await self._connection.fetch(KEYS_BELOW, project_id, environment_id))

    async def that_may_mention(
        self, key: str, project_id: str, environment_id: str | None, service_id: str | None
    ) -> list[VariableRow]:
        """Variables of a scope and of those inside it that may need a key."""
        found = await self._connection.fetch(BELOW, project_id, environment_id, service_id, key)
        return rows.many(found, VariableRow)

    async def update(self, row: VariableRow) -> VariableRow:
        with constraint_faults({"variables_key": lambda: NameTaken("key", row.key, "a variable")}):
            updated = await self._connection.fetchrow(
                UPDATE,
                row.id,
                row.key,
                row.value,
                row.ciphertext,
                row.data_key_id,
                row.mount_path,
                row.description,
                row.enable_interpolation_in_file,
                row.is_secret,
                row.type,
            )
        return rows.sure(updated, VariableRow)

    async def delete(self, id: str) -> None:
        await self._connection.execute(DELETE, id)

    async def targeting(self, id: str) -> list[VariableRow]:
        """Aliases and overrides of a variable."""
        return rows.many(await self._connection.fetch(TARGETING, id), VariableRow)
