"""The form of a backup file: one encrypted stream, in chunks of which none can be changed, dropped or moved unseen.

    magic 8 bytes · key id 8 bytes · salt 16 bytes · chunks: length 4 bytes, AES-256-GCM of at most 1 MiB

The key is derived from the recovery key and the salt. A chunk's nonce is its number; the last chunk is bound to being
the last one, and every chunk to the header.
"""

import base64
import hashlib
import io
import os
import struct
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from slipway_cli.problems import CommandFailed

MAGIC = b"SLIPWAY1"
CHUNK_BYTES = 1024 * 1024
TAG_BYTES = 16
HEADER_BYTES = 32
KEY_BYTES = 32


def parse_recovery_key(text: str) -> bytes:
    """The bytes of a recovery key as a person may type it."""
    letters = "".join(text.split()).replace("-", "").upper()
    try:
        key = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise CommandFailed("This is no recovery key: it has 52 letters and digits.", "backup.key_malformed", 7)
    return key


def key_id(key: bytes) -> bytes:
    """Tells keys apart without telling the key."""
    return hashlib.sha256(b"slipway backup key id" + key).digest()[:8]


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, b"slipway backup").derive(key))


class Sealer(io.RawIOBase):
    """Write the plain stream here; `close()` writes the last chunk."""

    def __init__(self, file: IO[bytes], key: bytes) -> None:
        salt = os.urandom(16)
        self._header = MAGIC + key_id(key) + salt
        self._cipher = _cipher(key, salt)
        self._file = file
        self._pending = bytearray()
        self._number = 0
        file.write(self._header)

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._pending += data
        while len(self._pending) > CHUNK_BYTES:
            self._chunk(bytes(self._pending[:CHUNK_BYTES]), last=False)
            del self._pending[:CHUNK_BYTES]
        return len(data)

    def finish(self) -> None:
        """The last chunk: without it the file can't be opened."""
        self._chunk(bytes(self._pending), last=True)
        self._pending.clear()

    def _chunk(self, data: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number), data, self._header + bytes([last]))
        self._file.write(struct.pack(">I", len(sealed)) + sealed)
        self._number += 1


class Opener(io.RawIOBase):
    """Read the plain stream from here. CommandFailed when the key is another one or the file was changed or cut."""

    def __init__(self, file: IO[bytes], key: bytes) -> None:
        self._header = read_header(file)
        if self._header[8:16] != key_id(key):
            raise CommandFailed(
                "This is not the recovery key of this backup: take the one of the platform that made it.",
                "backup.wrong_key",
                7,
            )
        self._cipher = _cipher(key, self._header[16:])
        self._file = file
        self._plain = b""
        self._number = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        while not self._plain and not self._ended:
            self._plain = self._next()
        count = min(len(buffer), len(self._plain))
        buffer[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _next(self) -> bytes:
        head = self._file.read(4)
        length = struct.unpack(">I", head)[0] if len(head) == 4 else 0
        if not TAG_BYTES <= length <= CHUNK_BYTES + TAG_BYTES:
            raise _damaged()
        sealed = self._file.read(length)
        if len(sealed) != length:
            raise _damaged()
        for last in (False, True):
            try:
                plain = self._cipher.decrypt(_nonce(self._number), sealed, self._header + bytes([last]))
            except InvalidTag:
                continue
            self._number += 1
            self._ended = last
            return plain
        raise _damaged()


def read_header(file: IO[bytes]) -> bytes:
    header = file.read(HEADER_BYTES)
    if len(header) != HEADER_BYTES or not header.startswith(MAGIC):
        raise CommandFailed("This file is no backup of a Slipway platform.", "backup.format", 7)
    return header


def is_for(path: Path, key: bytes) -> bool:
    with path.open("rb") as file:
        return read_header(file)[8:16] == key_id(key)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _damaged() -> CommandFailed:
    return CommandFailed("This backup was changed or cut off; nothing of it was taken.", "backup.damaged", 7)
