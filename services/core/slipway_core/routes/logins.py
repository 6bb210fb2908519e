"""Logins at an OpenID Connect provider, and how one can log in at all."""

from slipway_contracts.access import Permission
from slipway_core.handlers import oidc
from slipway_http import Route

PUBLIC = Permission.PUBLIC
TAG = "Login"

ROUTES: list[Route] = [
    Route(
        "GET",
        "/login/methods",
        oidc.methods,
        needs=PUBLIC,
        returns=oidc.LoginMethods,
        summary="How one can log in here",
        tag=TAG,
    ),
    Route(
        "GET",
        "/login/oidc",
        oidc.begin,
        needs=PUBLIC,
        query=oidc.Begin,
        status=303,
        summary="Go to the identity provider",
        description="For browsers: `to` is the page of the console to come back to.",
        tag=TAG,
    ),
    Route(
        "GET",
        "/login/oidc/callback",
        oidc.finish,
        needs=PUBLIC,
        query=oidc.Callback,
        status=303,
        summary="Come back from the identity provider",
        description="Sets the session cookie, or goes to the login page with `problem`, the code of what went wrong.",
        tag=TAG,
    ),
    Route(
        "POST",
        "/login/device",
        oidc.begin_device,
        needs=PUBLIC,
        returns=oidc.DeviceLogin,
        summary="Begin a login that is finished in a browser elsewhere",
        tag=TAG,
    ),
    Route(
        "POST",
        "/login/device/token",
        oidc.poll_device,
        needs=PUBLIC,
        body=oidc.DevicePoll,
        returns=oidc.DeviceAnswer,
        max_body_bytes=8192,
        summary="Ask whether a login by device code was finished",
        tag=TAG,
    ),
]
