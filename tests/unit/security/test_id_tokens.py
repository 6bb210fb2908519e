"""ID tokens: what is accepted, and every way to pretend."""

import base64
import hmac
import json
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from slipway_security.id_tokens import IdTokenRefused, KeyUnknown, identity_of, verify

PAST, FUTURE = 1_000_000_000, 4_000_000_000
ISSUER, CLIENT = "https://id.example.org", "slipway"
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
PUBLIC = [dict(key.as_dict(private=False)) for key in (RSA, EC, ED)]


def claims(**changes: Any) -> dict[str, Any]:
    now = time.time()
    given = {"iss": ISSUER, "aud": CLIENT, "sub": "s1", "iat": now, "exp": now + 60, "nonce": "n", **changes}
    return {name: value for name, value in given.items() if value is not None}


def signed(key: Any = RSA, algorithm: str = "RS256", header: dict[str, Any] | None = None, **changes: Any) -> str:
    head = {"alg": algorithm, "kid": key.kid, **(header or {})}
    return jwt.encode(
        {name: value for name, value in head.items() if value is not None},
        claims(**changes),
        key,
        algorithms=[algorithm],
    )


def check(token: str, keys: list[dict[str, Any]] = PUBLIC, nonce: str | None = "n") -> dict[str, Any]:
    return verify(token, keys, issuer=ISSUER, client_id=CLIENT, nonce=nonce, now=time.time())


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # issuers use that name all the same
@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS512"), (EC, "ES256"), (ED, "EdDSA"), (ED, "Ed25519")]
)
def test_a_signature_by_a_published_key_counts(key: Any, algorithm: str) -> None:
    assert check(signed(key, algorithm))["sub"] == "s1"


def test_a_set_of_one_key_needs_no_name() -> None:
    token = signed(header={"kid": None})
    assert check(token, PUBLIC[:1])["sub"] == "s1"
    with pytest.raises(IdTokenRefused, match="which key"):
        check(token, [PUBLIC[0], dict(OTHER.as_dict(private=False)) | {"kid": "x"}])


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"aud": "another"},
        {"aud": []},
        {"aud": None},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"azp": "another"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\0b"},
        {"exp": None},
        {"exp": PAST},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": None},
        {"iat": FUTURE},
        {"iat": PAST},
        {"nbf": FUTURE},
        {"nonce": None},
        {"nonce": "another"},
        {"nonce": ["n"]},
    ],
    ids=str,
)
def test_wrong_claims_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(IdTokenRefused):
        check(signed(**changes))


def test_several_audiences_are_fine_when_it_was_us_who_asked() -> None:
    assert check(signed(aud=[CLIENT, "another"], azp=CLIENT))


def test_a_device_login_has_no_nonce() -> None:
    assert check(signed(nonce=None), nonce=None)


def unsigned(algorithm: str = "none", signature: str = "") -> str:
    parts = [json.dumps(one).encode() for one in ({"alg": algorithm, "kid": "rsa"}, claims())]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "." + signature


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "RS256"])
def test_an_unsigned_token_is_refused(algorithm: str) -> None:
    with pytest.raises(IdTokenRefused):
        check(unsigned(algorithm))


def test_a_public_key_is_no_secret_to_sign_with() -> None:
    for secret in (RSA.as_pem(private=False), json.dumps(PUBLIC[0]).encode()):
        head, body, _ = unsigned("HS256").split(".")
        mark = hmac.digest(secret, f"{head}.{body}".encode(), "sha256")
        token = f"{head}.{body}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"
        with pytest.raises(IdTokenRefused, match="in a way"):
            check(token)


def test_a_token_brings_no_key_of_its_own() -> None:
    brought = {"jwk": dict(OTHER.as_dict(private=False))}
    with pytest.raises(IdTokenRefused):
        check(signed(OTHER, header=brought))
    with pytest.raises(IdTokenRefused):
        check(signed(OTHER, header={"kid": None} | brought), PUBLIC[:1])


def test_another_kind_of_key_under_the_same_name_is_unknown() -> None:
    with pytest.raises(KeyUnknown):
        check(signed(EC, "ES256", header={"kid": "rsa"}))
    with pytest.raises(KeyUnknown):
        check(signed(header={"kid": "new"}))
    with pytest.raises(KeyUnknown):
        check(signed(), [PUBLIC[0] | {"use": "enc"}])
    with pytest.raises(KeyUnknown):
        check(signed(), [PUBLIC[0] | {"alg": "RS512"}])


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "a.b.c.d.e", "é.é.é"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(IdTokenRefused):
        check(token)


def test_a_token_that_is_cut_or_grown_is_refused() -> None:
    for token in (signed()[:-3], signed() + "AAAA", signed() + "x" * 40_000):
        with pytest.raises(IdTokenRefused):
            check(token)


def test_a_changed_token_is_refused() -> None:
    head, body, signature = signed().split(".")
    other = json.loads(base64.urlsafe_b64decode(body + "==")) | {"sub": "somebody else"}
    forged = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip("=")
    with pytest.raises(IdTokenRefused):
        check(f"{head}.{forged}.{signature}")


@pytest.mark.parametrize("verified", [None, False, "false", 1, "yes", [True]])
def test_an_address_is_verified_only_when_the_issuer_says_so(verified: Any) -> None:
    said = {"sub": "s", "email": "a@b.c", "email_verified": verified}
    assert identity_of(ISSUER, said, {}).email_verified is False
    assert identity_of(ISSUER, said | {"email_verified": True}, {}).email_verified is True


def test_what_the_issuer_says_of_somebody_else_is_not_taken() -> None:
    more = {"sub": "other", "email": "a@b.c", "email_verified": True}
    assert identity_of(ISSUER, {"sub": "s"}, more).email == ""
    assert identity_of(ISSUER, {"sub": "s"}, more | {"sub": "s"}).email == "a@b.c"
    for said in ({"email_verified": False}, {}):
        mixed = identity_of(ISSUER, {"sub": "s", "email": "x@y.z"} | said, more | {"sub": "s"})
        assert (mixed.email, mixed.email_verified) == ("x@y.z", False)
    assert identity_of(ISSUER, {"sub": "s", "email": "a@b.c"}, more | {"sub": "s"}).email_verified
