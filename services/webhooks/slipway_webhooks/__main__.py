"""Run the webhook gateway: python -m slipway_webhooks [--workers N] | migrate"""

import sys
from typing import cast

import msgspec

from slipway_bus import connect
from slipway_bus.tables import follow
from slipway_contracts.git import GIT_LINKS
from slipway_http import remote_locate
from slipway_postgres import migrate
from slipway_security.sealing import load_keypair
from slipway_service import Life, run
from slipway_service.run import run_once
from slipway_webhooks.app import Webhooks
from slipway_webhooks.bodies import Budget
from slipway_webhooks.deliverylog import PACKAGE, DeliveryLog
from slipway_webhooks.figures import registered
from slipway_webhooks.front import Front, serve_front
from slipway_webhooks.links import Links
from slipway_webhooks.routes import ROUTES
from slipway_webhooks.settings import MigrateSettings, Settings


async def serve(settings: Settings, life: Life) -> None:
    """Open everything and listen."""
    keys = load_keypair(settings.private_key_file)
    bus = await life.enter(
        connect(settings.nats_url, name="webhooks", user=settings.nats_user, password=settings.nats_password)
    )
    access = await bus.follow_access(life)
    links = Links(keys.private)
    life.spawn(follow(await bus.table(GIT_LINKS), links.apply, life.stopping), name="links")
    deliveries = DeliveryLog(settings.postgres_url, settings.log_days)
    life.spawn(deliveries.run(life.stopping), name="delivery log")
    app = Webhooks(settings, bus, links, deliveries, Budget(settings.bodies_bytes))
    await life.enter(registered(app.figures))
    server = Front(
        ROUTES,
        app,
        access,
        remote_locate(bus),
        title="Slipway webhooks",
        allowed_hosts=settings.allowed_hosts,
        checks={"bus": lambda: bus.connected, "links": lambda: links.loaded},
    )
    await life.enter(
        serve_front(
            server,
            settings.listen_host,
            settings.listen_port,
            reuse_port=life.shares_port,
            drain_seconds=settings.stop_seconds,
        )
    )


async def _migrate(settings: MigrateSettings) -> None:
    await migrate(settings.postgres_url, PACKAGE)


def _with_workers(arguments: list[str]) -> type[Settings]:
    """The settings, with the number of workers that `--workers N` gives instead of their default."""
    if len(arguments) != 2 or arguments[0] != "--workers" or not arguments[1].isdecimal():
        return Settings
    fields = [("workers", int, int(arguments[1]))]
    changed = msgspec.defstruct("Settings", fields, bases=(Settings,), module=__name__, frozen=True, kw_only=True)
    return cast("type[Settings]", changed)


def main() -> None:
    if sys.argv[1:] == ["migrate"]:
        run_once(_migrate, MigrateSettings)
    else:
        run(serve, _with_workers(sys.argv[1:]))


if __name__ == "__main__":
    main()
