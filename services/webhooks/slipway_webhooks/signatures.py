"""Is this delivery from somebody who knows the link's secret? Over the raw bytes, in constant time.

A link without a usable secret verifies nothing, whatever is sent. All secrets are tried, whatever the first says.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

Headers = Mapping[str, str]

SHORTEST_SECRET_BYTES = 8
TOLERANCE_SECONDS = 300.0
"""How far a sender's clock may be from ours, where a scheme has a time."""
MOST_SIGNATURES = 8
"""Standard Webhooks lists several while a secret is rotated."""
HEX = re.compile(r"[0-9a-fA-F]{64}")
SECONDS = re.compile(r"[0-9]{1,12}")
STANDARD_PREFIX = b"whsec_"


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A delivery as it came, before anything is believed of it."""

    headers: Headers
    body: bytes
    token: str = ""
    """`token` of the address's query."""
    at: float = 0.0
    """When it came, in seconds since 1970."""


Proof = Callable[[Sent, Sequence[bytes]], bool]
"""Whether one of these secrets was known to the sender."""


def verified(body: bytes, given: str, secrets: Sequence[bytes]) -> bool:
    """Whether `given` (hex HMAC-SHA256) is right for one of the secrets."""
    if not HEX.fullmatch(given):
        return False
    signature = bytes.fromhex(given)
    right = False
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET_BYTES:
            right |= hmac.compare_digest(hmac.digest(secret, body, "sha256"), signature)
    return right


def header(*names: str, prefix: str = "") -> Callable[[Headers], str]:
    """Reads the first of these headers that is there, without a prefix that it must have."""

    def read(headers: Headers) -> str:
        for name in names:
            value = headers.get(name)
            if value is not None:
                return value[len(prefix) :] if value.startswith(prefix) else ""
        return ""

    return read


def signed(*names: str, prefix: str = "") -> Proof:
    """The hex HMAC-SHA256 of the body stands in the first of these headers."""
    read = header(*names, prefix=prefix)

    def proof(sent: Sent, secrets: Sequence[bytes]) -> bool:
        return verified(sent.body, read(sent.headers), secrets)

    return proof


def equal(given: str, secrets: Sequence[bytes]) -> bool:
    """Whether the secret itself was sent."""
    said = given.encode(errors="surrogatepass")
    right = False
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET_BYTES:
            right |= hmac.compare_digest(secret, said)
    return right


def in_header(name: str) -> Proof:
    """The secret itself stands in a header."""

    def proof(sent: Sent, secrets: Sequence[bytes]) -> bool:
        return equal(sent.headers.get(name, ""), secrets)

    return proof


def in_authorization_or_address(sent: Sent, secrets: Sequence[bytes]) -> bool:
    """The secret stands in `Authorization` (alone, or as Bearer), or in the address where no header can be set."""
    given = sent.headers.get("Authorization", "").removeprefix("Bearer ") or sent.token
    return equal(given, secrets)


def standard(sent: Sent, secrets: Sequence[bytes]) -> bool:
    """Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, one of several signatures, in a time near ours."""
    id, at = sent.headers.get("webhook-id", ""), sent.headers.get("webhook-timestamp", "")
    if not id or not SECONDS.fullmatch(at):
        return False
    signed_bytes = b".".join((id.encode(errors="surrogatepass"), at.encode(), sent.body))
    listed = sent.headers.get("webhook-signature", "").split(" ", MOST_SIGNATURES)[:MOST_SIGNATURES]
    given = [_decoded(one[3:]) for one in listed if one.startswith("v1,")]
    right = False
    for secret in secrets:
        for key in standard_keys(secret):
            wanted = hmac.digest(key, signed_bytes, "sha256")
            for signature in given:
                right |= hmac.compare_digest(wanted, signature)
    return right and abs(sent.at - int(at)) <= TOLERANCE_SECONDS


def standard_keys(secret: bytes) -> list[bytes]:
    """The keys that a secret may stand for: `whsec_<base64>` one; else its bytes and what they encode."""
    if secret.startswith(STANDARD_PREFIX):
        keys = [_decoded(secret[len(STANDARD_PREFIX) :].decode(errors="replace"))]
    else:
        keys = [secret, _decoded(secret.decode(errors="replace"))]
    return [key for key in keys if len(key) >= SHORTEST_SECRET_BYTES]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
