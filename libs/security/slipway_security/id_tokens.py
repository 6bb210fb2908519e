"""ID tokens of OpenID Connect: whose signature, for whom, about whom, and when.

Only signatures by a key of the issuer's set count: no secrets as keys, no unsigned tokens, no keys that the token
itself brings. The issuer's set is chosen by who calls, never by the token.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from slipway_errors import Unauthenticated

KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
LEEWAY_SECONDS = 30.0
OLDEST_SECONDS = 600.0
"""A token that was issued longer ago than a login may take is not from this login."""
MAX_CHARACTERS = 32_768
MAX_SUBJECT = 255


class IdTokenRefused(Unauthenticated):
    """The identity provider's answer is not valid."""

    code = "auth.id_token_refused"


class KeyUnknown(IdTokenRefused):
    """The identity provider signed with a key that it doesn't publish."""

    code = "auth.id_token_key_unknown"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody, as an issuer knows them. `subject` never changes and is never given to another; an address may be."""

    issuer: str
    subject: str
    email: str = ""
    email_verified: bool = False
    name: str = ""


def verify(
    token: str, keys: Sequence[Mapping[str, Any]], *, issuer: str, client_id: str, nonce: str | None, now: float
) -> dict[str, Any]:
    """The claims of a valid ID token; KeyUnknown when `keys` may be old, IdTokenRefused for anything else.

    `nonce`: what this login asked for; None where a flow has none (device code).
    """
    try:
        if len(token) > MAX_CHARACTERS or token.count(".") != 2:
            raise IdTokenRefused("The ID token is none.")
        header = jws.extract_compact(token.encode()).headers()
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise IdTokenRefused("The ID token is not signed in a way that is accepted.")
        key = _key(keys, header, algorithm)
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=[algorithm]).claims
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IdTokenRefused("The ID token's signature is not valid.") from error
    _check(claims, issuer, client_id, nonce, now)
    return claims


def _key(keys: Sequence[Mapping[str, Any]], header: Mapping[str, Any], algorithm: str) -> Key:
    fitting = [one for one in keys if _fits(one, algorithm)]
    if "kid" in header:
        fitting = [one for one in fitting if one.get("kid") == header["kid"]]
    if not fitting:
        raise KeyUnknown("The ID token is signed with a key that its issuer doesn't publish.")
    if len(fitting) > 1:
        raise IdTokenRefused("The ID token doesn't say which key it is signed with.")
    return JWKRegistry.import_key({name: value for name, value in fitting[0].items() if name != "key_ops"})


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    return (
        key.get("kty") == KEY_TYPES[algorithm[:2]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) in (algorithm, "EdDSA" if algorithm == "Ed25519" else algorithm)
    )


def _check(claims: Mapping[str, Any], issuer: str, client_id: str, nonce: str | None, now: float) -> None:
    subject, audience = claims.get("sub"), claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != issuer:
        raise IdTokenRefused("The ID token is of another issuer.")
    if client_id not in audiences or claims.get("azp", client_id) != client_id:
        raise IdTokenRefused("The ID token is for another client.")
    if len(audiences) > 1 and "azp" not in claims:
        raise IdTokenRefused("The ID token is for several clients, and doesn't say which one asked for it.")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        raise IdTokenRefused("The ID token doesn't say whom it is about.")
    _check_times(claims, now)
    if nonce is not None and not hmac.compare_digest(str(claims.get("nonce", "")), nonce):
        raise IdTokenRefused("The ID token is not from this login.")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued, begins = (_time(claims.get(name)) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None or (begins is None and "nbf" in claims):
        raise IdTokenRefused("The ID token doesn't say when it is valid.")
    if expires < now - LEEWAY_SECONDS or issued < now - OLDEST_SECONDS:
        raise IdTokenRefused("The ID token has expired.")
    if issued > now + LEEWAY_SECONDS or (begins or 0) > now + LEEWAY_SECONDS:
        raise IdTokenRefused("The ID token is from the future: compare the clocks of both machines.")


def _time(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def identity_of(issuer: str, claims: Mapping[str, Any], more: Mapping[str, Any]) -> Identity:
    """Who it is. `more`: what the issuer says beside the token (userinfo), if it is about the same subject."""
    about = more if more.get("sub") == claims["sub"] else {}
    # The token is signed, so it wins; but an address and whether it is verified are taken from one place.
    email, verified = claims.get("email"), claims.get("email_verified")
    if not email or (verified is None and email == about.get("email")):
        email, verified = about.get("email"), about.get("email_verified")
    name = claims.get("name") or about.get("name")
    return Identity(
        issuer=issuer,
        subject=claims["sub"],
        email=email.strip() if isinstance(email, str) else "",
        # Some issuers say it as a text. An address without the claim is not verified.
        email_verified=verified is True or verified == "true",
        name=name[:128] if isinstance(name, str) and name.isprintable() else "",
    )
