"""What the platform consists of: every process with its command and its environment, as data."""

import base64
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_cli.local.home import REPOSITORY, Home
from slipway_cli.local.registries import build_environment
from slipway_cli.local.supervision import Program
from slipway_embedded import CaddyServer, Command, NatsServer, PostgresServer, Upstreams, ValkeyServer
from slipway_embedded.processes import LAUNCHER, Server, plain_environment

DATABASES = ("core", "webhooks", "scheduler", "shell")
"""Services with a database of their own, which is named like them."""
CONTROL_PLANE = ("core", "webhooks", "git", "websocket", "scheduler", "shell")
CLUSTER = ("engine", "agent")
WITH_HTTP = CONTROL_PLANE
LOGIN_SETTINGS = ("SLIPWAY_OIDC_", "SLIPWAY_PASSWORD_LOGIN")
"""Passed on to core from the environment of `up`."""


@dataclass(frozen=True)
class Servers:
    """The four servers, as `slipway_embedded` knows them."""

    nats: NatsServer
    postgres: PostgresServer
    valkey: ValkeyServer
    caddy: CaddyServer

    @classmethod
    def of(cls, home: Home) -> "Servers":
        ports = home.ports()
        upstreams = Upstreams(
            ports={name: ports[name] for name in WITH_HTTP},
            console=REPOSITORY / "console" / "dist",
            routes=home.work / "routes",
        )
        return cls(
            nats=NatsServer(home.path / "nats", port=ports["nats"], monitor=False),
            postgres=PostgresServer(home.path / "postgres", port=ports["postgres"]),
            valkey=ValkeyServer(home.path / "valkey", port=ports["valkey"]),
            caddy=CaddyServer(
                home.path / "caddy", port=ports["caddy"], upstreams=upstreams, run_directory=home.sockets
            ),
        )

    def all(self) -> tuple[Server, ...]:
        return (self.nats, self.postgres, self.valkey, self.caddy)


@dataclass(frozen=True)
class Secrets:
    """What the processes are told and nobody else."""

    nats_passwords: Mapping[str, str]
    webhooks_public_key: bytes
    git_public_key: bytes
    bootstrap: Mapping[str, Any]
    """Core's answer; empty before the first bootstrap."""


def programs(home: Home, servers: Servers, secrets: Secrets) -> list[Program]:
    """Every process of the platform."""
    every = [_server(server) for server in servers.all()]
    every.append(_workloads(home))
    every += [_service(name, _control_plane(name, home, servers, secrets)) for name in CONTROL_PLANE]
    every += [_service(name, _cluster(name, home, servers, secrets)) for name in CLUSTER]
    return every


def _server(server: Server) -> Program:
    command = server.command()
    argv, options = _without_launcher(command)
    return Program(
        name=server.name,
        group="servers",
        argv=argv,
        options=options,
        environment=command.environment,
        stop_signal=command.stop_signal,
        autostart=True,
    )


def _without_launcher(command: Command) -> tuple[list[str], list[str]]:
    """The program and the launcher's options, without the one about the parent: the supervisor adds its own."""
    cut = list(command.argv).index("--")
    start = list(command.argv).index(str(LAUNCHER)) + 1
    options = list(command.argv)[start:cut]
    at = options.index("--die-with-parent")
    return list(command.argv)[cut + 1 :], options[:at] + options[at + 2 :]


def _workloads(home: Home) -> Program:
    """The supervisord of what users deployed: it outlives the engine, and ends with the platform."""
    from slipway_workloads import Layout, SupervisorConfig

    config = SupervisorConfig(Layout(home.work), workloads_socket(home))
    config.write()
    return Program(
        name="workloads",
        group="workloads",
        argv=config.argv(),
        environment=plain_environment(),
        autostart=True,
        stop_seconds=30,
    )


def workloads_socket(home: Home) -> Path:
    return home.sockets / "workloads.sock"


def _service(name: str, environment: dict[str, str]) -> Program:
    return Program(
        name=name,
        group="services",
        argv=[sys.executable, "-P", "-m", f"slipway_{name}"],
        environment=environment,
        stop_seconds=25,
    )


def _everybody(name: str, home: Home, servers: Servers) -> dict[str, str]:
    return plain_environment(
        MALLOC_ARENA_MAX="2",
        SLIPWAY_NATS_URL=servers.nats.url,
        SLIPWAY_LISTEN_HOST="127.0.0.1",
        SLIPWAY_LISTEN_PORT=str(home.ports().get(name, 0)),
        SLIPWAY_PUBLIC_URL=home.public_url,
        SLIPWAY_ALLOWED_HOSTS="localhost,127.0.0.1",
        SLIPWAY_LOG_LEVEL=os.environ.get("SLIPWAY_LOG_LEVEL", "info"),
    )


def _control_plane(name: str, home: Home, servers: Servers, secrets: Secrets) -> dict[str, str]:
    environment = _everybody(name, home, servers)
    environment |= {"SLIPWAY_NATS_USER": name, "SLIPWAY_NATS_PASSWORD": secrets.nats_passwords[name]}
    if name in DATABASES:
        environment["SLIPWAY_POSTGRES_URL"] = servers.postgres.url(name, name)
    return environment | _own(name, home, servers, secrets)


def _own(name: str, home: Home, servers: Servers, secrets: Secrets) -> dict[str, str]:
    """What only this service is told."""
    match name:
        case "core":
            return {
                **{name: value for name, value in os.environ.items() if name.startswith(LOGIN_SETTINGS)},
                "SLIPWAY_REDIS_URL": servers.valkey.url,
                "SLIPWAY_MASTER_KEY_FILE": str(home.keys / "master.key"),
                "SLIPWAY_WEBHOOKS_PUBLIC_KEY": base64.b64encode(secrets.webhooks_public_key).decode(),
                "SLIPWAY_GIT_PUBLIC_KEY": base64.b64encode(secrets.git_public_key).decode(),
                "SLIPWAY_NATS_ACCOUNTS_FILE": str(servers.nats.accounts_file),
                "SLIPWAY_NATS_PID_FILE": str(servers.nats.pid_file),
                "SLIPWAY_WORKLOAD_DOMAIN": "localhost",
            }
        case "webhooks":
            return {"SLIPWAY_PRIVATE_KEY_FILE": str(home.keys / "webhooks.key")}
        case "git":
            return {
                "PATH": os.environ.get("PATH", os.defpath),
                "SLIPWAY_REPOSITORIES_DIR": str(home.path / "repositories"),
                "SLIPWAY_PRIVATE_KEY_FILE": str(home.keys / "git.key"),
                "SLIPWAY_WEBHOOKS_URL": f"http://127.0.0.1:{home.ports()['webhooks']}",
            }
        case "websocket":
            return {"SLIPWAY_INCARNATION": str(home.state().get("incarnation", ""))}
        case "shell":
            return {
                "SLIPWAY_RECORDINGS_DIR": str(home.path / "recordings"),
                "SLIPWAY_RECORDINGS_KEY_FILE": str(home.keys / "recordings.key"),
            }
    return {}


def _cluster(name: str, home: Home, servers: Servers, secrets: Secrets) -> dict[str, str]:
    """Engine and agent: in the cluster's own account of the bus."""
    login = secrets.bootstrap.get(name, {})
    environment = _everybody(name, home, servers) | {
        "SLIPWAY_NATS_USER": login.get("user", ""),
        "SLIPWAY_NATS_PASSWORD": login.get("password", ""),
        "SLIPWAY_CLUSTER_ID": str(secrets.bootstrap.get("cluster_id", "")),
        "SLIPWAY_WORK_DIR": str(home.work),
        "SLIPWAY_SUPERVISOR_SOCKET": str(workloads_socket(home)),
    }
    if name == "agent":
        return environment | {"SLIPWAY_SPOOL_DIR": str(home.path / "spool")}
    return {
        **environment,
        **build_environment(),
        "SLIPWAY_PIP_WHEEL": str(next((REPOSITORY / "bootstrap").glob("pip-*.whl"), "")),
        "SLIPWAY_CADDY_ADMIN_SOCKET": str(servers.caddy.admin_socket),
        "SLIPWAY_KEY_FILE": str(home.keys / "engine.key"),
    }
