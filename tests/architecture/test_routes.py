"""Every route says who may use it, and says what it does."""

from collections import Counter

import pytest

from slipway_contracts.access import Permission
from slipway_http import Route
from slipway_testing.routes import routes_of
from slipway_testing.sources import SERVICES

ALL = [(service, route) for service in SERVICES for route in routes_of(service)]
PREFIX = {
    "core": ("/api/",),
    "scheduler": ("/api/scheduler/",),
    "webhooks": ("/hooks/",),
    "git": ("/git/",),
    "websocket": ("/ws/", "/connection/"),
    "shell": ("/shell/",),
}
GIT = "git sends a token as a password, which the handler checks"
SOCKET = "a browser sends the token as a sub-protocol, and the query names the place: the handler checks both"
PUBLIC = {
    ("core", "/api/login"): "how one gets a login",
    ("core", "/api/login/methods"): "tells what the login page offers",
    ("core", "/api/login/oidc"): "leads to the identity provider",
    ("core", "/api/login/oidc/callback"): "proved by the provider's code, in the browser that began",
    ("core", "/api/login/device"): "leads to the identity provider",
    ("core", "/api/login/device/token"): "proved at the provider",
    (
        "core",
        "/api/organization/{organizationId}/inviteMember/{inviteId}/signUp",
    ): "proved by the token of the invitation's link",
    ("webhooks", "/hooks/{provider}/{link}"): "proved by the provider's signature",
    ("git", "/git/{project}/{repository}/info/refs"): GIT,
    ("git", "/git/{project}/{repository}/git-upload-pack"): GIT,
    ("git", "/git/{project}/{repository}/git-receive-pack"): GIT,
    ("websocket", "/connection/websocket"): "the first frame carries the login",
    ("websocket", "/ws/service/logs"): SOCKET,
    ("websocket", "/ws/service/status"): SOCKET,
    ("websocket", "/ws/service/metrics"): SOCKET,
    ("websocket", "/ws/deployment/status"): SOCKET,
    ("websocket", "/ws/deployment/logs"): SOCKET,
    ("shell", "/shell/exec"): SOCKET,
    ("shell", "/shell/ephemeral"): SOCKET,
    ("shell", "/shell/portforward"): SOCKET,
}
"""Routes that anybody may call, each with the reason. Adding one here is a decision."""


def test_there_are_routes() -> None:
    assert ALL


@pytest.mark.parametrize(("service", "route"), ALL, ids=lambda value: getattr(value, "path", value))
def test_a_route_names_its_permission_and_place(service: str, route: Route) -> None:
    assert route.needs is not None
    assert route.path.startswith(PREFIX[service])
    if route.needs is Permission.PUBLIC:
        assert (service, route.path) in PUBLIC, "a route that anybody may call needs a reason in PUBLIC"
    if route.method == "GET" and not route.raw:
        assert route.body is None
        assert route.needs not in (Permission.MANAGE, Permission.DEPLOY), "reading changes nothing"


@pytest.mark.parametrize(("service", "route"), ALL, ids=lambda value: getattr(value, "path", value))
def test_a_route_says_what_it_does(service: str, route: Route) -> None:
    assert route.summary or route.handler.__doc__, f"{route.handler.__qualname__} has no docstring"
    assert route.tag or route.raw, "the OpenAPI document groups routes by tag"


@pytest.mark.parametrize("service", SERVICES)
def test_operation_ids_are_unique(service: str) -> None:
    named = Counter(route.operation_id for owner, route in ALL if owner == service and route.operation_id)
    assert [name for name, count in named.items() if count > 1] == []


def test_reasons_belong_to_routes_that_are_there() -> None:
    there = {(service, route.path) for service, route in ALL if route.needs is Permission.PUBLIC}
    built = {service for service, _ in ALL}
    assert [key for key in PUBLIC if key[0] in built and key not in there] == []
