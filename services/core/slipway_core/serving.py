"""Open everything that core needs, and start its loops."""

import asyncio
from functools import partial

from slipway_bus import Bus, connect, declare
from slipway_bus.accounts import AccountsFile
from slipway_contracts.places import LOCATE, Locate, Place
from slipway_core.app import SYSTEM, Core, Work, utc_now
from slipway_core.handlers import copying, keys, oidc, overdue, places, rotation
from slipway_core.routes import ROUTES, SUBSCRIPTIONS
from slipway_core.settings import Settings
from slipway_http import CachedLocate, Limits, Server, Serving, serve_http
from slipway_postgres import Pool, check_schema, pool, relay, transaction
from slipway_security.keyring import KeyRing
from slipway_service import Life


async def serve(settings: Settings, life: Life) -> None:
    """Open everything, then let requests in."""
    await serve_with(await open_core(settings, life), settings, life)


async def serve_with(app: Core, settings: Settings, life: Life) -> Serving:
    """Let requests in, once it is known who may do what."""
    locate = partial(places.locate, app)
    server = Server(
        ROUTES,
        app,
        app.access,
        CachedLocate(locate),
        title="Slipway",
        allowed_hosts=settings.allowed_hosts,
        origins=[settings.public_url],
        checks={"bus": lambda: app.bus.connected, "access": lambda: app.access.fresh(app.clock())},
        limits=_limits(settings),
        openapi=True,
    )
    await app.access.wait_ready()
    await app.bus.serve(LOCATE, partial(_located, app))
    return await life.enter(serve_http(server, settings.listen_host, settings.listen_port, reuse_port=life.shares_port))


def _limits(settings: Settings) -> Limits:
    callers, addresses = settings.caller_requests_per_second, settings.address_requests_per_second
    return Limits(
        caller_per_second=callers,
        caller_burst=int(5 * callers),
        address_per_second=addresses,
        address_burst=int(10 * addresses),
    )


async def _located(app: Core, message: Locate, ids: dict[str, str]) -> Place:
    return await places.answer(app, message)


async def open_core(settings: Settings, life: Life) -> Core:
    """Everything but the listening: database, bus, keys, loops."""
    master_key = keys.key_ring(settings)
    database = await life.enter(pool(settings.postgres_url, "core"))
    await check_schema(database, "slipway_core")
    bus = await life.enter(
        connect(settings.nats_url, name="core", user=settings.nats_user, password=settings.nats_password)
    )
    await declare(bus)
    app = await _core(settings, life, master_key, database, bus)
    # Whoever was let in before this start is known before the heartbeat says that everybody is.
    while await copying.copy_waiting(app):
        pass
    _spawn(app, life)
    return app


async def _core(settings: Settings, life: Life, master_key: KeyRing, database: Pool, bus: Bus) -> Core:
    async with transaction(database) as connection:
        work = Work(connection, SYSTEM, utc_now())
        signing_key = await keys.signing_key(work, master_key)
        await work.copies.add("git-links", await work.git_links.rebase(settings.public_url))
    return Core(
        pool=database,
        bus=bus,
        master_key=master_key,
        settings=settings,
        access=await bus.follow_access(life),
        signing_key=signing_key,
        accounts=accounts_of(settings),
        identity_provider=oidc.provider_of(settings),
    )


def accounts_of(settings: Settings) -> AccountsFile | None:
    """Where credentials of clusters are issued, if that is here."""
    if not settings.nats_accounts_file:
        return None
    return AccountsFile(settings.nats_accounts_file, settings.nats_pid_file or None)


def _spawn(app: Core, life: Life) -> None:
    woken = asyncio.Event()
    life.spawn(copying.copy_loop(app, woken, life.stopping), name="copies")
    life.spawn(copying.listen_loop(app, woken, life.stopping), name="copies-bell")
    life.spawn(copying.alive_loop(app, life.stopping), name="alive")
    life.spawn(copying.mark_at_start(app, life.stopping), name="copies-at-start")
    life.spawn(relay(app.pool, app.bus, life.stopping), name="relay")
    life.spawn(overdue.watch(app, life.stopping), name="clock")
    life.spawn(rotation.remove_old_keys(app.pool, app.master_key, life.stopping), name="old-keys")
    for subscription in SUBSCRIPTIONS:
        life.spawn(app.bus.consume(subscription, app, life.stopping), name=subscription.durable)
