"""Data keys: wrapped for their owner, opened from memory, and readable while the master key changes."""

import os
from pathlib import Path

import pytest

from slipway_security import DecryptionFailed, MasterKeyWrong, envelope
from slipway_security.keyring import PREVIOUS, KeyRing, LocalKey


def ring(key: bytes | None = None, kept: int = 10) -> KeyRing:
    return KeyRing(LocalKey(key or os.urandom(32)), kept=kept)


async def test_a_data_key_opens_for_its_owner_only() -> None:
    keys = ring()
    wrapped = await keys.new_data_key("one")
    ciphertext = (await keys.open(wrapped, "one")).encrypt(b"value", "row")
    assert (await keys.open(wrapped, "one")).decrypt(ciphertext, "row") == b"value"
    for owner, text in (("two", wrapped), ("one", wrapped[:-1]), ("one", b""), ("one", b"\x03" + wrapped[1:])):
        with pytest.raises(DecryptionFailed):
            await keys.open(text, owner)
    with pytest.raises(DecryptionFailed):
        (await keys.open(wrapped, "one")).decrypt(ciphertext, "another row")


async def test_what_was_wrapped_before_owners_were_bound_still_opens_and_is_bound_by_the_next_change() -> None:
    key = os.urandom(32)
    old = envelope.MasterKey(key)
    wrapped = old.new_data_key()
    ciphertext = old.encrypt(wrapped, b"value", "row")
    keys = ring(key)
    assert (await keys.open(wrapped, "one")).decrypt(ciphertext, "row") == b"value"
    bound = await keys.rewrap(wrapped, "one")
    assert bound is not None
    assert (await keys.open(bound, "one")).decrypt(ciphertext, "row") == b"value"
    assert await keys.rewrap(bound, "one") is None
    with pytest.raises(DecryptionFailed):
        await keys.open(bound, "two")


async def test_open_data_keys_are_bounded_in_number() -> None:
    keys = ring(kept=3)
    wrapped = [await keys.new_data_key(str(owner)) for owner in range(10)]
    assert len(keys._open) == 3
    assert repr(await keys.open(wrapped[0], "0")) == "DataKey()"
    assert len(keys._open) == 3


async def test_a_new_master_key_is_taken_over_while_the_one_before_still_opens(tmp_path: Path) -> None:
    path, new = tmp_path / "master.key", tmp_path / "new.key"
    envelope.create_master_key(path)
    serving = KeyRing(LocalKey.load(path), kept=1)
    wrapped = await serving.new_data_key("one")
    envelope.create_master_key(new)
    path.rename(tmp_path / f"master.key{PREVIOUS}")
    new.rename(path)
    changing = KeyRing(LocalKey.load(path))
    again = await changing.rewrap(wrapped, "one")
    assert again is not None
    for keys in (serving, changing):
        await keys.open(wrapped, "one")
        await keys.open(again, "one")
    # Who serves all the time wraps by the new key from now on, too.
    fresh = await serving.new_data_key("two")
    (tmp_path / f"master.key{PREVIOUS}").unlink()
    after = KeyRing(LocalKey.load(path))
    await after.open(again, "one")
    await after.open(fresh, "two")
    with pytest.raises(DecryptionFailed, match="master key"):
        await after.open(wrapped, "one")


async def test_a_key_file_that_vanishes_says_so(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    envelope.create_master_key(path)
    keys = KeyRing(LocalKey.load(path))
    path.unlink()
    with pytest.raises(MasterKeyWrong, match="gone"):
        await keys.new_data_key("one")
