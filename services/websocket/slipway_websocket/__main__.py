"""Run the WebSocket gateway: python -m slipway_websocket"""

from urllib.parse import urlsplit

from slipway_bus import connect
from slipway_http import Server, remote_locate, serve_http
from slipway_service import Life, run
from slipway_websocket.hub import Hub
from slipway_websocket.reference import Gateway
from slipway_websocket.routes import ROUTES
from slipway_websocket.settings import Settings


async def serve(settings: Settings, life: Life) -> None:
    """Follow who may do what, then take sockets."""
    bus = await life.enter(
        connect(settings.nats_url, name="websocket", user=settings.nats_user, password=settings.nats_password)
    )
    access = await bus.follow_access(life)
    await access.wait_ready()
    hub = Hub(bus, access, remote_locate(bus), settings)
    life.spawn(hub.sweep(life.stopping), name="sweep")
    life.spawn(hub.flush_slow(life.stopping), name="slow clients")
    server = Server(
        ROUTES,
        Gateway(hub, settings),
        access,
        title="Slipway live data",
        allowed_hosts=settings.allowed_hosts,
        origins=[origin(settings.public_url)],
        checks={"bus": lambda: bus.connected},
    )
    await life.enter(serve_http(server, settings.listen_host, settings.listen_port, reuse_port=life.shares_port))
    life.on_stop(hub.stop)


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def main() -> None:
    run(serve, Settings)


if __name__ == "__main__":
    main()
