"""Files that hold one 32-byte key, mode 0600. A file that others could read, or a weak key, is refused."""

import os
import stat
from pathlib import Path

from slipway_security.faults import MasterKeyWrong

KEY_BYTES = 32
LEAST_DISTINCT_BYTES = 8
"""32 random bytes with fewer distinct values happen once in 10²⁸ keys; typed ones happen daily."""


def write_key(path: str | os.PathLike[str], key: bytes) -> None:
    """Write a new key file; FileExistsError when there is one. It is whole or not there, also after a power cut."""
    final = Path(path)
    temporary = final.with_name(f".{final.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, final)
    finally:
        temporary.unlink()


def read_key(path: str | os.PathLike[str]) -> bytes:
    """The key in the file, or a MasterKeyWrong that says what is wrong with it."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise MasterKeyWrong(f"The key file {path} can't be read: {error.strerror}.") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise MasterKeyWrong(f"The key file {path} can be read by others: chmod 600 it, and replace the key.")
    check_key(key, str(path))
    return key


def check_key(key: bytes, name: str) -> None:
    """Refuse keys of the wrong length, and those that nobody drew at random."""
    if len(key) != KEY_BYTES:
        raise MasterKeyWrong(f"The key in {name} is not {KEY_BYTES} bytes long.")
    if len(set(key)) < LEAST_DISTINCT_BYTES:
        raise MasterKeyWrong(f"The key in {name} is weak: it is not random.")
