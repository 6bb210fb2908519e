"""Who wraps data keys: a local key file, AWS KMS, or both while moving from one to the other.

A wrapped data key is bound to its owner (an organization, or the platform), so that one put into another's row doesn't
open. Opened keys stay in memory, a bounded number of them: with KMS away, what is in use goes on.
"""

import os
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from slipway_security.envelope import DATA_KEY, FORMAT, decrypt, encrypt
from slipway_security.faults import DecryptionFailed, MasterKeyWrong
from slipway_security.keyfiles import check_key, read_key

KEPT_DATA_KEYS = 1024
OWNED = b"\x02"
"""Before data keys wrapped by a local key and bound to their owner; older ones begin with FORMAT and are not."""
DATA_KEY_BYTES = 32
PREVIOUS = ".previous"
"""Beside the key file while a new master key takes over: what the one before wrapped still opens."""
MASTER = "data key (is this the master key it was made with?)"


class DataKey:
    """An opened data key. Values are bound to their row."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "DataKey()"

    def encrypt(self, plaintext: bytes, bound_to: str) -> bytes:
        return encrypt(self._key, plaintext, bound_to)

    def decrypt(self, ciphertext: bytes, bound_to: str) -> bytes:
        """The plaintext; DecryptionFailed when key, text or place are not those of the encryption."""
        return decrypt(self._key, ciphertext, bound_to)


class Wrapper(Protocol):
    """Wraps data keys, and opens those that it or its predecessors wrapped."""

    async def new(self, owner: str) -> tuple[bytes, bytes]:
        """A new data key: plain, and wrapped."""

    async def wrap(self, plain: bytes, owner: str) -> bytes: ...

    async def unwrap(self, wrapped: bytes, owner: str) -> bytes: ...

    def opens(self, wrapped: bytes) -> bool:
        """Whether this is the form that it wraps in."""

    async def is_present(self, wrapped: bytes, owner: str) -> bool:
        """Whether it was wrapped by the present master key, in the present form."""


class LocalKey:
    """Master key in a file (mode 0600), and beside it the one before (`.previous`) while they change over."""

    def __init__(self, key: bytes, path: Path | None = None) -> None:
        check_key(key, "the given master key" if path is None else str(path))
        self._keys = [key]
        self._path = path
        self._seen: tuple[tuple[int, int], ...] = ()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "LocalKey":
        """Read the key file; MasterKeyWrong says which when it is missing, short, weak or readable by others."""
        local = cls(read_key(path), Path(path))
        local._look()
        return local

    async def new(self, owner: str) -> tuple[bytes, bytes]:
        plain = os.urandom(DATA_KEY_BYTES)
        return plain, await self.wrap(plain, owner)

    async def wrap(self, plain: bytes, owner: str) -> bytes:
        self._look()
        return OWNED + encrypt(self._keys[0], plain, _bound(owner))

    async def unwrap(self, wrapped: bytes, owner: str) -> bytes:
        try:
            return self._tried(wrapped, owner)
        except DecryptionFailed:
            if not self._look():
                raise
            return self._tried(wrapped, owner)

    def opens(self, wrapped: bytes) -> bool:
        return wrapped[:1] in (OWNED, FORMAT)

    async def is_present(self, wrapped: bytes, owner: str) -> bool:
        self._look()
        try:
            return wrapped[:1] == OWNED and bool(decrypt(self._keys[0], wrapped[1:], _bound(owner)))
        except DecryptionFailed:
            return False

    def _tried(self, wrapped: bytes, owner: str) -> bytes:
        for key in self._keys:
            try:
                if wrapped[:1] == OWNED:
                    return decrypt(key, wrapped[1:], _bound(owner))
                return decrypt(key, wrapped, DATA_KEY)
            except DecryptionFailed:
                continue
        raise DecryptionFailed(f"A stored {MASTER} can't be decrypted.", bound_to=_bound(owner))

    def _look(self) -> bool:
        """Read the files again if they changed; whether they did."""
        if self._path is None:
            return False
        paths = (self._path, self._path.with_name(self._path.name + PREVIOUS))
        seen = tuple(_stamp(path) for path in paths)
        if seen == self._seen:
            return False
        self._keys = [read_key(path) for path in paths if path.exists()]
        if not self._keys:
            raise MasterKeyWrong(f"The key file {self._path} is gone.")
        self._seen = seen
        return True


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _bound(owner: str) -> str:
    return f"{DATA_KEY} of {owner}"


class KeyRing:
    """The present wrapper, those whose data keys still open, and the data keys that are open now."""

    def __init__(self, present: Wrapper, *others: Wrapper, kept: int = KEPT_DATA_KEYS) -> None:
        self._present = present
        self._wrappers = (present, *others)
        self._kept = kept
        self._open: OrderedDict[tuple[bytes, str], DataKey] = OrderedDict()

    async def new_data_key(self, owner: str) -> bytes:
        """A new data key, wrapped: to be stored beside what it encrypts."""
        plain, wrapped = await self._present.new(owner)
        self._keep(wrapped, owner, DataKey(plain))
        return wrapped

    async def open(self, wrapped: bytes, owner: str) -> DataKey:
        """The data key, from memory if it was used before; DecryptionFailed when it isn't this owner's."""
        known = self._open.get((wrapped, owner))
        if known is None:
            return self._keep(wrapped, owner, DataKey(await self._unwrapped(wrapped, owner)))
        self._open.move_to_end((wrapped, owner))
        return known

    async def rewrap(self, wrapped: bytes, owner: str) -> bytes | None:
        """The same data key wrapped by the present master key; None when it is already."""
        if await self._present.is_present(wrapped, owner):
            return None
        return await self._present.wrap(await self._unwrapped(wrapped, owner), owner)

    async def _unwrapped(self, wrapped: bytes, owner: str) -> bytes:
        for wrapper in self._wrappers:
            if wrapper.opens(wrapped):
                return await wrapper.unwrap(wrapped, owner)
        raise DecryptionFailed(
            "A stored data key was wrapped by a kind of master key that is not configured here.", bound_to=owner
        )

    def _keep(self, wrapped: bytes, owner: str, key: DataKey) -> DataKey:
        self._open[wrapped, owner] = key
        while len(self._open) > self._kept:
            self._open.popitem(last=False)
        return key
