"""What the parts of the engine share."""

import asyncio
from dataclasses import dataclass

from slipway_bus import Bus
from slipway_contracts.tasks import TaskKind
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
    run_slots: asyncio.Semaphore

    def slots_for(self, kind: TaskKind) -> asyncio.Semaphore:
        """How many tasks of a kind are worked on at once: long runs of jobs keep no deployment waiting."""
        return {TaskKind.BUILD: self.build_slots, TaskKind.RUN: self.run_slots}.get(kind, self.deploy_slots)
