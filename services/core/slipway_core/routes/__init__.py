"""Everything that can reach core: every HTTP route and every subscription, as data.

The files beside this one state paths as the public API's reference does; all of them lie below `/api`.
"""

from dataclasses import replace
from typing import Any

from slipway_bus import Subscription
from slipway_contracts.shell import SESSION_CHANGED
from slipway_contracts.tasks import REPORTED
from slipway_core.app import Core
from slipway_core.handlers import hellos, terminals
from slipway_core.routes import (
    agreements,
    clusters,
    deployments,
    images,
    insight,
    invitations,
    logins,
    outside,
    people,
    projects,
    service_parts,
    services,
    subscriptions_deployments,
    variables,
)
from slipway_http import Route

PREFIX = "/api"
AREAS = (
    people,
    logins,
    invitations,
    projects,
    services,
    service_parts,
    variables,
    clusters,
    outside,
    deployments,
    agreements,
    insight,
    images,
)

ROUTES: list[Route] = [replace(route, path=PREFIX + route.path) for area in AREAS for route in area.ROUTES]

SUBSCRIPTIONS: list[Subscription[Core, Any]] = [
    Subscription(REPORTED, hellos.said, durable="core-hellos", max_in_flight=16),
    Subscription(SESSION_CHANGED, terminals.changed, durable="core-terminals", max_in_flight=8),
    *subscriptions_deployments.SUBSCRIPTIONS,
]
