"""The engine says that it is there, what it can do, and which key to seal secrets for."""

import asyncio
from datetime import UTC, datetime

import structlog

from slipway_bus import Bus
from slipway_contracts.tasks import REPORTED, ClusterReport, Hello
from slipway_errors import Fault

HELLO_SECONDS = 15.0
VERSION = "0.1.0"
log = structlog.get_logger()


async def say_hello(bus: Bus, hello: Hello, stopping: asyncio.Event) -> None:
    """Every 15 seconds, and at once after each reconnect. Hellos are not kept for later: the next one says the same."""
    connections = -1
    while not stopping.is_set():
        try:
            connections = bus.connections
            now = datetime.now(UTC)
            fresh = Hello(**{name: getattr(hello, name) for name in hello.__struct_fields__} | {"at": now})
            await bus.publish(REPORTED, ClusterReport(hello=fresh), cluster_id=hello.cluster_id)
        except Fault as fault:
            log.warning("no hello", reason=fault.detail)
        await _pause(bus, connections, stopping)


async def _pause(bus: Bus, connections: int, stopping: asyncio.Event) -> None:
    for _ in range(int(HELLO_SECONDS)):
        if stopping.is_set() or bus.connections != connections:
            return
        try:
            async with asyncio.timeout(1.0):
                await stopping.wait()
        except TimeoutError:
            continue
