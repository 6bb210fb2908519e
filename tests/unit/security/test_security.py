"""Secrets: what refuses, and what never yields an empty value."""

import base64
import os
import stat
import time
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_errors import Unauthenticated
from slipway_security import DecryptionFailed, MasterKeyWrong, envelope, jwt, passwords, sealing, tokens
from slipway_security.masking import Masker


def test_tokens_differ_and_are_found_by_their_hash() -> None:
    first, second = tokens.new_token(), tokens.new_token("git")
    assert first.startswith("slw_")
    assert second.startswith("git_")
    assert tokens.token_hash(first) != tokens.token_hash(second)
    assert len(tokens.token_hash(first)) == 64


def test_password_verifies_only_itself() -> None:
    stored = passwords.hash_password("correct horse")
    assert passwords.verify_password("correct horse", stored)
    assert not passwords.verify_password("correct horsf", stored)
    assert "correct" not in stored


@pytest.mark.parametrize("stored", ["", "scrypt$15$8$1$$", "plain", "scrypt$30$8$1$AA==$AA==", "md5$15$8$1$AA==$AA=="])
def test_foreign_or_empty_hash_verifies_nothing(stored: str) -> None:
    assert not passwords.verify_password("", stored)


def test_sealed_opens_only_with_the_key_and_in_the_place() -> None:
    pair, other = sealing.new_keypair(), sealing.new_keypair()
    sealed = sealing.seal(pair.public, b"value", "cluster/task")
    assert sealing.open_sealed(pair.private, sealed, "cluster/task") == b"value"
    for private, text, place in [
        (other.private, sealed, "cluster/task"),
        (pair.private, sealed, "cluster/other"),
        (pair.private, sealed[:-1] + bytes([sealed[-1] ^ 1]), "cluster/task"),
        (pair.private, b"", "cluster/task"),
        (pair.private, sealed[:40], "cluster/task"),
        (b"short", sealed, "cluster/task"),
    ]:
        with pytest.raises(DecryptionFailed):
            sealing.open_sealed(private, text, place)


@given(st.binary(max_size=200))
def test_envelope_gives_back_what_was_put_in(plaintext: bytes) -> None:
    master = envelope.MasterKey(os.urandom(32))
    wrapped = master.new_data_key()
    ciphertext = master.encrypt(wrapped, plaintext, "organization/variable")
    assert master.decrypt(wrapped, ciphertext, "organization/variable") == plaintext
    assert not plaintext or len(plaintext) < 4 or plaintext not in ciphertext


def test_envelope_refuses_other_place_other_key_changed_and_empty() -> None:
    master = envelope.MasterKey(os.urandom(32))
    wrapped, other = master.new_data_key(), master.new_data_key()
    ciphertext = master.encrypt(wrapped, b"value", "a")
    for data_key, text, place in [
        (wrapped, ciphertext, "b"),
        (other, ciphertext, "a"),
        (wrapped, ciphertext[:-1], "a"),
        (wrapped, b"", "a"),
        (wrapped, b"\x02" + ciphertext[1:], "a"),
        (wrapped[:-1], ciphertext, "a"),
    ]:
        with pytest.raises(DecryptionFailed):
            master.decrypt(data_key, text, place)
    with pytest.raises(DecryptionFailed, match="master key"):
        envelope.MasterKey(os.urandom(32)).decrypt(wrapped, ciphertext, "a")


def test_master_key_file_is_private_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    envelope.create_master_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        envelope.create_master_key(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["master.key"]
    envelope.MasterKey.load(path)


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (None, 0o600, "can't be read"),
        (b"", 0o600, "32 bytes"),
        (b"x" * 31, 0o600, "32 bytes"),
        (bytes(range(33)), 0o600, "32 bytes"),
        (b"\0" * 32, 0o600, "weak"),
        (b"password" * 4, 0o600, "weak"),
        (bytes(range(32)), 0o640, "read by others"),
        (bytes(range(32)), 0o604, "read by others"),
    ],
)
def test_bad_master_key_is_refused_and_says_why(tmp_path: Path, content: bytes | None, mode: int, says: str) -> None:
    path = tmp_path / "master.key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(MasterKeyWrong, match=says) as refused:
        envelope.MasterKey.load(path)
    assert str(path) in refused.value.detail


CHARACTERS = st.characters(exclude_categories=("Cs", "Cc"))
SECRET = st.text(alphabet=CHARACTERS, min_size=4).filter(lambda text: len(text.strip()) > 3)


@given(SECRET, st.text(max_size=20), st.text(max_size=20))
def test_masked_text_has_the_secret_in_no_form(secret: str, before: str, after: str) -> None:
    masker = Masker([secret])
    for form in (
        secret,
        base64.b64encode(secret.encode()).decode(),
        base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
    ):
        assert "***" in masker.mask(before + form + after)


def test_mask_takes_the_longest_first_and_leaves_short_values() -> None:
    masker = Masker(["secret", "secret-longer", "abc", ""])
    assert masker.mask("secret-longer secret abc") == "*** *** abc"
    assert Masker([]).mask("text") == "text"


def test_mask_finds_the_secret_inside_longer_base64_and_lines_of_a_key() -> None:
    masker = Masker(["hunter2-hunter2", "-----BEGIN-----\nMIIEvQIBADANBg\n-----END-----"])
    header = base64.b64encode(b"user:hunter2-hunter2").decode()
    assert "***" in masker.mask(f"Authorization: Basic {header}")
    assert masker.mask("line: MIIEvQIBADANBg") == "line: ***"


def test_jwt_verifies_only_for_its_audience_key_and_time() -> None:
    key, other = jwt.new_signing_key(), jwt.new_signing_key()
    keys = {key.kid: key.public_pem}
    token = jwt.issue(key, "user-1", "slipway-api", 60, sid="s1")
    assert jwt.verify(token, keys, "slipway-api")["sid"] == "s1"
    header, payload, signature = token.split(".")
    forged = base64.urlsafe_b64encode(b'{"alg":"none","kid":"%s"}' % key.kid.encode()).decode().rstrip("=")
    for bad, known, audience in [
        (token, keys, "slipway-git"),
        (token, {}, "slipway-api"),
        (token, {key.kid: other.public_pem}, "slipway-api"),
        (jwt.issue(key, "user-1", "slipway-api", -1), keys, "slipway-api"),
        (jwt.issue(key, "", "slipway-api", 60), keys, "slipway-api"),
        (f"{forged}.{payload}.", keys, "slipway-api"),
        (f"{header}.{payload}.{signature[:-4]}AAAA", keys, "slipway-api"),
        ("", keys, "slipway-api"),
        ("a.b.c", keys, "slipway-api"),
        ("x" * 100_000, keys, "slipway-api"),
    ]:
        with pytest.raises(Unauthenticated):
            jwt.verify(bad, known, audience)


def test_signing_key_hides_itself() -> None:
    assert "PRIVATE" not in repr(jwt.new_signing_key())


def test_claims_have_fractions_so_that_a_login_right_after_a_revocation_counts() -> None:
    key = jwt.new_signing_key()
    revoked = datetime.now(UTC)
    claims = jwt.verify(jwt.issue(key, "u", "a", 60), {key.kid: key.public_pem}, "a")
    assert timedelta(0) <= datetime.fromtimestamp(claims["iat"], UTC) - revoked + timedelta(microseconds=1)
    assert claims["iat"] <= time.time()
