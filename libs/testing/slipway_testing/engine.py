"""An engine without a machine: takes tasks of its cluster off the bus, and reports what a test says."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from slipway_bus import Bus, Delivery
from slipway_contracts.specs import TaskSecrets
from slipway_contracts.streams import TASKS
from slipway_contracts.tasks import REPORTED, ClusterReport, Hello, Report, Task, TaskState
from slipway_security import sealing


@dataclass
class Engine:
    """Takes tasks of its cluster off the bus, and reports what a test says."""

    bus: Bus
    cluster_id: str
    keys: sealing.KeyPair = field(default_factory=sealing.new_keypair)
    id: str = "engine-1"

    async def hello(self, version: str = "0.1.0") -> None:
        hello = Hello(
            cluster_id=self.cluster_id,
            sender="engine",
            instance_id=self.id,
            version=version,
            public_key=self.keys.public,
            at=datetime.now(UTC),
        )
        await self.bus.publish(REPORTED, ClusterReport(hello=hello), cluster_id=self.cluster_id)

    async def take(self, timeout_seconds: float = 10) -> "Taken":
        """The next task; it stays leased until it is settled."""
        until = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            left = until - asyncio.get_running_loop().time()
            assert left > 0, "no task came"
            for delivery in await self.bus.pull(TASKS.name, self.cluster_id, 1, min(left, 2)):
                return Taken(self, delivery, delivery.decode(Task))

    async def nothing(self, timeout_seconds: float = 0.3) -> bool:
        """Whether there is nothing to take."""
        return not await self.bus.pull(TASKS.name, self.cluster_id, 1, timeout_seconds)


@dataclass
class Taken:
    """A task in an engine's hands."""

    engine: Engine
    delivery: Delivery
    task: Task
    sequence: int = 0

    def secrets(self) -> TaskSecrets:
        opened = sealing.open_sealed(
            self.engine.keys.private, self.task.sealed_secrets, f"{self.task.cluster_id}:{self.task.id}"
        )
        return msgspec.json.decode(opened, type=TaskSecrets)

    def report(self, state: TaskState, **fields: Any) -> Report:
        self.sequence += 1
        known: dict[str, Any] = {
            "cluster_id": self.task.cluster_id,
            "engine_id": self.engine.id,
            "task_id": self.task.id,
            "step_id": self.task.step_id,
            "deployment_id": self.task.deployment_id,
            "service_id": self.task.service_id,
            "fence": self.task.fence,
            "delivery": self.delivery.deliveries,
            "sequence": self.sequence,
            "at": datetime.now(UTC),
        }
        return Report(state=state, **(known | fields))

    async def say(self, state: TaskState, **fields: Any) -> None:
        report = ClusterReport(report=self.report(state, **fields))
        await self.engine.bus.publish(REPORTED, report, cluster_id=self.engine.cluster_id)

    async def done(self, **fields: Any) -> Task:
        """Start, succeed, acknowledge."""
        await self.say(TaskState.STARTED)
        await self.say(TaskState.SUCCEEDED, **(self._artifact() | fields))
        await self.delivery.ack()
        return self.task

    async def fail(self, **fields: Any) -> Task:
        known: dict[str, Any] = {"code": "start.exited", "message": "it ended with 3", "details": "no DATABASE_URL"}
        await self.say(TaskState.STARTED)
        await self.say(TaskState.FAILED, **(known | fields))
        await self.delivery.ack()
        return self.task

    def _artifact(self) -> dict[str, Any]:
        git = self.task.service.git
        return {"artifact": f"built {git.commit}"} if self.task.kind == "build" and git is not None else {}
