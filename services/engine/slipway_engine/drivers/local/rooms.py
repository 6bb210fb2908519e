"""The room of one build: a directory of its own, a sandbox around every command, caches of its organization.

Invariant: a command of a build sees the system read-only, its own directory, its organization's download caches and
what it was handed; never the work directory, other services, or the engine's environment.
"""

import hmac
import json
import os
from collections.abc import Sequence
from pathlib import Path

from slipway_contracts.specs import TaskVariable
from slipway_engine.commands import run_command
from slipway_engine.drivers.local import tools
from slipway_engine.problems import BuildFailed, TaskFailed
from slipway_engine.settings import Settings, package_environment
from slipway_engine.steplog import StepLog
from slipway_engine.trees import read_text
from slipway_workloads import Bind, Isolation, Layout, Sandbox, best_isolation
from slipway_workloads.sandbox import identity_bind, split_environment, uid_for

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_PROCESSES = 2048
INSTALL_VARIABLES = ("PIP_", "UV_", "POETRY_", "NPM_", "npm_config_", "YARN_", "NODE_OPTIONS", "NODE_AUTH_TOKEN")
"""Variables of a service that also package managers get: private registries."""


class Room:
    """Where one task builds."""

    def __init__(
        self,
        layout: Layout,
        settings: Settings,
        name: str,
        organization_id: str,
        variables: Sequence[TaskVariable],
        log: StepLog,
    ) -> None:
        self.directory = layout.builds_dir / name
        self.app = self.directory / "app"
        self.tree = ""
        self.log = log
        self._settings = settings
        self._variables = {variable.key: variable.value for variable in variables if not variable.mount_path}
        self._caches = layout.caches_dir / organization_id
        self._uid = uid_for(organization_id)
        self._passed = package_environment()
        self._identity: list[Bind] = []
        self._node_binds: list[Bind] = []
        self._node_path: list[str] = []
        self.path: list[str] = []
        """Folders of installed programs, first ones first."""
        self.environment: dict[str, str] = {}
        """What the plan wants set."""
        self.layers: list[Bind] = []

    def prepare(self) -> None:
        for folder in (self.directory, self.directory / "tmp", self._caches, self.app):
            folder.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self._identity = identity_bind(self.directory, self._uid)
        self._node_binds, self._node_path = self._node()
        self.give(self.directory / "tmp")
        if self._caches.lstat().st_uid != self._uid:
            self.give(self._caches)

    def give(self, path: Path) -> None:
        """Let the build's user write there."""
        self._sandbox([]).own(path)

    def inside(self, bind: Bind) -> str:
        """Where a command sees what is bound."""
        return bind.host if best_isolation() is Isolation.NONE else bind.inside

    def inside_path(self, path: str, binds: Sequence[Bind]) -> str:
        """The same for a path that is written as seen inside."""
        if best_isolation() is not Isolation.NONE:
            return path
        for bind in binds:
            if path == bind.inside or path.startswith(bind.inside + "/"):
                return bind.host + path[len(bind.inside) :]
        return path

    def text(self, name: str) -> str:
        return read_text(self.app / name, 16 * 1024 * 1024) or ""

    def install_environment_facts(self) -> str:
        """What of the service's variables changes an installation, as a digest."""
        return self._digest(self._install_variables())

    def build_environment_facts(self) -> str:
        """What of them changes a build, as a digest."""
        return self._digest(self._variables)

    def _digest(self, variables: dict[str, str]) -> str:
        """Keyed: names of artifacts travel in reports, and must not let a short secret be guessed."""
        key = Path(self._settings.key_file).read_bytes()
        return hmac.new(key, json.dumps(sorted(variables.items())).encode(), "sha256").hexdigest()

    async def run(
        self,
        argv: list[str],
        what: str,
        binds: Sequence[Bind] = (),
        app: Path | None = None,
        environment: dict[str, str] | None = None,
        *,
        with_variables: bool = False,
    ) -> None:
        """Run one command of the build; BuildFailed with its last lines when it ends with another code than 0."""
        folder = app or self.app
        sandbox = self._sandbox([Bind(host=str(folder), inside="/app", writable=True), *self.layers, *binds])
        everything = self._environment(environment or {}, with_variables=with_variables)
        environment, late = split_environment(everything)
        command = sandbox.argv(argv, late)
        place = "/" if sandbox.isolation is not Isolation.NONE else folder
        if what:
            self.log.say(what)
        code = await run_command(
            command,
            environment,
            self.log.line,
            timeout_seconds=self._settings.build_timeout_seconds,
            cwd=place,
            disk=(self.directory, self._settings.build_disk_bytes),
            memory_bytes=self._settings.build_memory_bytes,
        )
        if code:
            raise self._failed(what or "Preparing the build", code)

    async def shell(self, line: str, binds: Sequence[Bind] = ()) -> None:
        """Run a line that the application's author wrote for a shell, inside the sandbox."""
        argv = ["/bin/sh", "-c", line]
        await self.run(argv, f"Running the build command: {line[:200]}", binds, with_variables=True)

    def _failed(self, what: str, code: int) -> TaskFailed:
        meaning = " (killed: out of memory?)" if code == 137 else ""
        return BuildFailed(f"{what} failed with code {code}{meaning}.", self.log.tail())

    def _sandbox(self, binds: list[Bind]) -> Sandbox:
        caches = [Bind(host=str(self._caches), inside="/caches", writable=True)] if binds else []
        seen = [*tools.python().binds, *self._node_binds, *self._passed_binds(), *self._identity]
        unique = list({bind.inside: bind for bind in [*seen, *caches, *binds]}.values())
        return Sandbox(
            binds=unique,
            uid=self._uid,
            cwd="/app",
            hostname="build",
            temporary=str(self.directory / "tmp"),
            max_processes=MAX_PROCESSES,
        )

    def _node(self) -> tuple[list[Bind], list[str]]:
        """Node, where this machine has it: what has to be seen, and folders for PATH."""
        try:
            return tools.node_programs(tools.node(self._settings), self.directory)
        except tools.ToolMissing:
            return [], []

    def _passed_binds(self) -> list[Bind]:
        """Files and folders that the package managers' settings name (certificates, local wheels)."""
        paths = [path for path in self._passed.values() if os.path.isabs(path) and os.path.exists(path)]
        return [Bind(host=path, inside=path) for path in paths if not path.startswith(("/usr/", "/etc/ssl"))]

    def _environment(self, extra: dict[str, str], *, with_variables: bool) -> dict[str, str]:
        caches = self.inside(Bind(host=str(self._caches), inside="/caches"))
        home = self.inside(Bind(host=str(self.directory / "tmp"), inside="/tmp"))  # noqa: S108
        variables = self._variables if with_variables else self._install_variables()
        return {
            "LANG": "C.UTF-8",
            "HOME": home,
            "CI": "true",
            "PIP_CACHE_DIR": f"{caches}/pip",
            "UV_CACHE_DIR": f"{caches}/uv",
            "UV_LINK_MODE": "copy",
            "POETRY_CACHE_DIR": f"{caches}/poetry",
            "npm_config_cache": f"{caches}/npm",
            "npm_config_store_dir": f"{caches}/pnpm",
            "YARN_CACHE_FOLDER": f"{caches}/yarn",
            **self._passed,
            **self.environment,
            **variables,
            **extra,
            "PATH": ":".join([*self.path, *self._node_path, SYSTEM_PATH]),
        }

    def _install_variables(self) -> dict[str, str]:
        return {key: value for key, value in self._variables.items() if key.startswith(INSTALL_VARIABLES)}
