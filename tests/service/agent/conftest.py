"""The agent as a process of its own, on a real bus, beside services that are laid out as the engine does it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slipway_bus import Bus
from slipway_contracts.base import uuid7
from slipway_contracts.live import LOGGED, LogBatch
from slipway_testing.servers import NatsForTests
from slipway_workloads import Launch, Layout, Release, ReleaseDirectory, ServiceMeta, shim_command
from slipway_workloads.records import write


@dataclass
class Machine:
    """A machine of a cluster: its work directory, its agent, and the control plane's view of it."""

    nats: NatsForTests
    core: Bus
    cluster: str
    environment: str
    layout: Layout
    spool: Path
    login: dict[str, str]
    agent: subprocess.Popen[bytes] | None = None
    programs: list[subprocess.Popen[bytes]] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)

    def start_agent(self, **settings: str) -> None:
        self.settings |= settings
        environment = {
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            "SLIPWAY_NATS_URL": self.nats.url,
            "SLIPWAY_CLUSTER_ID": self.cluster,
            "SLIPWAY_WORK_DIR": str(self.layout.work_dir),
            "SLIPWAY_SPOOL_DIR": str(self.spool),
            **self.login,
            **{f"SLIPWAY_{name.upper()}": value for name, value in self.settings.items()},
        }
        self.agent = subprocess.Popen([sys.executable, "-m", "slipway_agent"], env=environment)

    def kill_agent(self) -> None:
        assert self.agent is not None
        self.agent.kill()
        self.agent.wait(10)

    def stop_agent(self) -> int:
        assert self.agent is not None
        self.agent.send_signal(signal.SIGTERM)
        return self.agent.wait(20)

    def service(self, name: str = "web", **about: Any) -> ReleaseDirectory:
        """Lay out a service with one release."""
        service = uuid7()
        directory = self.layout.service(service)
        release = directory.release("20260101-1")
        meta = ServiceMeta(
            cluster_id=self.cluster,
            organization_id=uuid7(),
            project_id=uuid7(),
            environment_id=self.environment,
            service_id=service,
            name=name,
            label=name,
            current_release=release.name,
        )
        about = {
            "state": "running",
            "deployment_id": "d1",
            "commit": "c1",
            "memory_mib": 512,
            "cpu_milli": 500,
            **about,
        }
        write(release.about, Release(name=release.name, created_at=datetime.now(UTC), **about))
        write(directory.meta, meta)
        return release

    def run(self, release: ReleaseDirectory, *command: str) -> subprocess.Popen[bytes]:
        """Run a program under the real shim."""
        launch = Launch(
            argv=list(command),
            command=list(command),
            env={"PATH": os.environ["PATH"]},
            cwd="/",
            sandboxed=False,
            log_directory=str(release.logs),
            status_file=str(release.status),
            stop_grace_seconds=1,
        )
        write(release.launch, launch)
        self.programs.append(subprocess.Popen(shim_command(release.launch)))
        return self.programs[-1]

    async def batches(self, release: ReleaseDirectory) -> list[LogBatch]:
        ids = {"cluster_id": self.cluster, "service_id": release.service.id, "kind": "run"}
        return [stored.message async for stored in self.core.history(LOGGED, **ids)]

    async def texts(self, release: ReleaseDirectory) -> list[str]:
        return [line.text for batch in await self.batches(release) for line in batch.lines]


@pytest.fixture
async def machine(own_nats: NatsForTests, tmp_path: Path) -> AsyncIterator[Machine]:
    cluster = uuid7()
    credentials = await own_nats.issue(cluster)
    login = {"SLIPWAY_NATS_USER": credentials.agent_user, "SLIPWAY_NATS_PASSWORD": credentials.agent_password}
    async with own_nats.bus_as("core") as core:
        layout = Layout(tmp_path / "work")
        machine = Machine(own_nats, core, cluster, uuid7(), layout, tmp_path / "spool", login)
        yield machine
        for program in [*machine.programs, *([machine.agent] if machine.agent else [])]:
            with contextlib.suppress(ProcessLookupError):
                program.terminate()
        for program in [*machine.programs, *([machine.agent] if machine.agent else [])]:
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait(5)
        await asyncio.sleep(0)
