"""JWTs of people and engines, signed with Ed25519 by core; verifiers know the public keys by their ids.

A claim says who somebody is, never what they may do: rights come from the access copy, so that they can be taken back.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from slipway_contracts.base import uuid7
from slipway_errors import Unauthenticated

ALGORITHM = "Ed25519"
LEEWAY_SECONDS = 5.0
MAX_CHARACTERS = 8192


@dataclass(frozen=True)
class SigningKey:
    """A key pair in PEM; `kid` is its name in headers and in the access bucket."""

    kid: str
    private_pem: str
    public_pem: str

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"


def new_signing_key() -> SigningKey:
    key = OKPKey.generate_key("Ed25519")
    return SigningKey(uuid7(), key.as_pem(private=True).decode(), key.as_pem(private=False).decode())


def issue(key: SigningKey, subject: str, audience: str, lifetime_seconds: float, **claims: Any) -> str:
    """A signed token for `subject`, good for one audience and a limited time."""
    now = time.time()
    payload = {**claims, "sub": subject, "aud": audience, "iat": now, "exp": now + lifetime_seconds}
    return jwt.encode(
        {"alg": ALGORITHM, "kid": key.kid}, payload, OKPKey.import_key(key.private_pem), algorithms=[ALGORITHM]
    )


def verify(token: str, keys: Mapping[str, str], audience: str) -> dict[str, Any]:
    """The claims of a valid token; Unauthenticated for anything else. `keys`: kid → public key (PEM)."""
    try:
        if len(token) > MAX_CHARACTERS:
            raise ValueError("too long")
        decoded = jwt.decode(token, lambda unverified: _key(keys, unverified), algorithms=[ALGORITHM])
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise Unauthenticated("The login token is not valid: log in again.") from error
    _check(decoded.claims, audience)
    return decoded.claims


def _key(keys: Mapping[str, str], unverified: Any) -> OKPKey:
    return OKPKey.import_key(keys[unverified.headers()["kid"]])


def _check(claims: dict[str, Any], audience: str) -> None:
    now = time.time()
    issued, expires, subject = claims.get("iat"), claims.get("exp"), claims.get("sub")
    if not (isinstance(issued, int | float) and isinstance(expires, int | float) and isinstance(subject, str)):
        raise Unauthenticated("The login token lacks what it must say: log in again.")
    if claims.get("aud") != audience or not subject or issued > now + LEEWAY_SECONDS:
        raise Unauthenticated("The login token is not for here: log in again.")
    if expires < now:
        raise Unauthenticated("The login has expired: log in again.")
