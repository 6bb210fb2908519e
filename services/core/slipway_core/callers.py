"""From a request to who did it: for the audit log, and ids in paths."""

from typing import Any

from slipway_core.app import Actor
from slipway_errors import NotFound
from slipway_http import Call
from slipway_http.routing import UUID

TOOLS = (
    ("slipway-cli", "CLI"),
    ("slipway/", "CLI"),
    ("qovery-cli", "CLI"),
    ("terraform", "TERRAFORM_PROVIDER"),
    ("mozilla/", "CONSOLE"),
)
"""What a user agent begins with or contains → origin in the audit log."""


def actor_of(call: Call[Any]) -> Actor:
    """Who makes this request, and from where."""
    agent = call.headers.get("User-Agent", "")[:255]
    return Actor(
        id=call.caller.id,
        kind=call.caller.kind,
        name=call.caller.name,
        origin=_origin(agent),
        address=call.address,
        user_agent=agent,
        request_id=call.request_id,
    )


def _origin(agent: str) -> str:
    lowered = agent.lower()
    return next((origin for mark, origin in TOOLS if mark in lowered), "API")


def id_in(call: Call[Any], name: str) -> str:
    """An id in the path that isn't the route's place; what is no id is no thing."""
    id = call.path[name]
    if not UUID.fullmatch(id):
        raise NotFound
    return id.lower()
