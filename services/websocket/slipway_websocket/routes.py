"""Every socket that can be opened here, as data.

The permission of a socket is asked for where a channel is subscribed to, and again whenever rights change: the sockets
themselves are open to whoever then says who they are (a token can come in the first command or as a sub-protocol).
"""

from aiohttp import web

from slipway_contracts.access import Permission
from slipway_http import Call, Route
from slipway_websocket import reference
from slipway_websocket.client import CentrifugoClient
from slipway_websocket.reference import Choose, Gateway
from slipway_websocket.sockets import open_socket


async def centrifugo(app: Gateway, request: web.Request, call: Call[None]) -> web.StreamResponse:
    """Channels over Centrifugo's protocol."""
    settings = app.settings
    ws, socket = await open_socket(request, message_bytes=settings.message_bytes, buffer_bytes=settings.buffer_bytes)
    await CentrifugoClient(app.hub, socket, call.caller).run(ws)
    return ws


def _endpoint(path: str, streams: Choose, summary: str) -> Route:
    async def handler(app: Gateway, request: web.Request, call: Call[None]) -> web.StreamResponse:
        return await reference.serve(app, request, call, streams)

    return Route("GET", path, handler, needs=Permission.PUBLIC, raw=True, summary=summary, tag="Live")


ROUTES = [
    Route(
        "GET",
        "/connection/websocket",
        centrifugo,
        needs=Permission.PUBLIC,
        raw=True,
        summary="Live data by channels (Centrifugo protocol, JSON)",
        tag="Live",
    ),
    _endpoint("/ws/service/logs", reference.ServiceLogs(), "Lines of a service, one per frame"),
    _endpoint("/ws/service/status", reference.ServiceStatus(), "Running states of an environment's services"),
    _endpoint("/ws/service/metrics", reference.ServiceMetrics(), "CPU and memory of a service"),
    _endpoint("/ws/deployment/status", reference.DeploymentStatus(), "Stages and services of a deployment"),
    _endpoint("/ws/deployment/logs", reference.DeploymentLogs(), "What is said of a deployment's builds and steps"),
]
