"""Which Slipway a command talks to, and as whom: the platform of a home, or where `slipway login` went."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_cli.local.home import Home, default_home
from slipway_cli.problems import CommandFailed, NotRunning
from slipway_embedded.processes import write_private


@dataclass(frozen=True)
class Context:
    """An address and a credential."""

    url: str
    authorization: str
    """The whole header: `Token …` or `Bearer …`."""
    home: Path | None = None
    """Set when it is the platform of this machine."""


def context_file() -> Path:
    """Where a login is kept: in the home if one is named, else with the user's other settings."""
    if os.environ.get("SLIPWAY_HOME"):
        return default_home() / "context.json"
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(settings) / "slipway" / "context.json"


def keep(url: str, authorization: str) -> Path:
    """Remember a login; gives the file."""
    file = context_file()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(file, json.dumps({"url": url.rstrip("/"), "authorization": authorization}) + "\n")
    return file


def forget() -> bool:
    """Forget the login; whether there was one."""
    file = context_file()
    there = file.exists()
    file.unlink(missing_ok=True)
    return there


def current() -> Context:
    """SLIPWAY_URL with SLIPWAY_TOKEN, else the kept login, else the platform of the home."""
    if url := os.environ.get("SLIPWAY_URL", ""):
        token = os.environ.get("SLIPWAY_TOKEN", "")
        if not token:
            raise CommandFailed(
                "SLIPWAY_URL is set and SLIPWAY_TOKEN is not: set it to an API token.", "auth.required", 3
            )
        return Context(url.rstrip("/"), f"Token {token}")
    kept = _kept()
    if kept:
        return Context(kept["url"], kept["authorization"])
    return of_home(Home(default_home()))


def of_home(home: Home) -> Context:
    """The platform of this home, by its own token."""
    try:
        token = home.token_file.read_text().strip()
    except FileNotFoundError:
        raise NotRunning(str(home.path)) from None
    return Context(home.public_url, f"Token {token}", home.path)


def _kept() -> dict[str, Any]:
    try:
        return dict(json.loads(context_file().read_text()))
    except FileNotFoundError:
        return {}
