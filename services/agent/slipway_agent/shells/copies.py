"""A fresh copy of a service's files, for a shell that looks around and may change what it likes.

Invariant: nothing that is done in a copy is seen by the service; a copy goes with its session.
"""

import os
import shutil
import stat
from pathlib import Path

import msgspec

from slipway_workloads import Launch

MOST_BYTES = 1024 * 1024 * 1024


class TooLarge(Exception):
    """The service's files are more than a copy may be."""


def copied(launch: Launch, source: Path, target: Path) -> Launch:
    """The launch with a copy of its source; what else the service may write is shown, and can't be written."""
    if _size(source) > MOST_BYTES:
        raise TooLarge
    shutil.copytree(source, target, symlinks=True, ignore=_specials)
    if launch.uid and os.geteuid() == 0:
        for folder, folders, files in os.walk(target):
            for name in (".", *folders, *files):
                os.lchown(os.path.join(folder, name), launch.uid, launch.uid)
    binds = [
        msgspec.structs.replace(bind, host=str(target))
        if bind.host == str(source)
        else msgspec.structs.replace(bind, writable=False)
        for bind in launch.binds
    ]
    cwd = launch.cwd if launch.sandboxed else launch.cwd.replace(str(source), str(target), 1)
    return msgspec.structs.replace(launch, binds=binds, cwd=cwd)


def _size(root: Path) -> int:
    """Bytes of all files below."""
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, files in os.walk(root) for name in files)


def _specials(folder: str, names: list[str]) -> list[str]:
    """Sockets, pipes and devices stay behind."""
    return [name for name in names if not _copyable(os.lstat(os.path.join(folder, name)).st_mode)]


def _copyable(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)
