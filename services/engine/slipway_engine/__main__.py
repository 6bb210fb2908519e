"""Run the engine: python -m slipway_engine"""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import structlog

from slipway_bus import connect
from slipway_contracts.base import uuid7
from slipway_contracts.tasks import Hello
from slipway_engine.app import Engine
from slipway_engine.drivers import load_driver
from slipway_engine.orders import Orders
from slipway_engine.presence import VERSION, say_hello
from slipway_engine.pulling import Pulling
from slipway_engine.reports import Spool
from slipway_engine.settings import Settings
from slipway_engine.steplog import LogSender
from slipway_security.sealing import load_or_create_keypair
from slipway_service import Life, run
from slipway_workloads import Layout, best_isolation, sandbox_works
from slipway_workloads.sandbox import why_not

log = structlog.get_logger()


async def serve(settings: Settings, life: Life) -> None:
    """Connect, and start the loops: tasks, reports, logs, hello, draining."""
    os.umask(0o022)
    layout = Layout(Path(settings.work_dir))
    layout.work_dir.mkdir(parents=True, exist_ok=True)
    layout.work_dir.chmod(0o700)
    log.info("isolation", kind=best_isolation())
    if not sandbox_works():
        log.warning("no sandbox: builds and services run as this user, unenclosed", reason=why_not())
    engine_id = uuid7()
    keys = load_or_create_keypair(settings.key_file)
    bus = await life.enter(
        connect(settings.nats_url, name="engine", user=settings.nats_user, password=settings.nats_password)
    )
    engine = Engine(
        settings=settings,
        engine_id=engine_id,
        bus=bus,
        layout=layout,
        keys=keys,
        driver=load_driver(settings, engine_id, bus),
        spool=Spool(layout.reports_dir, engine_id),
        orders=Orders(bus, settings.cluster_id),
        logs=LogSender(bus, settings.cluster_id),
        build_slots=asyncio.Semaphore(settings.build_slots),
        deploy_slots=asyncio.Semaphore(settings.deploys),
        run_slots=asyncio.Semaphore(settings.runs),
    )
    pulling = Pulling(engine)
    await engine.orders.listen(pulling.obey)
    hello = Hello(
        cluster_id=settings.cluster_id,
        sender="engine",
        instance_id=engine_id,
        version=VERSION,
        capabilities=engine.driver.capabilities,
        public_key=keys.public,
        at=datetime.now(UTC),
    )
    tasks_ended = asyncio.Event()

    async def pull() -> None:
        try:
            await pulling.run(life.stopping)
        finally:
            tasks_ended.set()

    life.spawn(say_hello(bus, hello, life.stopping), "hello")
    life.spawn(pulling.watch_reconnects(life.stopping), "orders")
    life.spawn(engine.driver.attend(life.stopping), "driver")
    life.spawn(engine.logs.run(tasks_ended), "logs")
    life.spawn(engine.spool.send(bus, settings.cluster_id, tasks_ended), "reports")
    life.spawn(pull(), "tasks")


def main() -> None:
    run(serve, Settings)


if __name__ == "__main__":
    main()
