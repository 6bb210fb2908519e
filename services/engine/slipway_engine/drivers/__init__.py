"""What executes tasks. A driver is idempotent and resumable: the same work again continues it or finds it done.

Invariant: before each effect a driver asks the work's fence; what a canceled or failed work began it ends itself,
and what ran before goes on running.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from slipway_contracts.specs import TaskSecrets
from slipway_contracts.tasks import StepMetric, Task
from slipway_engine.fences import Fence
from slipway_engine.steplog import StepLog

if TYPE_CHECKING:
    import asyncio

    from slipway_bus import Bus
    from slipway_engine.settings import Settings


@dataclass
class Work:
    """One task in hand, as a driver sees it."""

    task: Task
    secrets: TaskSecrets
    fence: Fence
    log: StepLog
    tell: Callable[[str, int | None], Awaitable[None]]
    """Progress for the user: one sentence, and percent where they are known."""
    metrics: list[StepMetric] = field(default_factory=list)
    forced: bool = False
    """Canceled by force: end what was begun without grace."""
    leaving: bool = False
    """It goes on elsewhere (this engine stops, or lost its lease): what was begun must be left as it is."""


@dataclass(frozen=True)
class Outcome:
    """What a work came to."""

    message: str
    artifact: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    sealed_outputs: bytes = b""
    """What a job gives, for core alone."""


@dataclass(frozen=True)
class Observed:
    """What a driver sees of a service now."""

    service_id: str
    release: str
    state: str
    reason: str = ""


class Driver(Protocol):
    """How tasks become reality in one kind of cluster."""

    capabilities: list[str]

    async def build(self, work: Work) -> Outcome:
        """Make an artifact of the commit."""
        ...

    async def deploy(self, work: Work) -> Outcome:
        """Start the artifact beside what runs, wait until it answers, switch, drain the old one."""
        ...

    async def stop(self, work: Work) -> Outcome:
        """End the processes; all else stays."""
        ...

    async def start(self, work: Work) -> Outcome:
        """Start what was stopped, as it was."""
        ...

    async def restart(self, work: Work) -> Outcome:
        """New processes of the same version, without a gap."""
        ...

    async def delete(self, work: Work) -> Outcome:
        """Remove the service and all it has."""
        ...

    async def run(self, work: Work) -> Outcome:
        """Run a deployed job to its end."""
        ...

    async def clean(self, work: Work) -> Outcome:
        """Remove what failed runs of a job left."""
        ...

    async def observe(self) -> list[Observed]:
        """What runs."""
        ...

    async def attend(self, stopping: "asyncio.Event") -> None:
        """What goes on between tasks: draining old versions, cleaning up."""
        ...


def load_driver(settings: "Settings", engine_id: str, bus: "Bus") -> Driver:
    """The driver that the settings name, imported only now."""
    if settings.driver != "local":
        raise ValueError(f"There is no driver {settings.driver!r}.")
    from slipway_engine.drivers.local import LocalDriver

    return LocalDriver(settings)
