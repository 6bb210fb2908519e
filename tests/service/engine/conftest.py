"""A machine for the engine's tests: real NATS, supervisord, Caddy, bubblewrap, git; core is played by the test."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slipway_bus import Bus, create_task_consumer
from slipway_contracts.base import uuid7
from slipway_contracts.live import LOGGED
from slipway_contracts.specs import GitSource, ServiceKind, ServiceSpec, TaskSecrets, TaskVariable
from slipway_contracts.tasks import (
    ORDERED,
    REPORTED,
    TASK,
    Hello,
    Order,
    Report,
    Task,
    TaskKind,
    TaskState,
)
from slipway_embedded import CaddyServer, run_directory
from slipway_embedded.caddy import Upstreams
from slipway_errors import Fault
from slipway_security.sealing import seal
from slipway_testing.servers import NatsForTests
from slipway_testing.waiting import eventually
from slipway_workloads import Layout, Release, ServiceMeta, SupervisorConfig, start_supervisor
from slipway_workloads.records import read

FINAL = (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELED, TaskState.REFUSED)


def git(directory: Path, *arguments: str) -> str:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
    }  # fmt: skip
    done = subprocess.run(
        ["git", *arguments], cwd=directory, env=environment, capture_output=True, check=True, timeout=60
    )
    return done.stdout.decode().strip()


@dataclass
class Repository:
    """A repository on disk, cloned by file://."""

    directory: Path

    @property
    def url(self) -> str:
        return f"file://{self.directory}"

    def commit(self, files: Mapping[str, str], *, fresh: bool = True) -> str:
        """Commit exactly these files; the commit's id."""
        if not (self.directory / ".git").exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            git(self.directory, "init", "-q", "-b", "main")
        if fresh:
            for path in self.directory.iterdir():
                if path.name != ".git":
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for name, text in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self.save()

    def save(self) -> str:
        git(self.directory, "add", "-A")
        git(self.directory, "commit", "-q", "--allow-empty", "-m", "change")
        return git(self.directory, "rev-parse", "HEAD")


@dataclass
class Machine:
    """One machine with its servers, one cluster, any number of engines."""

    work_dir: Path
    nats: NatsForTests
    core: Bus
    caddy: CaddyServer
    supervisor: SupervisorConfig
    cluster_id: str
    credentials: Any
    directory: Path
    reports: list[Report] = field(default_factory=list)
    hellos: list[Hello] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    engines: list[asyncio.subprocess.Process] = field(default_factory=list)
    registry: dict[str, str] = field(default_factory=dict)
    """What the engine's environment says of package registries."""
    fence: int = 0
    organization_id: str = field(default_factory=uuid7)
    environment_id: str = field(default_factory=uuid7)

    @property
    def layout(self) -> Layout:
        return Layout(self.work_dir)

    async def listen(self) -> None:
        await self.core.listen(f"live.logs.{self.cluster_id}.>", self._logged)
        self.core.background(self._read_reports())

    async def _read_reports(self) -> None:
        """From the stream, as core does: what came while nobody was connected is read later."""
        sequence = 0
        while True:
            with contextlib.suppress(Fault):
                async for stored in self.core.history(REPORTED, after_sequence=sequence, cluster_id=self.cluster_id):
                    sequence = stored.sequence
                    if stored.message.report:
                        self.reports.append(stored.message.report)
                    if stored.message.hello:
                        self.hellos.append(stored.message.hello)
            await asyncio.sleep(0.05)

    async def _logged(self, raw: Any) -> None:
        batch = msgspec.json.decode(raw.data, type=LOGGED.message)
        self.logs += [line.text for line in batch.lines]

    async def start_engine(self, **settings: object) -> asyncio.subprocess.Process:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            **self.registry,
            "SLIPWAY_CLUSTER_ID": self.cluster_id,
            "SLIPWAY_WORK_DIR": str(self.work_dir),
            "SLIPWAY_NATS_URL": self.nats.url,
            "SLIPWAY_NATS_USER": self.credentials.engine_user,
            "SLIPWAY_NATS_PASSWORD": self.credentials.engine_password,
            "SLIPWAY_SUPERVISOR_SOCKET": str(self.supervisor.socket),
            "SLIPWAY_CADDY_ADMIN_SOCKET": str(self.caddy.admin_socket),
            "SLIPWAY_KEY_FILE": str(self.directory / "engine.key"),
            "SLIPWAY_ALLOW_FILE_REPOSITORIES": "true",
            "SLIPWAY_DRAIN_SECONDS": "20",
            **{f"SLIPWAY_{name.upper()}": str(value) for name, value in settings.items()},
        }
        log = (self.directory / f"engine-{len(self.engines)}.log").open("wb")
        known = len(self.hellos)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "slipway_engine", env=environment, stdout=log, stderr=log, cwd="/"
        )
        log.close()
        self.engines.append(process)
        await eventually(lambda: len(self.hellos) > known or process.returncode is not None, 20)
        assert process.returncode is None, (self.directory / f"engine-{len(self.engines) - 1}.log").read_text()
        return process

    def task(self, kind: TaskKind, service: ServiceSpec, secrets: TaskSecrets | None = None, **fields: Any) -> Task:
        self.fence += 1
        task_id = uuid7()
        now = datetime.now(UTC)
        sealed = b""
        if secrets is not None:
            sealed = seal(self.hellos[-1].public_key, msgspec.json.encode(secrets), f"{self.cluster_id}:{task_id}")
        values: dict[str, Any] = {
            "id": task_id, "kind": kind, "fence": self.fence, "organization_id": self.organization_id,
            "project_id": uuid7(), "environment_id": self.environment_id, "service_id": service.id,
            "cluster_id": self.cluster_id, "deployment_id": uuid7(), "step_id": uuid7(), "service": service,
            "sealed_secrets": sealed, "deadline_at": now + timedelta(seconds=300), "created_at": now,
        }  # fmt: skip
        return Task(**{**values, **fields})

    async def send(self, task: Task) -> None:
        await self.core.publish(TASK, task, cluster_id=self.cluster_id)

    async def order(self, task: Task, *, forced: bool = False) -> None:
        order = Order(task_id=task.id, forced=forced, reason="Canceled by Ada.", at=datetime.now(UTC))
        await self.core.publish(ORDERED, order, cluster_id=self.cluster_id, task_id=task.id)

    async def final(self, task: Task, timeout_seconds: float = 60) -> Report:
        """The task's final report."""

        def found() -> Report | None:
            return next((one for one in self.reports if one.task_id == task.id and one.state in FINAL), None)

        report = await eventually(found, timeout_seconds)
        assert report is not None
        return report

    async def run(
        self, kind: TaskKind, service: ServiceSpec, secrets: TaskSecrets | None = None, **fields: Any
    ) -> Report:
        task = self.task(kind, service, secrets, **fields)
        await self.send(task)
        return await self.final(task)

    async def ship(self, service: ServiceSpec, variables: Mapping[str, str] | None = None) -> Report:
        """Build and deploy; the last report, whatever it is."""
        secrets = TaskSecrets(
            variables=[TaskVariable(key=key, value=value) for key, value in (variables or {}).items()]
        )
        built = await self.run(TaskKind.BUILD, service, secrets)
        if built.state is not TaskState.SUCCEEDED:
            return built
        return await self.run(TaskKind.DEPLOY, service, secrets, artifact=built.artifact)

    def service(self, repository: Repository, commit: str, **fields: Any) -> ServiceSpec:
        id = fields.pop("id", None) or uuid7()
        root_path = fields.pop("root_path", "/")
        values: dict[str, Any] = {
            "id": id, "kind": ServiceKind.APPLICATION, "name": "web", "label": f"web-{id[-8:]}",
            "git": GitSource(url=repository.url, branch="main", commit=commit, root_path=root_path),
            "start_timeout_seconds": 10, "stop_grace_seconds": 3,
        }  # fmt: skip
        return ServiceSpec(**{**values, **fields})

    async def page(self, service: ServiceSpec, path: str = "/") -> tuple[int, str]:
        """GET through Caddy."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.caddy.port)
        try:
            head = f"GET {path} HTTP/1.0\r\nHost: {service.label}.localhost:{self.caddy.port}\r\n\r\n"
            writer.write(head.encode())
            async with asyncio.timeout(40):
                answer = await reader.read()
        finally:
            writer.close()
        top, _, body = answer.partition(b"\r\n\r\n")
        return int(top.split()[1]), body.decode()

    def meta(self, service: ServiceSpec) -> ServiceMeta | None:
        return read(self.layout.service(service.id).meta, ServiceMeta)

    def releases(self, service: ServiceSpec) -> dict[str, str]:
        """Name → state."""
        directory = self.layout.service(service.id)
        found = {name: read(directory.release(name).about, Release) for name in directory.release_names()}
        return {name: release.state for name, release in found.items() if release}

    async def stop_engines(self) -> None:
        for process in self.engines:
            if process.returncode is None:
                process.send_signal(18)
                process.terminate()
        for process in self.engines:
            async with asyncio.timeout(40):
                await process.wait()


@asynccontextmanager
async def machine_with(directory: Path, nats: NatsForTests) -> AsyncIterator[Machine]:
    work_dir = directory / "work dir"
    work_dir.mkdir()
    cluster_id = uuid7()
    credentials = await nats.issue(cluster_id)
    sockets = run_directory(directory)
    supervisor = SupervisorConfig(Layout(work_dir), sockets / "workloads.sock")
    workloads = start_supervisor(supervisor)
    caddy = CaddyServer(directory / "caddy", upstreams=Upstreams(routes=work_dir / "routes"), run_directory=sockets)
    try:
        async with nats.bus_as("operator") as core, caddy:
            await create_task_consumer(core, cluster_id)
            machine = Machine(work_dir, nats, core, caddy, supervisor, cluster_id, credentials, directory)
            await machine.listen()
            try:
                yield machine
            finally:
                await machine.stop_engines()
    finally:
        workloads.terminate()
        await asyncio.to_thread(workloads.wait, 30)


@pytest.fixture
async def machine(tmp_path: Path, nats: NatsForTests) -> AsyncIterator[Machine]:
    """A machine with one engine."""
    async with machine_with(tmp_path, nats) as machine:
        await machine.start_engine()
        yield machine


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
async def own_machine(tmp_path: Path, own_nats: NatsForTests) -> AsyncIterator[Machine]:
    """A machine whose bus may be killed."""
    async with machine_with(tmp_path, own_nats) as machine:
        await machine.start_engine()
        yield machine
