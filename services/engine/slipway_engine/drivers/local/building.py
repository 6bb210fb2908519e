"""From a commit to an artifact: fetch, plan, install, build, keep.

Invariant: an artifact is named by what it was made of (tree, plan, tools, settings), is complete or not there, and is
never written again; the same build again finds it. A build that died leaves only its room, which the next one removes.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from slipway_contracts.tasks import StepMetric
from slipway_engine.drivers import Outcome, Work
from slipway_engine.drivers.local import tools
from slipway_engine.drivers.local.layers import PYTHON_TOOLS, Layer, Layers
from slipway_engine.drivers.local.paths import (
    Artifact,
    Mounted,
    artifact_directory,
    content_key,
    read_artifact,
    write_artifact,
)
from slipway_engine.drivers.local.rooms import Room
from slipway_engine.patience import in_thread, uninterrupted
from slipway_engine.plan import READ_FILES, BuildPlan, Start, StartKind, Tree, detect
from slipway_engine.plan.model import Install
from slipway_engine.problems import NoPlan, TaskFailed
from slipway_engine.settings import Settings, package_environment
from slipway_engine.sources import Fetching, check_out
from slipway_engine.trees import copy_tree, read_text, remove_tree
from slipway_workloads import Layout, best_isolation

MODULES = "node_modules"


class Building:
    """Makes artifacts."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout = layout
        self._settings = settings

    async def build(self, work: Work) -> Outcome:
        """The artifact of the task's commit, made or found."""
        task = work.task
        room = Room(
            self._layout, self._settings, f"{task.id}.{work.fence.mark.delivery}", task.organization_id,
            work.secrets.variables, work.log,
        )  # fmt: skip
        await in_thread(self._remove_older_rooms, task.id)
        try:
            await in_thread(room.prepare)
            return await self._build_in(room, work)
        finally:
            await uninterrupted(asyncio.to_thread(remove_tree, room.directory))

    async def _build_in(self, room: Room, work: Work) -> Outcome:
        await work.tell("Fetching the commit", 0)
        with measured(work, "GIT_CLONE"):
            root = await self._fetch(room, work)
        with measured(work, "BUILD"):
            plan = await asyncio.to_thread(self._plan, root, work)
            key = self._key(room, plan, work)
            known = await asyncio.to_thread(read_artifact, self._layout, key)
            if known is not None:
                work.log.say("Nothing that matters changed since an earlier build: its result is used again")
                os.utime(artifact_directory(self._layout, key))
                return Outcome("Built before: nothing changed.", artifact=key, outputs={"language": known.language})
            await work.fence.check()
            await in_thread(self._move_source, root, room, plan)
            artifact = await self._make(room, plan, key, work)
            await work.fence.check()
            await in_thread(self._keep, room, artifact)
        return Outcome("Built.", artifact=key, outputs={"language": plan.language})

    async def _fetch(self, room: Room, work: Work) -> Path:
        git = work.task.service.git
        if git is None:
            raise TaskFailed("This service has no Git repository to build from.", code="build.no_source")
        work.log.say(f"Fetching {git.commit[:12]} of {git.branch} from {git.url}")
        allowed = Fetching(
            own_origin=self._settings.public_url,
            private_hosts=self._settings.allow_private_hosts,
            files=self._settings.allow_file_repositories,
            environment=package_environment(),
            timeout_seconds=self._settings.clone_timeout_seconds,
            disk_bytes=self._settings.build_disk_bytes,
        )
        credential = (work.secrets.git_username, work.secrets.git_password)
        mirror = self._layout.mirrors_dir / f"{work.task.service_id}.git"
        checkout = await check_out(git, mirror, room.directory / "checkout", credential, allowed, work.log.line)
        room.tree = checkout.tree
        return checkout.root

    def _plan(self, root: Path, work: Work) -> BuildPlan:
        plan = detect(read_tree(root), work.task.service, container_tool=tools.container_tool())
        if plan.start is not None and plan.start.kind is StartKind.CONTAINER:
            raise NoPlan(
                "Dockerfiles are not built by the local driver yet: add a Procfile, or use a Kubernetes cluster.",
                code="build.no_container_tool",
            )
        started = f", started by: {_shown(plan.start)}" if plan.start else ""
        work.log.say(f"Found a {plan.language} application{started}")
        return plan

    def _key(self, room: Room, plan: BuildPlan, work: Work) -> str:
        """With all that goes into the result, and nothing else: a new commit with the same files is built already."""
        versions = [str(best_isolation()), tools.python().version]
        versions += [tools.node(self._settings).version] if "node" in plan.language else []
        variables = room.build_environment_facts() if plan.build_commands else room.install_environment_facts()
        organization = work.task.organization_id
        return content_key("artifact", organization, room.tree, msgspec.to_builtins(plan), versions, variables)

    def _move_source(self, root: Path, room: Room, plan: BuildPlan) -> None:
        remove_tree(room.app)
        if plan.hides_dotfiles:
            copy_tree(root, room.app, lambda name: name.startswith(".") and name != ".well-known")
        else:
            os.rename(root, room.app)
        remove_tree(room.app / ".git")
        room.give(room.app)

    async def _make(self, room: Room, plan: BuildPlan, key: str, work: Work) -> Artifact:
        room.environment.update(plan.environment)
        mounts = await self._install(room, plan, work)
        for number, line in enumerate(plan.build_commands):
            await work.tell("Running the build command", 50 + number)
            await room.shell(line)
        start = plan.start or self._static_output(room, plan)
        if room.app.joinpath(MODULES).is_dir() and not room.app.joinpath(MODULES).is_symlink():
            # Built upon, so they belong to this artifact; beside the source they need not be copied at each start.
            os.rename(room.app / MODULES, room.directory / MODULES)
            mounts.append(Mounted(host=str(artifact_directory(self._layout, key) / MODULES), inside=f"/app/{MODULES}"))
        return Artifact(
            key=key,
            language=plan.language,
            commit=work.task.service.git.commit if work.task.service.git else "",
            start_kind=start.kind,
            start_command=list(start.command),
            environment=dict(plan.environment),
            path=list(room.path),
            mounts=mounts,
            made_at=datetime.now(UTC),
        )

    async def _install(self, room: Room, plan: BuildPlan, work: Work) -> list[Mounted]:
        """Every layer the plan wants; node_modules that a build will write to are copied into its source."""
        layers = Layers(self._layout, self._settings, work.task.organization_id)
        mounts: list[Mounted] = []
        for install in plan.installs:
            await work.tell("Installing dependencies", 20)
            python = install.tool in PYTHON_TOOLS
            layer = await (layers.python(install, room) if python else layers.node(install, room))
            room.path.append(layer.path)
            if python or not plan.build_commands:
                room.layers.append(layer.bind)
                mounts.append(Mounted(host=str(layer.host), inside=layer.inside))
            else:
                await in_thread(self._copy_modules, layer, room)
                await self._node_tool(layers, install, room)
        return mounts

    def _copy_modules(self, layer: Layer, room: Room) -> None:
        target = room.app / MODULES
        remove_tree(target)
        copy_tree(layer.host, target)
        room.give(target)

    async def _node_tool(self, layers: Layers, install: Install, room: Room) -> None:
        """`pnpm run build` needs pnpm in the build too."""
        helper = await layers.helper_for(install, room)
        if helper is not None:
            room.layers.append(helper.bind)
            room.path.append(helper.path)

    def _static_output(self, room: Room, plan: BuildPlan) -> Start:
        for folder in plan.static_output:
            place = room.app / folder
            if not place.is_symlink() and (place / "index.html").is_file():
                return Start(kind=StartKind.STATIC, command=(folder,))
        raise NoPlan(
            "After the build there is neither a start command nor a folder with an index.html.",
            "Looked for `scripts.start` in package.json, a Procfile with `web: <command>`, and index.html in "
            + ", ".join(plan.static_output),
        )

    def _keep(self, room: Room, artifact: Artifact) -> None:
        """Put what was built in its place by one rename; when somebody was faster, theirs is as good."""
        finished = room.directory / "finished"
        finished.mkdir()
        os.rename(room.app, finished / "app")
        if (room.directory / MODULES).exists():
            os.rename(room.directory / MODULES, finished / MODULES)
        write_artifact(finished, artifact)
        target = artifact_directory(self._layout, artifact.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(finished, target)
        except OSError:
            if read_artifact(self._layout, artifact.key) is None:
                remove_tree(target)
                os.rename(finished, target)

    def _remove_older_rooms(self, task_id: str) -> None:
        """Of earlier deliveries of this task: their engine died or lost its lease."""
        for room in self._layout.builds_dir.glob(f"{task_id}.*"):
            remove_tree(room)


def read_tree(root: Path) -> Tree:
    """What detection may know: names, and the contents of a few plain files."""
    names: set[str] = set()
    texts: dict[str, str] = {}
    with os.scandir(root) as entries:
        for entry in entries:
            names.add(entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name)
    for name in sorted(names):
        if name in READ_FILES or name.endswith(".py"):
            text = read_text(root / name, 16 * 1024 * 1024 if name.endswith((".lock", ".yaml")) else 512 * 1024)
            if text is not None:
                texts[name] = text
    return Tree(frozenset(names), texts)


@contextmanager
def measured(work: Work, name: str) -> Iterator[None]:
    """Adds how long the block took, and how it ended, to the step's metrics."""
    began = time.monotonic()
    status = "ERROR"
    try:
        yield
        status = "SUCCESS"
    except asyncio.CancelledError:
        status = "CANCEL"
        raise
    finally:
        seconds = round(time.monotonic() - began, 3)
        work.metrics.append(StepMetric(name=name, status=status, duration_seconds=seconds))


def _shown(start: Start) -> str:
    return " ".join(start.command)[:200] if start.kind is not StartKind.STATIC else "Caddy, which serves its files"
