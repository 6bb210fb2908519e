"""Run the scheduler: python -m slipway_scheduler [migrate]"""

import sys
from functools import partial
from typing import Any

from slipway_bus import connect
from slipway_contracts.base import Topic
from slipway_http import Server, remote_locate, serve_http
from slipway_postgres import check_schema, migrate, pool, relay
from slipway_scheduler.app import Scheduler
from slipway_scheduler.handlers.firing import fire_for_ever
from slipway_scheduler.routes import REQUESTS, ROUTES, SUBSCRIPTIONS
from slipway_scheduler.settings import MigrateSettings, Settings
from slipway_service import Life, run, run_once


async def serve(settings: Settings, life: Life) -> None:
    """Open everything and start the loops."""
    database = await life.enter(pool(settings.postgres_url, "scheduler", max_size=5))
    await check_schema(database, "slipway_scheduler")
    bus = await life.enter(
        connect(settings.nats_url, name="scheduler", user=settings.nats_user, password=settings.nats_password)
    )
    app = Scheduler(database, bus=bus, firings_kept_days=settings.firings_kept_days)
    access = await bus.follow_access(life)
    server = Server(
        ROUTES,
        app,
        access,
        remote_locate(bus),
        title="Slipway scheduler",
        allowed_hosts=settings.allowed_hosts,
        origins=[settings.public_url],
        checks={"bus": lambda: bus.connected},
    )
    await life.enter(serve_http(server, settings.listen_host, settings.listen_port, reuse_port=life.shares_port))
    requests: tuple[tuple[Topic[Any], Any], ...] = REQUESTS
    for topic, handler in requests:
        await bus.serve(topic, partial(handler, app))
    for subscription in SUBSCRIPTIONS:
        life.spawn(bus.consume(subscription, app, life.stopping), name=subscription.durable)
    life.spawn(fire_for_ever(app, life.stopping), name="firing")
    life.spawn(relay(database, bus, life.stopping), name="relay")


async def apply_migrations(settings: MigrateSettings) -> None:
    """Bring the database up to this release."""
    await migrate(settings.postgres_url, "slipway_scheduler")


def main() -> None:
    if sys.argv[1:] == ["migrate"]:
        run_once(apply_migrations, MigrateSettings)
    elif sys.argv[1:]:
        sys.exit("usage: python -m slipway_scheduler [migrate]")
    else:
        run(serve, Settings)


if __name__ == "__main__":
    main()
