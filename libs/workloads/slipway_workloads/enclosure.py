"""Programs that bring their own root file system, and the tools that make it: bubblewrap inside a range of ids.

A `Range` says which users there are inside: as root of this machine 65536 of their own per owner, so that images may
have any user; as an ordinary user only one, who seems to be whoever the image wants (`newuidmap` gives builds more).
Invariant: no id inside is a user of this machine, and the environment never travels in arguments.
"""

import json
import os
import pwd
import shutil
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slipway_workloads import entering
from slipway_workloads.records import Bind, ImageRoot, Record
from slipway_workloads.sandbox import (
    TEMPORARY_BYTES,
    Isolation,
    best_isolation,
    bubblewrap,
    counts_by_namespace,
    system_mounts,
)

FIRST_ID = 1_000_000_000
RANGE_IDS = 65536
RANGES = 40_000
ROOT_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "SYS_CHROOT")
"""What the user 0 of an image may do with what is its own."""
MACHINE_FILES = ("/etc/resolv.conf", "/etc/hosts")
TOOL_FILES = ("/etc/containers", "/etc/passwd", "/etc/group")


class Range(Record, frozen=True, kw_only=True):
    """Which ids there are inside, as lines of (inside, outside, how many)."""

    uids: list[tuple[int, int, int]]
    gids: list[tuple[int, int, int]]
    helpers: bool = False
    """Only newuidmap and newgidmap may map them."""

    @property
    def several(self) -> bool:
        return sum(line[2] for line in self.uids) > 1


def first_id(owner: str) -> int:
    """The outside id of the user 0 of an owner's (a service's, an organization's) images, where there is a range."""
    if best_isolation() is not Isolation.USER:
        return os.geteuid()
    return FIRST_ID + zlib.crc32(owner.encode()) % RANGES * RANGE_IDS


def range_for(owner: str) -> Range:
    """The ids for running an owner's images."""
    if best_isolation() is Isolation.USER:
        lines = [(0, first_id(owner), RANGE_IDS)]
        return Range(uids=lines, gids=lines)
    return Range(uids=[(0, os.geteuid(), 1)], gids=[(0, os.getegid(), 1)])


def build_range(owner: str) -> Range:
    """The ids for building: an ordinary user's subordinate ids too, for builds switch users."""
    subordinate = _subordinate("/etc/subuid"), _subordinate("/etc/subgid")
    if best_isolation() is Isolation.USER or None in subordinate or not shutil.which("newuidmap"):
        return range_for(owner)
    (first_uid, uids), (first_gid, gids) = (found or (0, 0) for found in subordinate)
    return Range(
        uids=[(0, os.geteuid(), 1), (1, first_uid, uids)],
        gids=[(0, os.getegid(), 1), (1, first_gid, gids)],
        helpers=True,
    )


def _subordinate(file: str) -> tuple[int, int] | None:
    try:
        me = pwd.getpwuid(os.geteuid()).pw_name
        lines = [line.strip().split(":") for line in Path(file).read_text().splitlines()]
    except (OSError, KeyError):
        return None
    return next(((int(one[1]), int(one[2])) for one in lines if one[0] in (me, str(os.geteuid()))), None)


def tool_argv(ids: Range, command: Sequence[str], binds: Sequence[Bind], max_processes: int = 0) -> list[str]:
    """A tool of this machine (buildah, tar) as the user 0 of the range: it sees the system read-only, and the binds."""
    staged, shown = _staged(binds)
    settings = [item for path in TOOL_FILES if os.path.exists(path) for item in ("--ro-bind", path, path)]
    inner = [
        *_alone("build"), "--new-session", "--cap-add", "ALL", *system_mounts(), *settings,
        "--proc", "/proc", "--dev", "/dev", *_empty("/dev/shm", "/tmp", "/run"),  # noqa: S108
        "--dir", "/sys", *shown, "--chdir", "/", "--", *command,
    ]  # fmt: skip
    return _entering(ids, staged, inner, uid=0, gid=0, processes=max_processes)


def image_argv(
    image: ImageRoot,
    command: Sequence[str],
    *,
    binds: Sequence[Bind] = (),
    cwd: str = "/",
    hostname: str = "app",
    late: Mapping[str, str] | None = None,
    status_fd: int | None = None,
    terminal: bool = False,
    max_processes: int = 0,
) -> list[str]:
    """A program inside an image's root file system; what it sees of this machine are its network and its names."""
    files = [Bind(host=os.path.realpath(path), inside=path) for path in MACHINE_FILES if os.path.exists(path)]
    staged, shown = _staged([Bind(host=image.root, inside="/", writable=True), *files, *binds])
    root, rest = shown[:3], shown[3:]
    inner = [
        *_alone(hostname), *([] if terminal else ["--new-session"]), *_user(image),
        *(["--json-status-fd", str(status_fd)] if status_fd is not None else []),
        *root, "--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", str(TEMPORARY_BYTES),
        *_empty("/dev/shm"), *rest,  # noqa: S108
        *(item for name, value in (late or {}).items() for item in ("--setenv", name, value)),
        "--chdir", cwd, "--", *command,
    ]  # fmt: skip
    return _entering(
        Range(uids=image.uids, gids=image.gids), staged, inner, uid=image.uid, gid=image.gid, groups=image.groups,
        ports={} if terminal else image.ports, terminal=terminal, processes=max_processes,
    )  # fmt: skip


def _empty(*paths: str) -> list[str]:
    return [item for path in paths for item in ("--tmpfs", path)]


def _alone(hostname: str) -> list[str]:
    return [
        "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
        "--hostname", hostname,
    ]  # fmt: skip


def _user(image: ImageRoot) -> list[str]:
    """The user 0 may do with the image what root may in a container; another one has a namespace where it is alone."""
    if image.uid:
        return ["--unshare-user", "--uid", str(image.uid), "--gid", str(image.gid)]
    return ["--cap-drop", "ALL", *(item for name in ROOT_CAPABILITIES for item in ("--cap-add", f"CAP_{name}"))]


def _staged(binds: Sequence[Bind]) -> tuple[dict[str, str], list[str]]:
    """Where the binds' sources are reachable, and bubblewrap's arguments for them."""
    staged, shown = {}, []
    for number, bind in enumerate(binds):
        staged[str(number)] = bind.host
        shown += ["--bind" if bind.writable else "--ro-bind", f"{entering.STAGE}/{number}", bind.inside]
    return staged, shown


def _entering(ids: Range, staged: dict[str, str], inner: list[str], **facts: Any) -> list[str]:
    tool = Path(bubblewrap())
    home = tool.parents[2]
    processes = facts.pop("processes") if counts_by_namespace() else 0
    spec = {
        "uids": ids.uids, "gids": ids.gids, "helpers": ids.helpers, "several": ids.several,
        "staged": {**staged, "tools": str(home)}, "groups": [], "ports": {}, "terminal": False, **facts,
        "processes": processes,
    }  # fmt: skip
    program = f"{entering.STAGE}/tools/{tool.relative_to(home)}"
    return [sys.executable, "-I", "-S", entering.__file__, json.dumps(spec), "--", program, *inner]
