"""Keys change while everything serves: new data keys and rows moved to them, or a new master key around them.

A rotation that was cut off is taken up where it stood: what is left to do is what the tables say. Readers find the
old keys as long as any row needs one, and for an hour more.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import structlog

from slipway_core.app import PLATFORM, SYSTEM, Work, new_data_key, utc_now
from slipway_core.stores.rotations import PARTS, Encrypted, OwnedKey, Part, Rotations
from slipway_errors import Busy, Fault
from slipway_postgres import Pool, transaction
from slipway_security import DecryptionFailed
from slipway_security.keyfiles import write_key
from slipway_security.keyring import PREVIOUS, DataKey, KeyRing

BATCH = 200
WAIT_SECONDS = 60.0
"""For rows that others hold."""
AGAIN_SECONDS = 0.2
REMOVAL_SECONDS = 600.0
Moved = tuple[str, str, list[bytes | None]]
"""Row id, data key, texts."""
log = structlog.get_logger()


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """What a rotation did."""

    data_keys: int = 0
    """New ones."""
    rows: int = 0
    """Encrypted anew."""
    undecryptable: int = 0
    """Rows left as they are, with their old key: the log names them."""
    rewrapped: int = 0
    """Data keys wrapped by the new master key."""


async def rotate_data_keys(pool: Pool, ring: KeyRing) -> Rotated:
    """A new data key for every organization and the platform, and every row encrypted with it."""
    async with _rotations(pool) as store:
        id = await store.begin()
        due = await store.due()
    made = 0
    for key in due:
        made += await _renew(pool, ring, key)
    moved, left = await move_rows(pool, ring)
    async with _rotations(pool) as store:
        await store.end(id)
    return Rotated(data_keys=made, rows=moved - left, undecryptable=left)


@asynccontextmanager
async def _rotations(pool: Pool) -> AsyncIterator[Rotations]:
    async with transaction(pool) as connection:
        yield Rotations(connection)


async def _renew(pool: Pool, ring: KeyRing, key: OwnedKey) -> bool:
    async with transaction(pool) as connection:
        work = Work(connection, SYSTEM, utc_now())
        await work.keys.before_new()
        if not await Rotations(connection).retire(key.id):
            return False
        await new_data_key(work, ring, key.organization_id)
    return True


async def move_rows(pool: Pool, ring: KeyRing) -> tuple[int, int]:
    """Encrypt whatever was written with retired keys with the present ones: rows done, rows that can't be decrypted."""
    async with _rotations(pool) as store:
        retired = await store.retired()
    parts = [await _Move(pool, ring, part, retired).all() for part in PARTS] if retired else []
    return sum(done for done, _ in parts), sum(left for _, left in parts)


class _Move:
    """The rows of one table."""

    def __init__(self, pool: Pool, ring: KeyRing, part: Part, retired: dict[str, OwnedKey]) -> None:
        self._pool = pool
        self._ring = ring
        self._part = part
        self._retired = retired
        self._left: list[str] = []

    async def all(self) -> tuple[int, int]:
        keys, done, waited = list(self._retired), 0, 0.0
        while True:
            if count := await self._batch(keys):
                done, waited = done + count, 0.0
                continue
            async with _rotations(self._pool) as store:
                if not await store.is_used(self._part, keys, self._left):
                    return done, len(self._left)
            if waited >= WAIT_SECONDS:
                raise Busy(f"Rows of {self._part.table} are held by others: start it again, it goes on where it stood.")
            await asyncio.sleep(AGAIN_SECONDS)
            waited += AGAIN_SECONDS

    async def _batch(self, keys: list[str]) -> int:
        async with transaction(self._pool) as connection:
            store, work = Rotations(connection), Work(connection, SYSTEM, utc_now())
            taken = await store.take(self._part, keys, BATCH, self._left)
            moved = [row for row in [await self._moved(work, row) for row in taken] if row is not None]
            await store.put(self._part, moved)
            await store.touch([row.data_key_id for row in taken])
        return len(taken)

    async def _moved(self, work: Work, row: Encrypted) -> Moved | None:
        """The row anew; None for one that can't be decrypted, which stays as it is, and so does its key."""
        old = self._retired[row.data_key_id]
        owner = old.organization_id or PLATFORM
        present = await work.keys.current(old.organization_id) or await new_data_key(
            work, self._ring, old.organization_id
        )
        now = await self._ring.open(present.wrapped, owner)
        bound_to = f"{self._part.prefix}/{row.bound_id}"
        try:
            before = await self._ring.open(old.wrapped, owner)
            return row.id, present.id, [_again(before, now, text, bound_to) for text in row.texts]
        except DecryptionFailed as fault:
            log.error("row can't be decrypted", row=bound_to, reason=fault.detail)
            self._left.append(row.id)
            return None


def _again(before: DataKey, now: DataKey, text: bytes | None, bound_to: str) -> bytes | None:
    return None if text is None else now.encrypt(before.decrypt(text, bound_to), bound_to)


async def remove_old_keys(pool: Pool, ring: KeyRing, stopping: asyncio.Event) -> None:
    """Finish what a rotation left, and remove retired keys that nothing needs, until `stopping`."""
    while not stopping.is_set():
        try:
            moved, _ = await move_rows(pool, ring)
            async with _rotations(pool) as store:
                removed = await store.forget()
            if moved or removed:
                log.info("data keys tidied", rows=moved, removed=removed)
        except Fault as fault:
            log.warning("data keys can't be tidied", reason=fault.detail, code=fault.code)
        try:
            async with asyncio.timeout(REMOVAL_SECONDS):
                await stopping.wait()
        except TimeoutError:
            continue


async def rewrap_data_keys(pool: Pool, ring: KeyRing) -> Rotated:
    """Every data key wrapped by the present master key: most of them while others go on, the rest under a lock."""
    rewrapped = 0
    async with _rotations(pool) as store:
        rewrapped += await _rewrap(store, ring)
    async with _rotations(pool) as store:
        await store.lock()
        rewrapped += await _rewrap(store, ring)
    return Rotated(rewrapped=rewrapped)


async def _rewrap(store: Rotations, ring: KeyRing) -> int:
    count = 0
    for key in await store.every():
        wrapped = await ring.rewrap(key.wrapped, key.organization_id or PLATFORM)
        if wrapped is not None:
            await store.rewrapped(key, wrapped)
            count += 1
    return count


def begin_new_master_key(path: Path) -> None:
    """Put a new key into the file, and the one before beside it; where that was done and cut off, nothing."""
    previous = path.with_name(path.name + PREVIOUS)
    if not previous.exists():
        os.link(path, previous)
    if previous.samefile(path):
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        write_key(new, os.urandom(32))
        new.replace(path)


def end_new_master_key(path: Path) -> None:
    """Nothing is wrapped by the key before any more."""
    path.with_name(path.name + PREVIOUS).unlink()
