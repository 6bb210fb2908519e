"""Passwords, as scrypt hashes. Both functions take some 60 ms and 32 MiB: call them in a thread."""

import base64
import hashlib
import hmac
import os

LOG_N, R, P = 15, 8, 1
MAX_MEMORY_BYTES = 64 * 1024 * 1024
MAX_LOG_N = 17
"""A stored hash can't make us spend more than this."""


def hash_password(password: str) -> str:
    """`scrypt$<log n>$<r>$<p>$<salt>$<hash>`."""
    salt = os.urandom(16)
    parts = [base64.b64encode(part).decode() for part in (salt, _scrypt(password, salt, LOG_N, R, P))]
    return "$".join(["scrypt", str(LOG_N), str(R), str(P), *parts])


def verify_password(password: str, hash: str) -> bool:
    """Whether the password is the one. An empty or foreign hash verifies nothing, and takes as long."""
    try:
        name, log_n, r, p, salt, expected = hash.split("$")
        parameters = (int(log_n), int(r), int(p))
        stored = base64.b64decode(expected, validate=True)
        if name != "scrypt" or not stored or not 10 <= parameters[0] <= MAX_LOG_N or max(parameters[1:]) > 8:
            raise ValueError(name)
        return hmac.compare_digest(_scrypt(password, base64.b64decode(salt), *parameters), stored)
    except ValueError:
        _scrypt(password, b"as long as a real one", LOG_N, R, P)
        return False


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    encoded = password.encode(errors="surrogatepass")
    return hashlib.scrypt(encoded, salt=salt, n=1 << log_n, r=r, p=p, maxmem=4 * MAX_MEMORY_BYTES, dklen=32)
