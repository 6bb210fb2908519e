"""Short private directories for unix sockets, whose paths may have at most 107 bytes."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from slipway_embedded.problems import UnsafeDirectory


def run_directory(home: Path) -> Path:
    """The directory for the sockets of the platform that lives in `home`: short, 0700, ours, the same every time."""
    mark = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:10]
    return private_directory(_parent() / f"slipway-{os.geteuid()}-{mark}")


def private_directory(path: Path) -> Path:
    """Make the directory, or make sure that the one which is there is ours alone: never through a link."""
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UnsafeDirectory(f"{path} belongs to somebody else or is open to others: remove it, then start again.")
    return path


def _parent() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and len(runtime) <= 40 and os.access(runtime, os.W_OK | os.X_OK):
        return Path(runtime)
    temporary = Path(tempfile.gettempdir())
    return temporary if len(str(temporary)) <= 40 else Path("/tmp")  # noqa: S108 - only the parent of a 0700 directory
