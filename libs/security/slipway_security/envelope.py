"""Encryption at rest by envelope: the master key wraps data keys (one per organization), these encrypt values.

AES-256-GCM throughout, a fresh nonce each time, every ciphertext bound to its place, so that a row copied elsewhere
doesn't decrypt.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from slipway_security.faults import DecryptionFailed
from slipway_security.keyfiles import check_key, read_key, write_key

FORMAT = b"\x01"
NONCE_BYTES = 12
KEPT_DATA_KEYS = 1024
DATA_KEY = "slipway data key"


def create_master_key(path: str | os.PathLike[str]) -> None:
    """Make a master key file with mode 0600; FileExistsError when there is one."""
    write_key(path, os.urandom(32))


class MasterKey:
    """The key that wraps all data keys. Whoever has it and the database has every secret."""

    def __init__(self, key: bytes) -> None:
        check_key(key, "the given master key")
        self._cipher = AESGCM(key)
        self._data_keys: dict[bytes, AESGCM] = {}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "MasterKey":
        """Read the key file; MasterKeyWrong says which when it is missing, short, weak or readable by others."""
        return cls(read_key(path))

    def new_data_key(self) -> bytes:
        """A new data key, wrapped: to be stored beside what it encrypts."""
        return _encrypt(self._cipher, os.urandom(32), DATA_KEY)

    def encrypt(self, wrapped: bytes, plaintext: bytes, bound_to: str) -> bytes:
        """Encrypt under a wrapped data key, bound to a place such as `<organization>/<variable id>`."""
        return _encrypt(self._data_key(wrapped), plaintext, bound_to)

    def decrypt(self, wrapped: bytes, ciphertext: bytes, bound_to: str) -> bytes:
        """The plaintext; DecryptionFailed when key, text or place are not those of the encryption."""
        return _decrypt(self._data_key(wrapped), ciphertext, bound_to)

    def _data_key(self, wrapped: bytes) -> AESGCM:
        cipher = self._data_keys.get(wrapped)
        if cipher is None:
            cipher = AESGCM(_decrypt(self._cipher, wrapped, DATA_KEY))
            if len(self._data_keys) >= KEPT_DATA_KEYS:
                self._data_keys.clear()
            self._data_keys[wrapped] = cipher
        return cipher


def encrypt(key: bytes, plaintext: bytes, bound_to: str) -> bytes:
    """Encrypt by a 32-byte key, bound to a place."""
    return _encrypt(AESGCM(key), plaintext, bound_to)


def decrypt(key: bytes, ciphertext: bytes, bound_to: str) -> bytes:
    """The plaintext; DecryptionFailed when key, text or place are not those of the encryption."""
    return _decrypt(AESGCM(key), ciphertext, bound_to)


def _encrypt(cipher: AESGCM, plaintext: bytes, bound_to: str) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return FORMAT + nonce + cipher.encrypt(nonce, plaintext, bound_to.encode())


def _decrypt(cipher: AESGCM, ciphertext: bytes, bound_to: str) -> bytes:
    nonce, rest = ciphertext[1 : 1 + NONCE_BYTES], ciphertext[1 + NONCE_BYTES :]
    try:
        if ciphertext[:1] != FORMAT:
            raise ValueError("unknown format")
        return cipher.decrypt(nonce, rest, bound_to.encode())
    except (InvalidTag, ValueError) as error:
        what = "data key (is this the master key it was made with?)" if bound_to == DATA_KEY else "secret"
        raise DecryptionFailed(f"A stored {what} can't be decrypted.", bound_to=bound_to) from error
