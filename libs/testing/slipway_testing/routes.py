"""The routes and subscriptions of every service, found where every service keeps them: in its `routes`."""

import importlib
import importlib.util
from typing import Any

from slipway_bus import Subscription
from slipway_http import Route


def routes_of(service: str) -> list[Route]:
    """Every HTTP route of a service; none for one without HTTP."""
    return list(_named(service, "ROUTES"))


def subscriptions_of(service: str) -> list[Subscription[Any, Any]]:
    """Every durable subscription of a service."""
    return list(_named(service, "SUBSCRIPTIONS"))


def _named(service: str, name: str) -> list[Any]:
    if importlib.util.find_spec(f"slipway_{service}") is None:
        return []
    if importlib.util.find_spec(f"slipway_{service}.routes") is None:
        return []
    return list(getattr(importlib.import_module(f"slipway_{service}.routes"), name, ()))
