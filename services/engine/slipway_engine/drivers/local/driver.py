"""The verbs of the local driver: build, deploy, stop, start, restart, delete, observe."""

import asyncio
from pathlib import Path

from slipway_contracts.specs import ServiceKind, TaskVariable
from slipway_engine.drivers import Observed, Outcome, Work
from slipway_engine.drivers.local.building import Building, measured
from slipway_engine.drivers.local.claims import changed, claim, meta_of, service_of
from slipway_engine.drivers.local.cleaning import Cleaning
from slipway_engine.drivers.local.databases import Databases
from slipway_engine.drivers.local.draining import Draining
from slipway_engine.drivers.local.jobs import Jobs
from slipway_engine.drivers.local.launching import Launching, about, files_of, variables_of
from slipway_engine.drivers.local.paths import Artifact, read_artifact, release_name
from slipway_engine.drivers.local.ports import Ports
from slipway_engine.drivers.local.readiness import Watch
from slipway_engine.drivers.local.releases import Releases, free_bytes
from slipway_engine.drivers.local.routing import STOPPED_UPSTREAM, Routes
from slipway_engine.patience import completed, in_thread, uninterrupted
from slipway_engine.problems import TaskFailed
from slipway_engine.settings import Settings
from slipway_engine.trees import remove_tree
from slipway_workloads import (
    Launch,
    Layout,
    Release,
    ReleaseDirectory,
    ServiceDirectory,
    Status,
    Supervisor,
    SupervisorConfig,
    sandbox_works,
)
from slipway_workloads.records import read, write, write_bytes

LEAST_FREE_BYTES = 256 * 1024 * 1024


class NotDeployed(TaskFailed):
    """The service was never deployed here."""

    code = "service.not_deployed"


class DiskFull(TaskFailed):
    """The disk of this machine is full."""

    code = "disk.full"


class LocalDriver:
    """Implements `drivers.Driver` with the processes of this machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._layout = Layout(Path(settings.work_dir))
        supervisor = Supervisor(SupervisorConfig(self._layout, Path(settings.supervisor_socket)))
        self._releases = Releases(supervisor, settings.keep_releases)
        self._building = Building(self._layout, settings)
        self._launching = Launching(self._layout, settings)
        self._ports = Ports(self._layout, settings)
        self._routes = Routes(Path(settings.caddy_admin_socket) if settings.caddy_admin_socket else None)
        self._draining = Draining(self._layout, self._releases, settings.drain_seconds)
        self._cleaning = Cleaning(self._layout)
        databases = Databases(self._layout, self._releases, self._ports)
        self._jobs = Jobs(self._layout, self._releases, self._launching)
        self._kinds: dict[str, Databases | Jobs] = {ServiceKind.DATABASE: databases, ServiceKind.JOB: self._jobs}
        isolation = "sandbox" if sandbox_works() else "no-sandbox"
        self.capabilities = ["local", "build", isolation, *self._jobs.capabilities, *databases.capabilities]

    async def attend(self, stopping: asyncio.Event) -> None:
        """Drain old versions and clean up until `stopping`."""
        await asyncio.gather(self._draining.attend(stopping), self._cleaning.attend(stopping))

    async def build(self, work: Work) -> Outcome:
        self._check_disk()
        return await self._building.build(work)

    async def run(self, work: Work) -> Outcome:
        self._check_disk()
        return await self._jobs.run(work)

    async def clean(self, work: Work) -> Outcome:
        return await self._jobs.clean(work)

    async def deploy(self, work: Work) -> Outcome:
        self._check_disk()
        if kind := self._kinds.get(work.task.service.kind):
            return await kind.deploy(work)
        artifact = await asyncio.to_thread(read_artifact, self._layout, work.task.artifact)
        if artifact is None:
            raise TaskFailed(
                "The built version is no longer on this machine: deploy the commit again, and it is built anew.",
                code="deploy.artifact_missing",
            )
        return await self._roll_out(work, artifact, list(work.secrets.variables))

    async def restart(self, work: Work) -> Outcome:
        """The same version with the same variables in new processes, without a gap."""
        if isinstance(kind := self._kinds.get(work.task.service.kind), Databases):
            return await kind.restart(work)
        artifact, variables = await asyncio.to_thread(self._as_it_was, work)
        return await self._roll_out(work, artifact, variables)

    async def start(self, work: Work) -> Outcome:
        if kind := self._kinds.get(work.task.service.kind):
            return await kind.start(work)
        meta, service = meta_of(self._layout, work), service_of(self._layout, work)
        if meta and meta.desired == "running" and self._runs(service.release(meta.current_release)):
            return Outcome("It runs already.")
        return await self.restart(work)

    async def stop(self, work: Work) -> Outcome:
        if kind := self._kinds.get(work.task.service.kind):
            return await kind.stop(work)
        service, meta = service_of(self._layout, work), meta_of(self._layout, work)
        if meta is None:
            return Outcome("There is nothing to stop.")
        await self._routes.ensure(service, self._hostnames(work))
        async with work.fence.held():
            write_bytes(service.upstream, STOPPED_UPSTREAM.encode())
            write(service.meta, changed(meta, work, desired="stopped"))
        for name in service.release_names():
            if self._state(service, name) in ("starting", "running", "draining"):
                work.log.say(f"Stopping release {name}")
                await (self._releases.pause if name == meta.current_release else self._releases.retire)(service, name)
        return Outcome("Stopped.")

    async def delete(self, work: Work) -> Outcome:
        if kind := self._kinds.get(work.task.service.kind):
            return await kind.delete(work)
        service = service_of(self._layout, work)
        async with work.fence.held():
            await self._routes.remove(service)
            meta = meta_of(self._layout, work)
            if meta is not None:
                write(service.meta, changed(meta, work, desired="deleted"))
        for name in service.release_names():
            await self._releases.retire(service, name, forced=work.forced)
        await work.fence.check()
        await asyncio.to_thread(remove_tree, service.root)
        await asyncio.to_thread(remove_tree, self._layout.mirrors_dir / f"{service.id}.git")
        return Outcome("Deleted.")

    async def observe(self) -> list[Observed]:
        return await asyncio.to_thread(self._observe)

    # The way to a new version

    async def _roll_out(self, work: Work, artifact: Artifact, variables: list[TaskVariable]) -> Outcome:
        service = service_of(self._layout, work)
        done = self._rolled_out_before(work, service)
        if done is not None:
            await self._routes.ensure(service, self._hostnames(work))
            await uninterrupted(self._switch(work, service, done))
            return Outcome(f"Release {done.name} answers.", outputs={"release": done.name}, artifact=artifact.key)
        await self._end_unfinished(work, service)
        release = service.release(release_name(work.task.fence, work.fence.mark.delivery))
        port = self._ports.take()
        try:
            with measured(work, "DEPLOYMENT"):
                try:
                    await self._begin(work, release, artifact, variables, port)
                    await self._until_ready(work, release, port)
                    await self._routes.ensure(service, self._hostnames(work))
                except BaseException:
                    await uninterrupted(self._give_up(work, service, release))
                    raise
                await uninterrupted(self._switch_or_give_up(work, service, release))
        finally:
            self._ports.free(port)
        outputs = {"release": release.name, "port": str(port)}
        return Outcome(f"Release {release.name} answers.", outputs=outputs, artifact=artifact.key)

    async def _begin(
        self, work: Work, release: ReleaseDirectory, artifact: Artifact, variables: list[TaskVariable], port: int
    ) -> None:
        """Lay the release out and start its process."""
        await work.tell("Starting the new version", 10)
        work.log.say(f"Starting release {release.name} on port {port}: {' '.join(artifact.start_command)[:200]}")
        await work.fence.check()
        claim(self._layout, work, self._hostnames(work))
        memory_mib = work.task.service.memory_mib
        await in_thread(self._launching.lay_out, release, artifact, work.task, variables, port, memory_mib)
        write(release.about, about(release, artifact, work.task, port))
        await work.fence.check()
        await completed(self._releases.start(release))

    async def _until_ready(self, work: Work, release: ReleaseDirectory, port: int) -> None:
        await work.tell("Waiting until the new version answers", 60)
        await Watch(release, work.task.service, port, work.log).until_ready()
        work.log.say("The new version answers")

    async def _switch_or_give_up(self, work: Work, service: ServiceDirectory, release: ReleaseDirectory) -> None:
        try:
            await self._switch(work, service, release)
        except BaseException:
            await self._give_up(work, service, release)
            raise

    async def _switch(self, work: Work, service: ServiceDirectory, release: ReleaseDirectory) -> None:
        """From here on requests go to the new version. Not canceled half-way: it takes milliseconds.

        Done again it changes nothing, so an engine that died in its middle is followed by one that completes it.
        """
        meta, record = meta_of(self._layout, work), read(release.about, Release)
        assert meta is not None, "a release that is being started has its service's record"
        assert record is not None, "and its own"
        async with work.fence.held():
            self._releases.mark(service, release.name, "running")
            write(service.meta, changed(meta, work, desired="running", current_release=release.name))
            try:
                write_bytes(service.upstream, f"127.0.0.1:{record.port}".encode())
            except OSError:
                # The disk is full: requests still go to the old version, so the record has to say so.
                write(service.meta, meta)
                raise
        work.log.say("Requests go to the new version now")
        for name in service.release_names():
            if name != release.name and self._state(service, name) in ("running", "stopped"):
                await self._end_old(service, name)

    async def _end_old(self, service: ServiceDirectory, name: str) -> None:
        if self._state(service, name) == "running":
            self._draining.begin(service, name)
        elif service.release(name).launch.exists():
            await self._releases.retire(service, name)

    async def _give_up(self, work: Work, service: ServiceDirectory, release: ReleaseDirectory) -> None:
        """The new version ends, unless it gets the requests already; the old one never noticed."""
        meta = meta_of(self._layout, work)
        if meta is None or meta.current_release != release.name:
            await self._releases.retire(service, release.name, forced=work.forced, state="failed")

    def _rolled_out_before(self, work: Work, service: ServiceDirectory) -> ReleaseDirectory | None:
        """The release to which an earlier delivery of this task switched before its engine died."""
        meta = meta_of(self._layout, work)
        if meta is None or not meta.current_release.startswith(f"{work.task.fence:010d}-"):
            return None
        release = service.release(meta.current_release)
        return release if meta.desired == "running" and self._runs(release) else None

    async def _end_unfinished(self, work: Work, service: ServiceDirectory) -> None:
        """What deploys that died began."""
        meta = meta_of(self._layout, work)
        for name in service.release_names():
            if self._state(service, name) == "starting" and (meta is None or meta.current_release != name):
                await work.fence.check()
                await self._releases.retire(service, name, forced=True, state="failed")

    # What is known of a service

    def _as_it_was(self, work: Work) -> tuple[Artifact, list[TaskVariable]]:
        meta, service = meta_of(self._layout, work), service_of(self._layout, work)
        release = service.release(meta.current_release) if meta and meta.current_release else None
        launch = read(release.launch, Launch) if release else None
        record = read(release.about, Release) if release else None
        artifact = read_artifact(self._layout, work.task.artifact or (record.artifact if record else ""))
        if release is None or launch is None or artifact is None:
            raise NotDeployed("There is no version of this service on this machine to start: deploy it first.")
        return artifact, variables_of(launch, files_of(launch, release))

    def _hostnames(self, work: Work) -> list[str]:
        spec = work.task.service
        return list(spec.hostnames) or [f"{spec.label}.{self._settings.workload_domain}"]

    def _state(self, service: ServiceDirectory, name: str) -> str:
        record = read(service.release(name).about, Release)
        return record.state if record else "starting"

    def _runs(self, release: ReleaseDirectory) -> bool:
        status = read(release.status, Status)
        return status is not None and status.state == "running"

    def _observe(self) -> list[Observed]:
        found: list[Observed] = []
        for service in self._layout.services():
            for name in service.release_names():
                status = read(service.release(name).status, Status)
                if status is not None:
                    found.append(Observed(service.id, name, status.state, status.reason))
        return found

    def _check_disk(self) -> None:
        self._layout.work_dir.mkdir(parents=True, exist_ok=True)
        free = free_bytes(self._layout.work_dir)
        if free < LEAST_FREE_BYTES:
            raise DiskFull(
                f"Only {free // 1024**2} MiB are free on the disk of this machine: make room, then try again."
            )
