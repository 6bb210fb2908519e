"""Dependency layers: what pip, uv, poetry, npm, pnpm or yarn installed, by content, shared inside an organization.

Invariant: a layer with its mark is complete and is never written again; two builds that need the same one make it
once. Nothing of one organization is ever seen by another: an installation runs code of its packages.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from slipway_engine.drivers.local import tools
from slipway_engine.drivers.local.paths import content_key
from slipway_engine.drivers.local.rooms import Room
from slipway_engine.patience import in_thread, uninterrupted
from slipway_engine.plan import Install
from slipway_engine.problems import BuildFailed
from slipway_engine.settings import Settings
from slipway_engine.trees import copy_tree, remove_tree
from slipway_workloads import Bind, Layout, best_isolation
from slipway_workloads.records import write_bytes

PYTHON_INSIDE = "/layers/python"
MARK = ".complete"
LOCK_SECONDS = 1800.0
FROZEN_SECONDS = 15.0
SLOTS = 8
"""Folders for one layer: more than one is needed only beside frozen engines."""
PYTHON_TOOLS = ("pip", "uv", "poetry")
TOOL_PACKAGES = {"uv": "uv>=0.8,<1", "poetry": "poetry>=2,<3"}
NODE_TOOL_PACKAGES = {"pnpm": "pnpm", "yarn": "yarn@1", "yarn-berry": "@yarnpkg/cli-dist@4"}


@dataclass(frozen=True)
class Layer:
    """Installed dependencies: a directory of this machine and where programs see it."""

    host: Path
    inside: str
    path: str
    """Folder of its programs, as seen inside."""

    @property
    def bind(self) -> Bind:
        return Bind(host=str(self.host), inside=self.inside)


class Layers:
    """Makes and finds the layers of one organization."""

    def __init__(self, layout: Layout, settings: Settings, organization_id: str) -> None:
        self._directory = layout.layers_dir / organization_id
        self._settings = settings

    async def python(self, install: Install, room: Room) -> Layer:
        """A virtual environment with the dependencies."""
        helper = await self._helper(install, room)
        key = self._key(install, room, tools.python().version, helper.host.name if helper else "")
        async with self._made(key) as (directory, missing):
            if missing:
                await self._install_python(install, room, directory, helper)
        return Layer(directory, PYTHON_INSIDE, f"{PYTHON_INSIDE}/bin")

    async def node(self, install: Install, room: Room) -> Layer:
        """A node_modules folder."""
        helper = await self._helper(install, room)
        key = self._key(install, room, tools.node(self._settings).version, helper.host.name if helper else "")
        async with self._made(key) as (directory, missing):
            if missing:
                await self._install_node(install, room, directory, helper)
        return Layer(directory / "node_modules", "/app/node_modules", "/app/node_modules/.bin")

    async def helper_for(self, install: Install, room: Room) -> Layer | None:
        """The tool itself (uv, poetry, pnpm, yarn), where it is none that the machine has."""
        return await self._helper(install, room)

    def _key(self, install: Install, room: Room, *versions: str) -> str:
        contents = {name: room.text(name) for name in install.files}
        identity = [install.tool, install.requirements, install.complete, install.tool_version, contents, versions]
        extra = [room.install_environment_facts(), room.tree if install.whole_source else ""]
        return content_key("layer", *identity, str(best_isolation()), extra)

    @asynccontextmanager
    async def _made(self, key: str) -> AsyncIterator[tuple[Path, bool]]:
        """The layer's directory and whether it has to be filled; filled without an error it is complete."""
        self._directory.mkdir(parents=True, exist_ok=True)
        async with _slot(self._directory, key) as directory:
            if (directory / MARK).exists():
                os.utime(directory / MARK)
                yield directory, False
                return
            await asyncio.to_thread(remove_tree, directory)
            directory.mkdir()
            try:
                yield directory, True
            except BaseException:
                await uninterrupted(asyncio.to_thread(remove_tree, directory))
                raise
            (directory / MARK).touch()

    async def _helper(self, install: Install, room: Room) -> Layer | None:
        if package := TOOL_PACKAGES.get(install.tool):
            inside = f"/layers/{install.tool}"
            async with self._made(content_key("tool", package, tools.python().version)) as (directory, missing):
                if missing:
                    room.log.say(f"Getting {install.tool}")
                    await self._venv(room, directory, inside)
                    await self._pip(room, Bind(host=str(directory), inside=inside, writable=True), ["--", package])
            return Layer(directory, inside, f"{inside}/bin")
        if package := NODE_TOOL_PACKAGES.get(install.tool):
            package += f"@{install.tool_version}" if install.tool_version else ""
            inside = f"/layers/{install.tool}"
            async with self._made(content_key("tool", package, tools.node(self._settings).version)) as (made, missing):
                if missing:
                    room.log.say(f"Getting {install.tool}")
                    room.give(made)
                    bind = Bind(host=str(made), inside=inside, writable=True)
                    argv = ["npm", "install", "--global", f"--prefix={room.inside(bind)}", "--", package]
                    await room.run(argv, f"Getting {install.tool}", [bind])
            return Layer(made, inside, f"{inside}/bin")
        return None

    async def _install_python(self, install: Install, room: Room, directory: Path, helper: Layer | None) -> None:
        bind = Bind(host=str(directory), inside=PYTHON_INSIDE, writable=True)
        await self._venv(room, directory, PYTHON_INSIDE)
        if not install.requirements and "requirements.txt" not in install.files and install.tool == "pip":
            return
        app = await self._manifests(install, room)
        if install.tool == "uv":
            environment = {"UV_PROJECT_ENVIRONMENT": room.inside(bind), "UV_PYTHON_DOWNLOADS": "never"}
            argv = ["uv", "sync", "--frozen", "--no-dev", "--no-install-project", "--no-progress"]
            await self._tool(room, argv, [bind], app, helper, environment)
        elif install.tool == "poetry":
            environment = {"VIRTUAL_ENV": room.inside(bind), "POETRY_VIRTUALENVS_CREATE": "false"}
            argv = ["poetry", "install", "--only", "main", "--no-root", "--no-interaction", "--no-ansi"]
            await self._tool(room, argv, [bind], app, helper, environment)
        elif install.requirements:
            lines = app / ".slipway-requirements.txt"
            write_bytes(lines, "\n".join(install.requirements).encode(), durable=False)
            whole = ["--no-deps"] if install.complete else []
            await self._pip(room, bind, [*whole, f"--requirement={lines.name}"], app)
        else:
            await self._pip(room, bind, ["--requirement=requirements.txt"], app)

    async def _tool(
        self,
        room: Room,
        argv: list[str],
        binds: list[Bind],
        app: Path,
        helper: Layer | None,
        environment: dict[str, str],
    ) -> None:
        assert helper is not None
        own = Bind(host=str(helper.host), inside=helper.inside)
        tool = f"{room.inside(own)}/bin/{argv[0]}"
        await room.run([tool, *argv[1:]], f"Installing dependencies with {argv[0]}", [*binds, own], app, environment)

    async def _venv(self, room: Room, directory: Path, inside: str) -> None:
        bind = Bind(host=str(directory), inside=inside, writable=True)
        argv = [*tools.python().command, "-I", "-m", "venv", "--without-pip", "--symlinks", room.inside(bind)]
        room.give(directory)
        await room.run(argv, "", [bind])

    async def _pip(self, room: Room, bind: Bind, wanted: list[str], app: Path | None = None) -> None:
        """Run by the environment's own Python, pip installs into it."""
        pip = tools.pip(self._settings)
        # Where nothing is enclosed, pip is where it is.
        command = room.inside_path(pip.command[0], pip.binds)
        argv = [f"{room.inside(bind)}/bin/python", command, "install", "--no-input", "--disable-pip-version-check"]
        argv += ["--no-warn-script-location", "--progress-bar=off", *wanted]
        what = "Installing dependencies with pip" if app else ""
        await room.run(argv, what, [bind, *pip.binds], app)

    async def _install_node(self, install: Install, room: Room, directory: Path, helper: Layer | None) -> None:
        app = await self._manifests(install, room)
        argv, environment = node_install(install)
        binds = []
        if helper is not None:
            own = Bind(host=str(helper.host), inside=helper.inside)
            binds.append(own)
            argv = [f"{room.inside(own)}/bin/{argv[0]}", *argv[1:]]
        await room.run(argv, f"Installing dependencies with {install.tool}", binds, app, environment)
        modules = app / "node_modules"
        if modules.is_symlink() or not modules.is_dir():
            modules = app / ".empty"
            modules.mkdir(exist_ok=True)
        os.rename(modules, directory / "node_modules")

    async def _manifests(self, install: Install, room: Room) -> Path:
        """A folder with just the files that say what to install; the whole source where that is needed."""
        if install.whole_source:
            return room.app
        folder = room.directory / f"install-{install.tool}"
        await asyncio.to_thread(remove_tree, folder)
        await in_thread(copy_tree, room.app, folder, lambda name: name not in install.files)
        room.give(folder)
        return folder


def node_install(install: Install) -> tuple[list[str], dict[str, str]]:
    """The command that installs exactly what the lock says, development tools included: builds need them."""
    environment = {"NODE_ENV": "development", "CI": "true", "COREPACK_ENABLE_STRICT": "0"}
    locked = {"package-lock.json", "npm-shrinkwrap.json"} & set(install.files)
    if install.tool == "pnpm":
        argv = ["pnpm", "install", "--frozen-lockfile", "--prod=false", "--package-import-method=copy"]
        return argv, {**environment, "npm_config_manage_package_manager_versions": "false"}
    if install.tool == "yarn":
        return ["yarn", "install", "--frozen-lockfile", "--non-interactive", "--production=false"], environment
    if install.tool == "yarn-berry":
        more = {"YARN_NODE_LINKER": "node-modules", "YARN_ENABLE_GLOBAL_CACHE": "true", "YARN_ENABLE_TELEMETRY": "0"}
        return ["yarn", "install", "--immutable"], {**environment, **more}
    verb = "ci" if locked else "install"
    return ["npm", verb, "--include=dev", "--no-audit", "--no-fund", "--no-update-notifier"], environment


@asynccontextmanager
async def _slot(parent: Path, key: str) -> AsyncIterator[Path]:
    """A folder for this layer: a complete one, or one that this build alone fills.

    Whoever fills one holds its lock and touches it every second. A lock that nobody touches belongs to an engine that
    is frozen: it may wake and go on writing, so its folder is left to it and the next one is taken.
    """
    end = time.monotonic() + LOCK_SECONDS
    while time.monotonic() < end:
        for number in range(SLOTS):
            directory = parent / (f"{key}.{number}" if number else key)
            if (directory / MARK).exists():
                yield directory
                return
            async with _lock(directory.with_name(f"{directory.name}.lock")) as lock:
                if lock is Lock.OURS:
                    yield directory
                    return
            if lock is Lock.FILLING:
                break
        await asyncio.sleep(0.1)
    raise BuildFailed("Another build takes too long to install the same dependencies.")


class Lock(Enum):
    OURS = "ours"
    FILLING = "filling"
    """Another build fills this folder and is alive: wait for it."""
    FROZEN = "frozen"


@asynccontextmanager
async def _lock(path: Path) -> AsyncIterator[Lock]:
    """Try the lock of a folder, and keep it fresh while it is ours."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    touching: asyncio.Task[None] | None = None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fresh = time.time() - os.fstat(descriptor).st_mtime < FROZEN_SECONDS
            yield Lock.FILLING if fresh else Lock.FROZEN
            return
        os.utime(descriptor)
        touching = asyncio.create_task(_touch(descriptor))
        yield Lock.OURS
    finally:
        if touching is not None:
            touching.cancel()
            await asyncio.wait([touching])
        os.close(descriptor)


async def _touch(descriptor: int) -> None:
    while True:
        await asyncio.sleep(1.0)
        os.utime(descriptor)
