"""NATS, PostgreSQL, Valkey and Caddy from their wheels, for tests and for `slipway up`.

Each server owns one directory, listens on 127.0.0.1 alone, asks for a password, and dies with the process that
started it. `prepare()` writes what it needs, `command()` says how to run it (under a supervisor, or by `start()`).
"""

from slipway_embedded.caddy import CaddyServer, Upstreams
from slipway_embedded.nats import NatsServer
from slipway_embedded.postgres import PostgresServer
from slipway_embedded.processes import Command, free_port
from slipway_embedded.rundirs import run_directory
from slipway_embedded.valkey import ValkeyServer

__all__ = [
    "CaddyServer",
    "Command",
    "NatsServer",
    "PostgresServer",
    "Upstreams",
    "ValkeyServer",
    "free_port",
    "run_directory",
]
