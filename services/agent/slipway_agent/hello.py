"""Says every few seconds that the agent is there, which version it is and what it can do."""

import asyncio
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import structlog

from slipway_bus import Bus
from slipway_contracts.base import uuid7
from slipway_contracts.tasks import REPORTED, ClusterReport, Hello
from slipway_errors import Fault
from slipway_service import Life

log = structlog.get_logger()

CAPABILITIES = ["logs", "metrics", "states", "exec"]


def own_version() -> str:
    """The version of this distribution."""
    try:
        return version("slipway")
    except PackageNotFoundError:
        return "0.0.0"


async def greet(bus: Bus, life: Life, cluster_id: str, seconds: float) -> None:
    """Until the process stops."""
    instance_id, own = uuid7(), own_version()
    while not life.stopping.is_set():
        hello = Hello(
            cluster_id=cluster_id,
            sender="agent",
            instance_id=instance_id,
            version=own,
            capabilities=CAPABILITIES,
            at=datetime.now(UTC),
        )
        try:
            await bus.publish(REPORTED, ClusterReport(hello=hello), cluster_id=cluster_id)
        except Fault as fault:
            log.info("hello not heard", reason=fault.detail)
        try:
            async with asyncio.timeout(seconds):
                await life.stopping.wait()
        except TimeoutError:
            continue
