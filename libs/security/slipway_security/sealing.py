"""Sealed messages (HPKE, RFC 9180): anybody seals for a public key, the holder of the private key alone opens.

Each is bound to a context (`cluster id/task id`, a link id): opened for another one, it doesn't open.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from slipway_security.faults import DecryptionFailed, MasterKeyWrong
from slipway_security.keyfiles import read_key, write_key

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True, repr=False)
class KeyPair:
    """An X25519 key pair, 32 raw bytes each."""

    private: bytes
    public: bytes


def new_keypair() -> KeyPair:
    return keypair_of(X25519PrivateKey.generate().private_bytes_raw())


def keypair_of(private: bytes) -> KeyPair:
    """The pair of a private key; a key of the wrong length is refused."""
    try:
        public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    except ValueError as error:
        raise MasterKeyWrong(f"A private key has 32 bytes, this one has {len(private)}.") from error
    return KeyPair(private, public)


def load_keypair(path: str | os.PathLike[str]) -> KeyPair:
    """Read a private key file; refused like a master key when missing, short, weak or readable by others."""
    return keypair_of(read_key(path))


def load_or_create_keypair(path: str | os.PathLike[str]) -> KeyPair:
    """As `load_keypair`, made with mode 0600 when there is no file yet."""
    if not Path(path).exists():
        with contextlib.suppress(FileExistsError):
            write_key(path, new_keypair().private)
    return load_keypair(path)


def seal(public: bytes, plaintext: bytes, bound_to: str) -> bytes:
    """Encrypt for the holder of the private key, bound to a context."""
    return SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public), bound_to.encode())


def open_sealed(private: bytes, sealed: bytes, bound_to: str) -> bytes:
    """The plaintext; DecryptionFailed when changed, sealed for another key, or bound to another context."""
    try:
        return SUITE.decrypt(sealed, X25519PrivateKey.from_private_bytes(private), bound_to.encode())
    except (InvalidTag, ValueError, TypeError) as error:
        raise DecryptionFailed(
            "A sealed secret can't be opened: it was changed, or sealed for another key or place.", bound_to=bound_to
        ) from error
