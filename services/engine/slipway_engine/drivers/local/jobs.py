"""Jobs: programs that run to their end, when they are deployed, stopped, deleted, or when it is time.

Invariant: a run is begun once per task, whoever looks after it: an engine that comes later finds it and waits for its
end. Only an order, a deadline, a stop or a deletion ends it before.
"""

import asyncio
import time
from datetime import UTC, datetime

import msgspec

from slipway_contracts import capabilities
from slipway_contracts.specs import JobCommand, JobOutput, JobOutputs, JobSpec
from slipway_contracts.tasks import TaskKind
from slipway_engine.drivers import Outcome, Work
from slipway_engine.drivers.local.building import measured
from slipway_engine.drivers.local.claims import changed, claim, meta_of, service_of
from slipway_engine.drivers.local.launching import Launching
from slipway_engine.drivers.local.outputs import DIRECTORY, read_outputs
from slipway_engine.drivers.local.paths import Artifact, read_artifact, release_name
from slipway_engine.drivers.local.readiness import last_lines
from slipway_engine.drivers.local.releases import Releases
from slipway_engine.patience import completed, in_thread, uninterrupted
from slipway_engine.problems import Canceled, TaskFailed
from slipway_engine.trees import remove_tree
from slipway_security.sealing import seal
from slipway_workloads import (
    Bind,
    Layout,
    Release,
    ReleaseDirectory,
    ServiceDirectory,
    ServiceMeta,
    Status,
    processes,
)
from slipway_workloads.records import read, write

POLL_SECONDS = 0.2
BEGIN_SECONDS = 30.0
"""What is under way has a status within this time, or never had a chance."""


class JobFailed(TaskFailed):
    """The job did not end well."""

    code = "job.failed"


class Jobs:
    """The verbs of the driver for services of kind JOB."""

    capabilities = (capabilities.JOB,)

    def __init__(self, layout: Layout, releases: Releases, launching: Launching) -> None:
        self._layout = layout
        self._releases = releases
        self._launching = launching

    async def deploy(self, work: Work) -> Outcome:
        """Keep what was built for its runs, and run it now if it is to."""
        artifact = await self._artifact(work)
        async with work.fence.held():
            meta = claim(self._layout, work)
            write(service_of(self._layout, work).meta, changed(meta, work, desired="running", artifact=artifact.key))
        if not work.task.event:
            return Outcome("Ready to run.", artifact=artifact.key)
        return await self._run(work, artifact)

    async def start(self, work: Work) -> Outcome:
        return await self.deploy(work)

    async def run(self, work: Work) -> Outcome:
        """One run of what is deployed."""
        return await self._run(work, await self._artifact(work))

    async def stop(self, work: Work) -> Outcome:
        """End what runs; then run what is to be run at a stop."""
        service, meta = service_of(self._layout, work), meta_of(self._layout, work)
        if meta is None:
            return Outcome("There is nothing to stop.")
        async with work.fence.held():
            write(service.meta, changed(meta, work, desired="stopped"))
        await self._end_runs(work, service)
        return await self._run(work, await self._artifact(work)) if work.task.event else Outcome("Stopped.")

    async def delete(self, work: Work) -> Outcome:
        """Run what is to be run at a deletion; then remove all there is."""
        service, meta = service_of(self._layout, work), meta_of(self._layout, work)
        await self._end_runs(work, service)
        if work.task.event and not work.forced:
            await self._run(work, await self._artifact(work))
        async with work.fence.held():
            if meta is not None:
                write(service.meta, changed(meta, work, desired="deleted"))
        for name in service.release_names():
            await self._releases.retire(service, name, forced=work.forced)
        await work.fence.check()
        await asyncio.to_thread(remove_tree, service.root)
        await asyncio.to_thread(remove_tree, self._layout.mirrors_dir / f"{service.id}.git")
        return Outcome("Deleted.")

    async def clean(self, work: Work) -> Outcome:
        """Remove what failed runs left."""
        service, meta = service_of(self._layout, work), meta_of(self._layout, work)
        failed = [name for name in service.release_names() if self._state(service, name) == "failed"]
        async with work.fence.held():
            if meta is not None and meta.current_release in failed:
                write(service.meta, changed(meta, work, current_release=""))
        for name in failed:
            await asyncio.to_thread(remove_tree, service.release(name).root)
            service.release(name).status.unlink(missing_ok=True)
        return Outcome(f"{len(failed)} failed runs removed.")

    # One run

    async def _run(self, work: Work, artifact: Artifact) -> Outcome:
        service = service_of(self._layout, work)
        release = self._begun_before(work, service)
        with measured(work, "EXECUTING"):
            try:
                if release is None:
                    release = service.release(release_name(work.task.fence, work.fence.mark.delivery))
                    await self._begin(work, release, artifact)
                status = await self._end(work, release)
            except BaseException:
                if release is not None and not work.leaving:
                    await uninterrupted(
                        self._releases.retire(service, release.name, forced=work.forced, state="failed")
                    )
                raise
            return await self._judge(work, release, status, artifact)

    async def _begin(self, work: Work, release: ReleaseDirectory, artifact: Artifact) -> None:
        await work.tell("Starting the job", 5)
        await work.fence.check()
        claim(self._layout, work)
        job, spec = _job(work), work.task.service
        output = release.root / "output"
        launch = await in_thread(
            self._launching.lay_out, release, artifact, work.task, list(work.secrets.variables), 0, spec.memory_mib,
            command=_command(job, work.task.event, artifact), writable=Bind(host=str(output), inside=DIRECTORY),
        )  # fmt: skip
        launch = msgspec.structs.replace(
            launch, attempts=job.max_restarts + 1, attempt_seconds=float(job.max_duration_seconds)
        )
        write(release.launch, launch, mode=0o600)
        write(release.about, _about(work, release, artifact))
        work.log.say(f"Running the job ({work.task.event}): {' '.join(launch.command)[:200]}")
        async with work.fence.held():
            meta = meta_of(self._layout, work)
            assert meta is not None, "it was claimed above"
            write(release.service.meta, changed(meta, work, current_release=release.name))
        await completed(self._releases.start(release, once=True))

    async def _end(self, work: Work, release: ReleaseDirectory) -> Status:
        """Its status once it is over, by itself or by the end of the machine's supervisor."""
        give_up_at, told = time.monotonic() + BEGIN_SECONDS, 0
        while True:
            status = read(release.status, Status)
            if status is not None and (status.over or not processes.alive(status.shim_pid)):
                return read(release.status, Status) or status
            if status is None and time.monotonic() > give_up_at:
                raise JobFailed("The job could not be started: nothing came of it.", code="job.not_started")
            if status is not None and status.starts != told:
                told = status.starts
                await work.tell(f"Running, attempt {told} of {_job(work).max_restarts + 1}", 50)
            await asyncio.sleep(POLL_SECONDS)

    async def _judge(self, work: Work, release: ReleaseDirectory, status: Status, artifact: Artifact) -> Outcome:
        service, succeeded = release.service, status.over and status.exit_code == 0
        meta = read(service.meta, ServiceMeta)
        tail = work.log.mask("\n".join(last_lines(release)))
        outputs: dict[str, JobOutput] = {}
        try:
            outputs = await asyncio.to_thread(read_outputs, release.root / "output") if succeeded else {}
        except TaskFailed:
            succeeded = False
            raise
        finally:
            state = "completed" if succeeded else "failed"
            await uninterrupted(self._releases.retire(service, release.name, state=state))
        if not succeeded and work.task.kind is TaskKind.RUN and meta is not None and meta.desired != "running":
            raise Canceled("The job was stopped.")
        if not succeeded:
            raise JobFailed(_why(status), tail)
        if outputs:
            work.log.say(f"The job gives {', '.join(outputs)}")
        return Outcome("The job completed.", artifact=artifact.key, sealed_outputs=_sealed(work, outputs))

    def _begun_before(self, work: Work, service: ServiceDirectory) -> ReleaseDirectory | None:
        """The run that an earlier delivery of this task began, and perhaps saw end well, before its engine died."""
        for name in service.release_names():
            release = service.release(name)
            begun = release.launch.exists() or self._state(service, name) == "completed"
            if begun and name.startswith(f"{work.task.fence:010d}-"):
                work.log.say("The job was begun before: its end counts")
                return release
        return None

    async def _end_runs(self, work: Work, service: ServiceDirectory) -> None:
        for name in service.release_names():
            if self._state(service, name) == "running" and not name.startswith(f"{work.task.fence:010d}-"):
                work.log.say(f"Ending run {name}")
                await self._releases.retire(service, name, forced=work.forced, state="failed")

    async def _artifact(self, work: Work) -> Artifact:
        meta = meta_of(self._layout, work)
        key = work.task.artifact or (meta.artifact if meta else "")
        artifact = await asyncio.to_thread(read_artifact, self._layout, key)
        if artifact is None:
            raise TaskFailed(
                "What was built for this job is no longer on this machine: deploy it again, and it is built anew.",
                code="deploy.artifact_missing",
            )
        return artifact

    def _state(self, service: ServiceDirectory, name: str) -> str:
        about = read(service.release(name).about, Release)
        return about.state if about else ""


def _job(work: Work) -> JobSpec:
    return work.task.service.job or JobSpec()


def _command(job: JobSpec, event: str, artifact: Artifact) -> tuple[str, ...]:
    """The event's own command; else what the repository says (empty: nothing is put in its place)."""
    wanted = job.commands.get(event, JobCommand())
    command = (*([wanted.entrypoint] if wanted.entrypoint else []), *wanted.arguments)
    if not command and not artifact.start_command:
        raise JobFailed(
            f"Nothing says what to run for {event}: set an entrypoint or arguments, or add a Procfile with a line "
            "`job: <command>`.",
            code="job.no_command",
        )
    return command


def _about(work: Work, release: ReleaseDirectory, artifact: Artifact) -> Release:
    spec = work.task.service
    return Release(
        name=release.name,
        commit=spec.git.commit if spec.git else artifact.commit,
        deployment_id=work.task.deployment_id,
        artifact=artifact.key,
        state="running",
        created_at=datetime.now(UTC),
        memory_mib=spec.memory_mib,
        cpu_milli=spec.cpu_milli,
    )


def _why(status: Status) -> str:
    if not status.over:
        return "The job failed: it ended together with its machine's supervisor."
    times = f" (attempt {status.starts})" if status.starts > 1 else ""
    return f"The job failed: {status.reason}{times}."


def _sealed(work: Work, outputs: dict[str, JobOutput]) -> bytes:
    """For core alone: the bus carries them."""
    if not outputs or not work.task.reply_key:
        return b""
    bound_to = f"{work.task.cluster_id}:{work.task.id}"
    return seal(work.task.reply_key, msgspec.json.encode(JobOutputs(outputs=outputs)), bound_to)
