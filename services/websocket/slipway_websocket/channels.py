"""Names of channels, what they mean and what right they need.

organization:<id>   environment:<id>   deployment:<id>      events of the control plane
states:<environment id>                                     what runs
metrics:<service id>                                        CPU and memory
logs:<service id>[:<run|build|deploy>[:<deployment id>]]    lines; also by the options `kind` and `deployment`
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slipway_contracts.access import Permission
from slipway_http.routing import UUID
from slipway_websocket.codes import BAD_REQUEST, UNKNOWN_CHANNEL, Refused

PLACES = {
    "organization": "organization",
    "environment": "environment",
    "deployment": "deployment",
    "states": "environment",
    "metrics": "service",
    "logs": "service",
}
"""Kind of channel → kind of thing that its id names, where READ is asked for."""
INTERNAL = {"steps": "environment"}
"""Kinds without a name that a client could subscribe to: what the engine says of all services of an environment."""
NEEDS = Permission.READ
LOG_KINDS = ("run", "build", "deploy")
MOST_HISTORY = 1000


@dataclass(frozen=True)
class Channel:
    """What a client subscribes to. Channels that are equal are one, whatever they were called."""

    kind: str
    id: str
    log_kind: str = ""
    deployment_id: str = ""

    @property
    def place_kind(self) -> str:
        return (PLACES | INTERNAL)[self.kind]


@dataclass(frozen=True)
class Options:
    """What a subscription asks for besides."""

    history: int | None = None
    """How many publications to begin with; None: what is usual."""
    since: datetime | None = None
    """Begin with what came since then."""


def parse(name: str, data: Any = None) -> tuple[Channel, Options]:
    """The channel of this name, and the options in a subscription's data; Refused for what is neither."""
    kind, *parts = name.split(":") if len(name) <= 255 else [""]
    if kind not in PLACES or not parts or not UUID.fullmatch(parts[0]):
        raise Refused(UNKNOWN_CHANNEL)
    options = data if isinstance(data, dict) else {}
    if kind == "logs":
        channel = _logs(parts, options)
    elif len(parts) == 1:
        channel = Channel(kind, parts[0].lower())
    else:
        raise Refused(UNKNOWN_CHANNEL)
    return channel, Options(history=_history(options.get("history")))


def _logs(parts: list[str], options: dict[str, Any]) -> Channel:
    log_kind = parts[1] if len(parts) > 1 else options.get("kind", "run")
    deployment = parts[2] if len(parts) > 2 else options.get("deployment", "")
    if len(parts) > 3 or log_kind not in LOG_KINDS:
        raise Refused(UNKNOWN_CHANNEL)
    if not isinstance(deployment, str) or (deployment and not UUID.fullmatch(deployment)):
        raise Refused(UNKNOWN_CHANNEL)
    return Channel("logs", parts[0].lower(), log_kind, deployment.lower())


def _history(wanted: Any) -> int | None:
    if wanted is None:
        return None
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 0:
        raise Refused(BAD_REQUEST)
    return min(wanted, MOST_HISTORY)
