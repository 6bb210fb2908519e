"""Copying, measuring and removing trees that strangers wrote: no link is followed, nothing special is opened."""

import contextlib
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path


def copy_tree(source: Path, target: Path, skip: Callable[[str], bool] = lambda name: False) -> None:
    """Files, folders and links as they are; sockets, pipes, devices and set-user-id bits stay behind.

    `skip` is asked for the names at the top.
    """
    target.mkdir(parents=True, exist_ok=True)
    with os.scandir(source) as entries:
        for entry in entries:
            if not skip(entry.name):
                _copy_entry(entry, target / entry.name)


def _copy_entry(entry: "os.DirEntry[str]", target: Path) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), target)
    elif entry.is_dir(follow_symlinks=False):
        copy_tree(Path(entry.path), target)
    elif entry.is_file(follow_symlinks=False):
        shutil.copyfile(entry.path, target, follow_symlinks=False)
        os.chmod(target, stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode) & 0o777 | 0o600)


def remove_tree(path: Path) -> None:
    """Remove a tree, also where its owner took its own rights away; nothing there is fine."""

    def again(function: Callable[..., object], name: str, error: object) -> None:
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(name), 0o700)
            function(name)

    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    elif path.exists():
        shutil.rmtree(path, onerror=again)


def inside(root: Path, relative: str) -> Path | None:
    """The folder below root that a user named; None when the name leads out of it, by dots or by a link."""
    parts = [part for part in relative.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or any("\0" in part for part in parts):
        return None
    place = root
    for part in parts:
        place = place / part
        if place.is_symlink() or not place.is_dir():
            return None
    return place


def read_text(path: Path, limit_bytes: int = 512 * 1024) -> str | None:
    """A plain file's text; None for anything else: a link, a pipe, too large, not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > limit_bytes:
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read().decode(errors="replace")
    finally:
        os.close(descriptor)
