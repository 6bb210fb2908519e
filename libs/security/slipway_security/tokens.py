"""API tokens: shown once, kept as a hash. 256 random bits need no slow hash."""

import hashlib
import secrets

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = 43  # characters of 62: 256 bits


def new_token(prefix: str = "slw") -> str:
    """A new token; the prefix lets scanners of leaked secrets recognise it."""
    return prefix + "_" + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def token_hash(token: str) -> str:
    """What is stored and looked up instead of the token (sha256, hex)."""
    return hashlib.sha256(token.encode()).hexdigest()
