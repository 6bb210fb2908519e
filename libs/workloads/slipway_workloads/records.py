"""What lies in the files of a service's directory, and how they are read and replaced: whole or not at all."""

import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file's content; unknown fields of another version are ignored."""


class ServiceMeta(Record, frozen=True, kw_only=True):
    """meta.json: whose service this is, and what should run."""

    cluster_id: str
    organization_id: str
    project_id: str
    environment_id: str
    service_id: str
    name: str
    label: str
    hostnames: list[str] = []
    fence: int = 0
    current_release: str = ""
    """The release that gets the requests; empty before the first one."""
    desired: str = "running"
    """running, stopped."""
    kind: str = ""
    """ServiceKind; programs of a JOB end, which is as it should be."""
    artifact: str = ""
    """Jobs: what the next run starts; it is kept although no release has it."""
    changed_at: datetime | None = None


class DatabaseRecord(Record, frozen=True, kw_only=True):
    """database.json."""

    type: str
    """POSTGRESQL, REDIS."""
    version: str
    port: int


class Release(Record, frozen=True, kw_only=True):
    """release.json."""

    name: str
    commit: str = ""
    deployment_id: str = ""
    artifact: str = ""
    port: int = 0
    state: str = "starting"
    """starting, running, draining, stopped, failed."""
    state_at: datetime | None = None
    created_at: datetime
    memory_mib: int = 0
    cpu_milli: int = 0


class Bind(Record, frozen=True, kw_only=True):
    """A directory or file of the host that is seen inside the sandbox."""

    host: str
    inside: str
    writable: bool = False


class ImageRoot(Record, frozen=True, kw_only=True):
    """A root file system that a program brings along, and who it is inside (`enclosure.image_argv`)."""

    root: str
    uids: list[tuple[int, int, int]]
    """Lines of (inside, outside, how many)."""
    gids: list[tuple[int, int, int]]
    uid: int = 0
    """The program's user inside."""
    gid: int = 0
    groups: list[int] = []
    ports: dict[int, int] = {}
    """A port that it may listen on → the port of this machine that it gets instead."""


class Launch(Record, frozen=True, kw_only=True):
    """launch.json: all that the shim needs to run a release, and a shell to stand beside it."""

    argv: list[str]
    """The whole command, the sandbox included."""
    command: list[str]
    """The program's own command, as seen inside."""
    env: dict[str, str]
    late_env: dict[str, str] = {}
    """Variables that stand in argv instead, because bubblewrap itself must not see them (`split_environment`)."""
    cwd: str
    """Inside the sandbox."""
    binds: list[Bind] = []
    sandboxed: bool = True
    image: ImageRoot | None = None
    """Where the program brings its own root file system."""
    uid: int = 0
    """Owner of the files that the program may write."""
    hostname: str = "app"
    port: int = 0
    stop_grace_seconds: float = 10
    stop_signal: str = "TERM"
    signals_main_alone: bool = False
    """The program's first process tells its others what to do."""
    attempts: int = 0
    """How often it is started until it ends well; 0: again and again, it is not meant to end."""
    attempt_seconds: float = 0
    """How long one attempt may take; 0: as long as it wants."""
    memory_bytes: int = 0
    """Ended with 'out of memory' above this; 0: no limit."""
    log_directory: str = ""
    log_file_bytes: int = 10 * 1024 * 1024
    log_files: int = 5
    log_bytes_per_second: int = 2 * 1024 * 1024
    """What a flood may write in the long run; beyond it lines are dropped, and the log says how many."""
    status_file: str = ""


class Status(Record, frozen=True, kw_only=True):
    """status/<release>.json, written by the shim."""

    state: str
    """starting, running, waiting (to be started again), stopping, exited."""
    shim_pid: int = 0
    pid: int = 0
    """The process from which all of the release descend, as the host sees it: the sandbox's init, or the program."""
    sandbox_pid: int = 0
    """The same when there is a sandbox, else 0: its namespaces are those of the release."""
    started_at: str = ""
    ended_at: str = ""
    starts: int = 0
    restarts: int = 0
    exit_code: int | None = None
    signal: str = ""
    out_of_memory: bool = False
    over: bool = False
    """It is not started again: it was stopped, or its attempts are used up or were successful."""
    reason: str = ""
    """In words, for people."""
    next_start_at: str = ""


R = TypeVar("R", bound=Record)


def read(path: Path, record: type[R]) -> R | None:
    """The record in the file; None when there is none or it is not readable as one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=record)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def write(path: Path, record: Record, mode: int = 0o644) -> None:
    """Replace the file's content in one step."""
    write_bytes(path, msgspec.json.encode(record), mode)


def write_bytes(path: Path, content: bytes, mode: int = 0o644, *, durable: bool = True) -> None:
    """Replace the file by rename, so that readers see the old or the new content and nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
