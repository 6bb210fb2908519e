"""Keys, all wrapped: data keys that encrypt rows, and the keys that sign logins."""

import msgspec

from slipway_contracts.base import uuid7
from slipway_core.stores import rows
from slipway_postgres import Connection


class DataKey(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    wrapped: bytes


class StoredSigningKey(msgspec.Struct, frozen=True, kw_only=True):
    kid: str
    wrapped: bytes
    private_ciphertext: bytes
    public_pem: str


CURRENT = """
    SELECT id, wrapped FROM data_keys WHERE organization_id IS NOT DISTINCT FROM $1::uuid AND retired_at IS NULL
"""
ADD = """
    INSERT INTO data_keys (id, organization_id, wrapped) VALUES ($1, $2, $3)
    ON CONFLICT (organization_id) WHERE retired_at IS NULL DO NOTHING
"""
MANY = "SELECT id, wrapped FROM data_keys WHERE id = ANY($1::uuid[])"
ADD_SIGNING = """
    INSERT INTO signing_keys (kid, data_key_id, private_ciphertext, public_pem) VALUES ($1, $2, $3, $4)
"""
SIGNING = """
    SELECT s.kid, k.wrapped, s.private_ciphertext, s.public_pem
    FROM signing_keys s JOIN data_keys k ON k.id = s.data_key_id WHERE s.retired_at IS NULL
    ORDER BY s.created_at DESC LIMIT 1
"""
LOCK_SIGNING = "SELECT pg_advisory_xact_lock(511901)"


class Keys:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def current(self, organization_id: str | None, new: "bytes | None" = None) -> DataKey | None:
        """The data key that an organization (None: the platform) encrypts with now; made from `new` when missing."""
        row = await self._connection.fetchrow(CURRENT, organization_id)
        if row is None and new is not None:
            await self._connection.execute(ADD, uuid7(), organization_id, new)
            row = await self._connection.fetchrow(CURRENT, organization_id)
        return rows.one(row, DataKey)

    async def wrapped(self, ids: set[str]) -> dict[str, bytes]:
        """Data keys by id."""
        found = rows.many(await self._connection.fetch(MANY, list(ids)), DataKey) if ids else []
        return {key.id: key.wrapped for key in found}

    async def signing(self, lock: bool = False) -> StoredSigningKey | None:
        """The key that signs logins now. `lock`: nobody else makes one before the end of this transaction."""
        if lock:
            await self._connection.execute(LOCK_SIGNING)
        return rows.one(await self._connection.fetchrow(SIGNING), StoredSigningKey)

    async def add_signing(self, kid: str, data_key_id: str, private_ciphertext: bytes, public_pem: str) -> None:
        await self._connection.execute(ADD_SIGNING, kid, data_key_id, private_ciphertext, public_pem)
