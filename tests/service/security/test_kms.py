"""AWS KMS as the master key, against moto's server: data keys by owner, KMS away, and the way there from a key file."""

import os
import subprocess
import sys
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from slipway_security import DecryptionFailed, MasterKeyWrong
from slipway_security.keyring import KeyRing, LocalKey
from slipway_security.kms import KmsAway, KmsKey

REGION = "eu-west-3"


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedMotoServer]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def url(server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "for")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


@pytest.fixture
def key_id(url: str) -> str:
    return new_key(url)


def new_key(url: str) -> str:
    created = boto3.client("kms", region_name=REGION, endpoint_url=url).create_key()
    return str(created["KeyMetadata"]["KeyId"])


async def test_a_data_key_opens_for_its_owner_only_and_after_a_restart(url: str, key_id: str) -> None:
    keys = KeyRing(KmsKey(key_id, REGION, url))
    wrapped = await keys.new_data_key("one")
    ciphertext = (await keys.open(wrapped, "one")).encrypt(b"value", "row")
    after = KeyRing(KmsKey(key_id, REGION, url))
    assert (await after.open(wrapped, "one")).decrypt(ciphertext, "row") == b"value"
    for owner, text in (("two", wrapped), ("one", wrapped[:-1] + bytes([wrapped[-1] ^ 1]))):
        with pytest.raises(DecryptionFailed):
            await after.open(text, owner)


async def test_with_kms_away_what_is_in_use_goes_on_and_the_rest_says_so(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    own.start()
    host, port = own.get_host_and_port()
    there = f"http://{host}:{port}"
    keys = KeyRing(KmsKey(new_key(there), REGION, there), kept=1)
    first, second = await keys.new_data_key("one"), await keys.new_data_key("two")
    own.stop()
    assert await keys.open(second, "two")
    for attempt in (keys.open(first, "one"), keys.new_data_key("three")):
        with pytest.raises(KmsAway, match="can't be reached") as away:
            await attempt
        assert (away.value.kind, away.value.code) == ("unavailable", "secret.kms_unavailable")


async def test_a_key_that_is_not_there_says_so(url: str) -> None:
    with pytest.raises(MasterKeyWrong, match="NotFoundException"):
        await KeyRing(KmsKey("00000000-0000-0000-0000-000000000000", REGION, url)).new_data_key("one")


async def test_from_a_key_file_to_kms_and_from_one_key_to_the_next(url: str, key_id: str) -> None:
    local = LocalKey(os.urandom(32))
    wrapped = await KeyRing(local).new_data_key("one")
    ciphertext = (await KeyRing(local).open(wrapped, "one")).encrypt(b"value", "row")
    moving = KeyRing(KmsKey(key_id, REGION, url), local)
    assert (await moving.open(wrapped, "one")).decrypt(ciphertext, "row") == b"value"
    again = await moving.rewrap(wrapped, "one")
    assert again is not None
    assert await moving.rewrap(again, "one") is None
    assert (await KeyRing(KmsKey(key_id, REGION, url)).open(again, "one")).decrypt(ciphertext, "row") == b"value"
    with pytest.raises(DecryptionFailed, match="not configured"):
        await KeyRing(local).open(again, "one")
    # What an earlier key wrapped opens, and is wrapped by the present one.
    present = KeyRing(KmsKey(new_key(url), REGION, url))
    newest = await present.rewrap(again, "one")
    assert newest is not None
    assert newest[:9] != again[:9]
    assert (await present.open(newest, "one")).decrypt(ciphertext, "row") == b"value"


def test_boto3_is_not_imported_before_it_is_used() -> None:
    program = "import slipway_core.__main__, sys; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
