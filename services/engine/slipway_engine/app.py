"""What the parts of the engine share."""

import asyncio
from dataclasses import dataclass

from slipway_bus import Bus
from slipway_engine.drivers import Driver
from slipway_engine.orders import Orders
from slipway_engine.reports import Spool
from slipway_engine.settings import Settings
from slipway_engine.steplog import LogSender
from slipway_security.sealing import KeyPair
from slipway_workloads import Layout


@dataclass
class Engine:
    """One engine process."""

    settings: Settings
    engine_id: str
    bus: Bus
    layout: Layout
    keys: KeyPair
    driver: Driver
    spool: Spool
    orders: Orders
    logs: LogSender
    build_slots: asyncio.Semaphore
    deploy_slots: asyncio.Semaphore
