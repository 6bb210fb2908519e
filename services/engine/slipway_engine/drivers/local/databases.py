"""Databases: real servers of this machine, each with a volume that outlives its releases, on a port that is its own.

Invariant: two servers never run on one volume: the old one has ended before the new one begins, and goes on when the
new one does not answer. The volume goes when the service is deleted, and only then.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from slipway_contracts.specs import DatabaseLogin, Probe
from slipway_engine.commands import run_command
from slipway_engine.drivers import Outcome, Work
from slipway_engine.drivers.local.building import measured
from slipway_engine.drivers.local.claims import changed, claim, meta_of, service_of
from slipway_engine.drivers.local.paths import release_name
from slipway_engine.drivers.local.ports import Ports
from slipway_engine.drivers.local.readiness import Watch
from slipway_engine.drivers.local.releases import Releases
from slipway_engine.drivers.local.servers import VOLUME, Place, Server, servers, words
from slipway_engine.patience import completed, uninterrupted
from slipway_engine.problems import StartFailed, TaskFailed
from slipway_engine.trees import remove_tree
from slipway_workloads import (
    Bind,
    DatabaseRecord,
    Isolation,
    Launch,
    Layout,
    Release,
    ReleaseDirectory,
    Sandbox,
    ServiceDirectory,
    ServiceMeta,
)
from slipway_workloads.records import read, write
from slipway_workloads.sandbox import identity_bind, uid_for

MAX_PROCESSES = 512
INITIALISE_SECONDS = 120.0
LIVING = ("starting", "running", "draining")


class NoSuchDatabase(TaskFailed):
    """This machine has no such database."""

    code = "database.not_available"


@dataclass
class AnswerWatch(Watch):
    """Waits until a server lets its user in."""

    server: Server | None = None
    login: DatabaseLogin | None = None

    async def _answers(self, probe: Probe) -> bool:
        assert self.server is not None
        assert self.login is not None
        if self.port not in self._own_ports():
            return False
        self.listened = True
        self.last_answer = await self.server.refusal(self.login, self.port)
        return not self.last_answer

    def _never(self, probe: Probe) -> StartFailed:
        said = self.last_answer or "nothing listens on its port"
        seconds = self.service.start_timeout_seconds
        return StartFailed(
            f"The database did not answer within {seconds} s ({said}).", self._tail(), code="start.unhealthy"
        )


class Databases:
    """The verbs of the driver for services of kind DATABASE."""

    def __init__(self, layout: Layout, releases: Releases, ports: Ports) -> None:
        self._layout = layout
        self._releases = releases
        self._ports = ports
        self._servers = servers()
        self.capabilities = words(self._servers)

    async def deploy(self, work: Work) -> Outcome:
        """Make it, or start it anew with its present settings; its data stays."""
        server, login = self._server(work), _login(work)
        service = service_of(self._layout, work)
        record = await self._record(work, service, server)
        release = service.release(release_name(work.task.fence, work.fence.mark.delivery))
        with measured(work, "DEPLOYMENT"):
            await work.tell("Starting the database", 10)
            claim(self._layout, work)
            await self._lay_out(work, release, server, login, record.port)
            await self._exchange(work, service, release, server, login, record.port)
        return _outcome(f"{server.type} {server.version} answers on port {record.port}.", record.port)

    async def start(self, work: Work) -> Outcome:
        """What was stopped goes on, as it was."""
        return await self._again(work, stop_first=False)

    async def restart(self, work: Work) -> Outcome:
        return await self._again(work, stop_first=True)

    async def stop(self, work: Work) -> Outcome:
        """End the server; data, port and password stay."""
        service, meta = service_of(self._layout, work), meta_of(self._layout, work)
        if meta is None:
            return Outcome("There is nothing to stop.")
        async with work.fence.held():
            write(service.meta, changed(meta, work, desired="stopped"))
        await self._pause_all(work, service)
        return Outcome("Stopped.")

    async def delete(self, work: Work) -> Outcome:
        """End the server, and remove it with its data."""
        service, meta = service_of(self._layout, work), meta_of(self._layout, work)
        async with work.fence.held():
            if meta is not None:
                write(service.meta, changed(meta, work, desired="deleted"))
        for name in service.release_names():
            await self._releases.retire(service, name, forced=work.forced)
        await work.fence.check()
        await asyncio.to_thread(remove_tree, service.volume)
        await asyncio.to_thread(remove_tree, service.root)
        return Outcome("Deleted, with its data.")

    # Its place

    def _server(self, work: Work) -> Server:
        spec = work.task.service.database
        for server in self._servers:
            if spec is not None and (server.type, server.version) == (spec.type, spec.version):
                return server
        wanted = f"{spec.type} {spec.version}" if spec else "a database that says nothing of its type"
        has = ", ".join(f"{one.type} {one.version}" for one in self._servers) or "none"
        raise NoSuchDatabase(f"This cluster can't run {wanted}. The databases that it has: {has}.")

    async def _record(self, work: Work, service: ServiceDirectory, server: Server) -> DatabaseRecord:
        """Its port: taken once, and kept while it is there."""
        known = read(service.database, DatabaseRecord)
        if known is not None and (known.type, known.version) == (server.type, server.version):
            return known
        port = known.port if known is not None else self._ports.take()
        try:
            record = DatabaseRecord(type=server.type, version=server.version, port=port)
            async with work.fence.held():
                write(service.database, record)
        finally:
            self._ports.free(port)
        return record

    async def _lay_out(
        self, work: Work, release: ReleaseDirectory, server: Server, login: DatabaseLogin, port: int
    ) -> None:
        """The directory of a release and, the first time, its data."""
        spec = work.task.service
        await asyncio.to_thread(remove_tree, release.root)
        release.root.mkdir(parents=True)
        service = release.service
        service.volume.mkdir(parents=True, exist_ok=True, mode=0o700)
        sandbox = _sandbox(release, server, spec.label)

        async def run(argv: list[str], what: str) -> None:
            if what:
                work.log.say(what)
            await self._run(work, _preparing(sandbox), argv)

        place = Place(service.volume, release.root, sandbox, port, login, spec.memory_mib, run)
        if sandbox.isolation is Isolation.USER and service.volume.lstat().st_uid != sandbox.uid:
            sandbox.own(service.volume)
        await completed(server.prepare(place))
        launch = _launch(release, server, place, float(spec.stop_grace_seconds))
        await asyncio.to_thread(write, release.launch, launch, 0o600)
        write(release.about, _about(work, release, port))

    async def _run(self, work: Work, sandbox: Sandbox, argv: list[str]) -> None:
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp"}  # noqa: S108 the sandbox's own
        code = await run_command(
            sandbox.argv(argv), environment, work.log.line, timeout_seconds=INITIALISE_SECONDS, cwd="/"
        )
        if code:
            raise StartFailed(f"The database could not be made: {argv[0]} ended with code {code}.", work.log.tail())

    # From one server to the next

    async def _exchange(
        self,
        work: Work,
        service: ServiceDirectory,
        release: ReleaseDirectory,
        server: Server,
        login: DatabaseLogin,
        port: int,
    ) -> None:
        before = self._running(service, besides=release.name)
        await work.fence.check()
        try:
            await completed(self._pause_all(work, service, besides=release.name))
            work.log.say(f"Starting release {release.name} on port {port}")
            await completed(self._releases.start(release))
            await AnswerWatch(release, work.task.service, port, work.log, server=server, login=login).until_ready()
            await uninterrupted(self._switch(work, service, release))
        except BaseException:
            await uninterrupted(self._go_back(work, service, release, before))
            raise

    async def _switch(self, work: Work, service: ServiceDirectory, release: ReleaseDirectory) -> None:
        meta = meta_of(self._layout, work)
        assert meta is not None, "a release that is being started has its service's record"
        async with work.fence.held():
            self._releases.mark(service, release.name, "running")
            write(service.meta, changed(meta, work, desired="running", current_release=release.name))
        for name in service.release_names():
            if name != release.name and service.release(name).launch.exists():
                await self._releases.retire(service, name)

    async def _go_back(
        self, work: Work, service: ServiceDirectory, release: ReleaseDirectory, before: ReleaseDirectory | None
    ) -> None:
        """The new one ends; the old one serves again. When another engine has the service, that is its business."""
        meta = meta_of(self._layout, work)
        if work.leaving or (meta is not None and meta.current_release == release.name):
            return
        await self._releases.retire(service, release.name, forced=work.forced, state="failed")
        if before is not None:
            await self._releases.start(before)
            self._releases.mark(service, before.name, "running")

    async def _again(self, work: Work, *, stop_first: bool) -> Outcome:
        service, meta, server = service_of(self._layout, work), meta_of(self._layout, work), self._server(work)
        record, login = read(service.database, DatabaseRecord), _login(work)
        release = service.release(meta.current_release) if meta and meta.current_release else None
        if meta is None or record is None or release is None or not release.launch.exists():
            raise TaskFailed("This database was never deployed here: deploy it first.", code="service.not_deployed")
        if stop_first:
            await completed(self._releases.pause(service, release.name))
        await work.fence.check()
        await completed(self._releases.start(release))
        await AnswerWatch(release, work.task.service, record.port, work.log, server=server, login=login).until_ready()
        async with work.fence.held():
            self._releases.mark(service, release.name, "running")
            write(service.meta, changed(meta, work, desired="running"))
        return _outcome(f"{server.type} {server.version} answers on port {record.port}.", record.port)

    async def _pause_all(self, work: Work, service: ServiceDirectory, besides: str = "") -> None:
        for name in service.release_names():
            about = read(service.release(name).about, Release)
            if name != besides and about is not None and about.state in LIVING:
                work.log.say(f"Stopping release {name}")
                await self._releases.pause(service, name)

    def _running(self, service: ServiceDirectory, besides: str) -> ReleaseDirectory | None:
        meta = read(service.meta, ServiceMeta)
        if meta is None or meta.desired != "running" or meta.current_release in ("", besides):
            return None
        release = service.release(meta.current_release)
        return release if release.launch.exists() else None


def _login(work: Work) -> DatabaseLogin:
    if work.secrets.database is None:
        raise TaskFailed("The task holds no password for this database.", code="secret.undecryptable")
    return work.secrets.database


def _sandbox(release: ReleaseDirectory, server: Server, label: str) -> Sandbox:
    """The server sees its volume, its programs and what it is told; nothing of other services."""
    uid = uid_for(release.service.id)
    volume = Bind(host=str(release.service.volume), inside=VOLUME, writable=True)
    binds: Sequence[Bind] = [volume, *identity_bind(release.root, uid), *server.binds(release.root)]
    return Sandbox(
        binds=list(binds),
        uid=uid,
        cwd="/",
        hostname=label[:63] or "database",
        status_fd=3,
        max_processes=MAX_PROCESSES,
    )


def _preparing(sandbox: Sandbox) -> Sandbox:
    """The same place for a command that we wait for."""
    return Sandbox(
        binds=sandbox.binds, uid=sandbox.uid, cwd="/", hostname=sandbox.hostname, max_processes=MAX_PROCESSES
    )


def _launch(release: ReleaseDirectory, server: Server, place: Place, grace_seconds: float) -> Launch:
    sandbox, command = place.sandbox, server.command(place)
    return Launch(
        argv=sandbox.argv(command),
        command=command,
        env={"LANG": "C.UTF-8", "HOME": VOLUME, "TZ": "UTC", **server.environment(place.login, place.port)},
        cwd="/",
        binds=sandbox.binds,
        sandboxed=sandbox.isolation is not Isolation.NONE,
        uid=sandbox.uid,
        hostname=sandbox.hostname,
        port=place.port,
        stop_grace_seconds=grace_seconds,
        stop_signal=server.stop_signal,
        signals_main_alone=True,
        memory_bytes=place.memory_mib * 1024 * 1024,
        log_directory=str(release.logs),
        status_file=str(release.status),
    )


def _about(work: Work, release: ReleaseDirectory, port: int) -> Release:
    spec = work.task.service
    return Release(
        name=release.name,
        deployment_id=work.task.deployment_id,
        port=port,
        state="starting",
        created_at=datetime.now(UTC),
        memory_mib=spec.memory_mib,
        cpu_milli=spec.cpu_milli,
    )


def _outcome(message: str, port: int) -> Outcome:
    return Outcome(message, outputs={"host": "127.0.0.1", "port": str(port)})
