"""The one directory of a platform: every path in it, its ports, and the checks before anything is started."""

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_cli.problems import CommandFailed
from slipway_embedded import free_port, run_directory
from slipway_embedded.processes import port_is_free, write_private

REPOSITORY = Path(__file__).resolve().parents[3]
FIRST_PORT = 8080
INTERNAL_PORTS = ("nats", "postgres", "valkey", "core", "webhooks", "git", "websocket", "scheduler", "shell")
LEAST_FREE_BYTES = 300 * 1024 * 1024


@dataclass(frozen=True)
class Home:
    """Paths of one platform. Nothing of it lies elsewhere but its sockets, in `run_directory`."""

    path: Path

    @property
    def exists(self) -> bool:
        return self.state_file.exists()

    @property
    def state_file(self) -> Path:
        """Ports and the like."""
        return self.path / "platform.json"

    @property
    def token_file(self) -> Path:
        """The API token of the command line."""
        return self.path / "token"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def login_file(self) -> Path:
        """E-mail and password of the first user."""
        return self.keys / "login.json"

    @property
    def recovery_key_file(self) -> Path:
        return self.keys / "recovery.key"

    @property
    def bootstrap_file(self) -> Path:
        """What core's bootstrap answered: ids, and how engine and agent log in."""
        return self.keys / "bootstrap.json"

    @property
    def demo_file(self) -> Path:
        return self.path / "demo.json"

    @property
    def work(self) -> Path:
        """Work directory of engine and agent."""
        return self.path / "work"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def processes(self) -> Path:
        """A working directory and an environment file per process."""
        return self.path / "processes"

    @property
    def supervisor_file(self) -> Path:
        return self.processes / "supervisord.conf"

    @property
    def supervisor_pid_file(self) -> Path:
        return self.processes / "supervisord.pid"

    @property
    def sockets(self) -> Path:
        """As chosen at the last start: another shell may have another XDG_RUNTIME_DIR."""
        chosen = Path(self.state().get("sockets", "/nowhere"))
        return chosen if chosen.is_dir() else run_directory(self.path)

    def state(self) -> dict[str, Any]:
        """What `platform.json` says; empty before the first start."""
        try:
            return dict(json.loads(self.state_file.read_text()))
        except FileNotFoundError:
            return {}

    def remember(self, **values: Any) -> None:
        write_private(self.state_file, json.dumps(self.state() | values, indent=1) + "\n")

    def ports(self) -> dict[str, int]:
        return dict(self.state().get("ports", {}))

    @property
    def public_url(self) -> str:
        return f"http://localhost:{self.ports()['caddy']}"


def default_home() -> Path:
    """SLIPWAY_HOME, else `.slipway` in the repository, else below the user's home directory."""
    if named := os.environ.get("SLIPWAY_HOME", ""):
        return Path(named).expanduser().absolute()
    if (REPOSITORY / "slipway").exists():
        return REPOSITORY / ".slipway"
    return Path.home() / ".slipway"


def home_at(path: Path | None) -> Home:
    """The home that a command names, else the default one."""
    return Home(path.expanduser().absolute() if path else default_home())


def prepare(home: Home) -> None:
    """Make the directory, or say in one sentence why it can't be one."""
    try:
        home.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for directory in (home.keys, home.logs, home.processes, home.work):
            directory.mkdir(exist_ok=True, mode=0o700)
        (home.path / ".writable").write_text("")
        (home.path / ".writable").unlink()
    except OSError as error:
        raise CommandFailed(
            f"The platform can't be kept in {home.path}: {error.filename or home.path}: {error.strerror}. "
            "Make it writable, or choose another directory with --home.",
            "home.not_writable",
        ) from error
    home.path.chmod(0o700)
    free_bytes = shutil.disk_usage(home.path).free
    if free_bytes < LEAST_FREE_BYTES:
        raise CommandFailed(
            f"The disk that holds {home.path} has only {free_bytes // 2**20} MB left, and the platform needs 300 MB: "
            "free some, or choose another directory with --home.",
            "home.disk_full",
        )


class HomeLock:
    """Only one `up`, `down`, `backup` or `restore` works on a home at a time."""

    def __init__(self, home: Home) -> None:
        self._path = home.path / "lock"
        self._file: int | None = None

    def __enter__(self) -> "HomeLock":
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise CommandFailed(
                f"Another slipway command is working on {self._path.parent}: wait until it has ended, then try again.",
                "home.busy",
                6,
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)


def choose_ports(home: Home, wanted: int | None) -> dict[str, int]:
    """The platform's ports: chosen once, kept; an internal one that somebody took meanwhile is replaced."""
    ports = home.ports()
    ports["caddy"] = _public_port(wanted, ports.get("caddy"))
    for name in INTERNAL_PORTS:
        if name not in ports or not port_is_free(ports[name]):
            ports[name] = free_port()
    home.remember(ports=ports)
    return ports


def _public_port(wanted: int | None, kept: int | None) -> int:
    chosen = wanted or kept
    if chosen is None:
        candidates = range(FIRST_PORT, FIRST_PORT + 100)
        return next((port for port in candidates if port_is_free(port)), 0) or free_port()
    if not port_is_free(chosen):
        raise CommandFailed(
            f"Port {chosen} is already used by another program: end that one, or choose another port with --port.",
            "port.taken",
            6,
        )
    return chosen
