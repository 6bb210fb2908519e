"""Keys, all wrapped: data keys that encrypt rows, and the keys that sign logins."""

import msgspec

from slipway_contracts.base import uuid7
from slipway_core.stores import rows
from slipway_postgres import Connection


class StoredDataKey(msgspec.Struct, frozen=True, kw_only=True):
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
MANY = """
    SELECT id, wrapped FROM data_keys WHERE organization_id IS NOT DISTINCT FROM $1::uuid AND id = ANY($2::uuid[])
"""
# Whoever wraps a data key holds this until it is stored, so that a change of the master key, which locks the table
# harder, finds all that the one before wrapped.
BEFORE_NEW = "LOCK TABLE data_keys IN ROW EXCLUSIVE MODE"
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

    async def current(self, organization_id: str | None) -> StoredDataKey | None:
        """The data key that an organization (None: the platform) encrypts with now."""
        return rows.one(await self._connection.fetchrow(CURRENT, organization_id), StoredDataKey)

    async def before_new(self) -> None:
        """Call it before a data key is wrapped."""
        await self._connection.execute(BEFORE_NEW)

    async def add(self, organization_id: str | None, wrapped: bytes) -> StoredDataKey:
        """The organization's data key from now on; the one that another transaction made just before, if it did."""
        await self._connection.execute(ADD, uuid7(), organization_id, wrapped)
        return rows.sure(await self._connection.fetchrow(CURRENT, organization_id), StoredDataKey)

    async def wrapped(self, organization_id: str | None, ids: set[str]) -> dict[str, bytes]:
        """Data keys of an organization (None: of the platform) by id."""
        found = await self._connection.fetch(MANY, organization_id, list(ids)) if ids else []
        return {key.id: key.wrapped for key in rows.many(found, StoredDataKey)}

    async def signing(self, lock: bool = False) -> StoredSigningKey | None:
        """The key that signs logins now. `lock`: nobody else makes one before the end of this transaction."""
        if lock:
            await self._connection.execute(LOCK_SIGNING)
        return rows.one(await self._connection.fetchrow(SIGNING), StoredSigningKey)

    async def add_signing(self, kid: str, data_key_id: str, private_ciphertext: bytes, public_pem: str) -> None:
        await self._connection.execute(ADD_SIGNING, kid, data_key_id, private_ciphertext, public_pem)
