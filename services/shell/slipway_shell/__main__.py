"""Run the shell gateway: python -m slipway_shell [serve | migrate]"""

import sys
from urllib.parse import urlsplit

from slipway_bus import connect
from slipway_http import Server, remote_locate, serve_http
from slipway_postgres import check_schema, migrate, pool, relay
from slipway_security.envelope import MasterKey
from slipway_service import Life, run
from slipway_service.run import run_once
from slipway_shell.gateway import Gateway
from slipway_shell.routes import ROUTES
from slipway_shell.settings import MigrateSettings, Settings

PACKAGE = "slipway_shell"


async def serve(settings: Settings, life: Life) -> None:
    """Open everything and take sockets."""
    key = MasterKey.load(settings.recordings_key_file) if settings.recordings_key_file else None
    database = await life.enter(pool(settings.postgres_url, "shell"))
    await check_schema(database, PACKAGE)
    bus = await life.enter(
        connect(settings.nats_url, name="shell", user=settings.nats_user, password=settings.nats_password)
    )
    access = await bus.follow_access(life)
    await access.wait_ready()
    locate = remote_locate(bus)
    gateway = Gateway(settings, bus, database, access, locate, key)
    life.spawn(relay(database, bus, life.stopping), name="outbox")
    life.spawn(gateway.sweep(life.stopping), name="sweep")
    server = Server(
        ROUTES,
        gateway,
        access,
        locate=locate,
        title="Slipway shells",
        allowed_hosts=settings.allowed_hosts,
        origins=[origin(settings.public_url)],
        checks={"bus": lambda: bus.connected},
    )
    await life.enter(serve_http(server, settings.listen_host, settings.listen_port, reuse_port=life.shares_port))
    life.on_stop(gateway.stop)


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


async def _migrate(settings: MigrateSettings) -> None:
    await migrate(settings.postgres_url, PACKAGE)


def main() -> None:
    if sys.argv[1:] == ["migrate"]:
        run_once(_migrate, MigrateSettings)
    else:
        run(serve, Settings)


if __name__ == "__main__":
    main()
