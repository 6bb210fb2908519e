"""The accounts of the bus: one each for the control plane (a user per service), every cluster, the server.

Users inside one shared account are not enough: nobody checks the reply subject of a request, so a cluster could have
acknowledgements and task bodies delivered into another's subjects. Between accounts only what is exported passes, and
answers return to the account that asked.

The accounts stand in one file, written whole and replaced by rename, which nats-server's configuration includes; a
SIGHUP puts it in force without touching anybody else's connection. The file is JSON, which nats-server reads as well.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from slipway_bus.duties import (
    SERVICES,
    agent_permissions,
    cluster_exports,
    engine_permissions,
    service_permissions,
)
from slipway_contracts.base import TOKEN
from slipway_errors import Invalid, Unavailable

CONTROL_ACCOUNT = "CONTROL"
SYSTEM_ACCOUNT = "SYS"
SYSTEM_USER = "system"
OPERATOR = "operator"
"""The user of the one who runs the platform: backup, restore, dead letters. Everything in the control account."""
IN_FORCE_SECONDS = 10.0
_CLUSTER_PREFIX = "CLUSTER-"
_CLUSTER_CONNECTIONS = 256


@dataclass(frozen=True)
class ClusterCredentials:
    """How the engine and the agent of one cluster log in."""

    engine_user: str
    engine_password: str = field(repr=False)
    agent_user: str
    agent_password: str = field(repr=False)


def new_cluster_credentials(cluster_id: str) -> ClusterCredentials:
    """Fresh passwords for a cluster."""
    if not TOKEN.fullmatch(cluster_id):
        raise Invalid(f"{cluster_id!r} can't be the id of a cluster.")
    return ClusterCredentials(
        f"engine-{cluster_id}", secrets.token_urlsafe(32), f"agent-{cluster_id}", secrets.token_urlsafe(32)
    )


def new_passwords() -> dict[str, str]:
    """A fresh password for every user of the control plane, the operator and the system account."""
    return {user: secrets.token_urlsafe(32) for user in (*SERVICES, OPERATOR, SYSTEM_USER)}


def render(passwords: Mapping[str, str], clusters: Mapping[str, ClusterCredentials]) -> str:
    """The accounts as text for nats-server's configuration. `passwords` has one for each user of `new_passwords`."""
    accounts: dict[str, Any] = {
        SYSTEM_ACCOUNT: {"users": [{"user": SYSTEM_USER, "password": passwords[SYSTEM_USER]}]},
        CONTROL_ACCOUNT: _control_account(passwords, clusters),
    }
    for cluster_id, credentials in clusters.items():
        accounts[_account_name(cluster_id)] = _cluster_account(cluster_id, credentials)
    return json.dumps({"accounts": accounts, "system_account": SYSTEM_ACCOUNT}, indent=1) + "\n"


def _account_name(cluster_id: str) -> str:
    return _CLUSTER_PREFIX + cluster_id


def _control_account(passwords: Mapping[str, str], clusters: Mapping[str, ClusterCredentials]) -> dict[str, Any]:
    users: list[dict[str, Any]] = [
        {"user": service, "password": passwords[service], "permissions": service_permissions(service)}
        for service in SERVICES
    ]
    users.append({"user": OPERATOR, "password": passwords[OPERATOR]})
    exports: list[dict[str, Any]] = []
    imports: list[dict[str, Any]] = []
    for cluster_id in clusters:
        account = _account_name(cluster_id)
        for exported in _exports(cluster_id):
            exports.append({**exported, "accounts": [account]})
        imports.append({"service": {"account": account, "subject": f"shell.{cluster_id}.>"}})
        imports.append({"stream": {"account": account, "subject": f"terminal.{cluster_id}.>"}})
    return {"jetstream": "enabled", "users": users, "exports": exports, "imports": imports}


def _exports(cluster_id: str) -> list[dict[str, Any]]:
    services, streams = cluster_exports(cluster_id)
    return services + streams


def _cluster_account(cluster_id: str, credentials: ClusterCredentials) -> dict[str, Any]:
    services, streams = cluster_exports(cluster_id)
    return {
        "users": [
            {
                "user": credentials.engine_user,
                "password": credentials.engine_password,
                "permissions": engine_permissions(cluster_id, credentials.engine_user),
            },
            {
                "user": credentials.agent_user,
                "password": credentials.agent_password,
                "permissions": agent_permissions(cluster_id, credentials.agent_user),
            },
        ],
        "limits": {"max_connections": _CLUSTER_CONNECTIONS},
        "imports": [
            *({"service": {"account": CONTROL_ACCOUNT, "subject": one["service"]}} for one in services),
            *({"stream": {"account": CONTROL_ACCOUNT, "subject": one["stream"]}} for one in streams),
        ],
        "exports": [
            {"service": f"shell.{cluster_id}.>", "accounts": [CONTROL_ACCOUNT]},
            {"stream": f"terminal.{cluster_id}.>", "accounts": [CONTROL_ACCOUNT]},
        ],
    }


class AccountsFile:
    """The accounts file of one server. Several processes may change it: each change holds a lock."""

    def __init__(self, path: str | os.PathLike[str], pid_file: str | os.PathLike[str] | None = None, url: str = ""):
        """`pid_file`: whom to signal. `url`: where to try logins to see a change in force (found out if left out)."""
        self.path = Path(path)
        self._pid_file = Path(pid_file) if pid_file else None
        self._url = url

    def ensure(self) -> dict[str, str]:
        """Make the file if it isn't there, bring it up to this release's permissions if it is; all passwords.

        To be called before the server starts; passwords and clusters that are there are kept.
        """
        with self._locked():
            passwords, clusters = self._read() if self.path.exists() else ({}, {})
            passwords = {**new_passwords(), **passwords}
            self._write(passwords, clusters)
            return passwords

    def passwords(self) -> dict[str, str]:
        """The passwords of the control plane's users, the operator and the system account."""
        return self._read()[0]

    def clusters(self) -> dict[str, ClusterCredentials]:
        """Who has an account now."""
        return self._read()[1]

    async def issue(self, cluster_id: str) -> ClusterCredentials:
        """An account for a cluster, in force when this returns. One that it had is replaced: its connections end."""
        # nats-server ties the imports of an account that is new in a reload to accounts it then throws away: they work
        # from the next reload on (seen in 2.15.1). So the account comes first, and its users with a second reload.
        passing, credentials = new_cluster_credentials(cluster_id), new_cluster_credentials(cluster_id)
        await self._put(cluster_id, passing)
        await self._put(cluster_id, credentials)
        return credentials

    async def _put(self, cluster_id: str, credentials: ClusterCredentials) -> None:
        with self._locked():
            passwords, clusters = self._read()
            self._write(passwords, {**clusters, cluster_id: credentials})
            self._signal()
        await self._until(credentials.engine_user, credentials.engine_password, True)

    async def revoke(self, cluster_id: str) -> None:
        """Take a cluster's account away: its connections are cut at once. Without one, nothing happens."""
        with self._locked():
            passwords, clusters = self._read()
            gone = clusters.pop(cluster_id, None)
            if gone is None:
                return
            self._write(passwords, clusters)
            self._signal()
        await self._until(gone.engine_user, gone.engine_password, False)

    def _read(self) -> tuple[dict[str, str], dict[str, ClusterCredentials]]:
        try:
            accounts = json.loads(self.path.read_text())["accounts"]
            control = [*accounts[CONTROL_ACCOUNT]["users"], *accounts[SYSTEM_ACCOUNT]["users"]]
            passwords = {user["user"]: user["password"] for user in control}
            clusters = {
                name.removeprefix(_CLUSTER_PREFIX): _credentials(account)
                for name, account in accounts.items()
                if name.startswith(_CLUSTER_PREFIX)
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"The accounts file of the bus can't be read: {self.path}.") from error
        return passwords, clusters

    def _write(self, passwords: Mapping[str, str], clusters: Mapping[str, ClusterCredentials]) -> None:
        text = render(passwords, clusters)
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self.path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _pid(self) -> int:
        if self._pid_file is None:
            raise Unavailable("The bus can't be told of new accounts: its pid file is not known.")
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError) as error:
            raise Unavailable(f"The bus can't be told of new accounts: no pid in {self._pid_file}.") from error

    def _signal(self) -> None:
        try:
            os.kill(self._pid(), signal.SIGHUP)
        except ProcessLookupError as error:
            raise Unavailable("The bus is not running; the change is in force once it starts.") from error

    async def _until(self, user: str, password: str, accepted: bool) -> None:
        """Try the login until the server answers as it should."""
        address = await self._address()
        try:
            async with asyncio.timeout(IN_FORCE_SECONDS):
                # Nothing tells when a reload is done: only a login shows it.
                while await _login(address, user, password) is not accepted:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise Unavailable("The bus didn't put the change of its accounts in force; its log says why.") from None

    async def _address(self) -> tuple[str, int]:
        if self._url:
            parts = urlsplit(self._url.split(",")[0])
            return parts.hostname or "127.0.0.1", parts.port or 4222
        candidates = await asyncio.to_thread(_listening, self._pid())
        for answer in asyncio.as_completed([_greets(*candidate) for candidate in candidates]):
            if (found := await answer) is not None:
                return found
        raise Unavailable("The bus doesn't listen where it can be asked whether a change is in force.")


def _listening(pid: int) -> list[tuple[str, int]]:
    import psutil

    connections = psutil.Process(pid).net_connections("tcp")
    return [(one.laddr.ip, one.laddr.port) for one in connections if one.status == psutil.CONN_LISTEN]


def _credentials(account: dict[str, Any]) -> ClusterCredentials:
    engine, agent = account["users"]
    return ClusterCredentials(engine["user"], engine["password"], agent["user"], agent["password"])


@asynccontextmanager
async def _dialled(host: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _greets(host: str, port: int) -> tuple[str, int] | None:
    """The address, if it is the bus that listens there: it speaks first."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1), _dialled(host, port) as (reader, _):
            if (await reader.readline()).startswith(b"INFO "):
                return host, port
    return None


async def _login(address: tuple[str, int], user: str, password: str) -> bool | None:
    """Whether the server takes this login; None when it can't be asked."""
    hello = json.dumps({"user": user, "pass": password, "verbose": False, "name": "accounts"})
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(2), _dialled(*address) as (reader, writer):
            await reader.readline()
            writer.write(b"CONNECT " + hello.encode() + b"\r\nPING\r\n")
            while line := await reader.readline():
                if line.startswith(b"PONG"):
                    return True
                if line.startswith(b"-ERR"):
                    return False
    return None
