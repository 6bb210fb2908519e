"""From an artifact to a release: its directory, environment and sandbox, written down for the shim.

Invariant: a release has a directory of its own that only its own program can write, an environment that holds what
the service was given and nothing of ours, and no secret stands in an argument.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from slipway_contracts.specs import ServiceSpec, TaskVariable
from slipway_contracts.tasks import Task
from slipway_engine.drivers.local import tools
from slipway_engine.drivers.local.paths import Artifact, artifact_directory
from slipway_engine.drivers.local.rooms import SYSTEM_PATH
from slipway_engine.plan import StartKind
from slipway_engine.problems import TaskFailed
from slipway_engine.settings import Settings
from slipway_engine.trees import copy_tree, inside, remove_tree
from slipway_workloads import Bind, Isolation, Launch, Layout, Release, ReleaseDirectory, Sandbox, best_isolation
from slipway_workloads.records import write, write_bytes
from slipway_workloads.sandbox import identity_bind, split_environment, uid_for

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
VALUE_BYTES = 128 * 1024 - 512
ENVIRONMENT_BYTES = 1024 * 1024
MAX_PROCESSES = 1024
CLOSED_MOUNTS = ("/proc", "/dev", "/sys", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/layers", "/slipway", "/nix")


class VariableWrong(TaskFailed):
    """A variable can't be given to a program."""

    code = "variable.wrong"


class Launching:
    """Lays out releases."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout = layout
        self._settings = settings

    def lay_out(
        self,
        release: ReleaseDirectory,
        artifact: Artifact,
        task: Task,
        variables: Sequence[TaskVariable],
        port: int,
        memory_mib: int,
        *,
        command: Sequence[str] = (),
        writable: Bind | None = None,
    ) -> Launch:
        """Make the release's directory, complete, not yet started.

        `command`: instead of the artifact's own. `writable`: a directory that is made for it besides its own.
        """
        remove_tree(release.root)
        release.root.mkdir(parents=True)
        copy_tree(artifact_directory(self._layout, artifact.key) / "app", release.source)
        binds = self._binds(release, artifact)
        binds += _files(release, variables)
        if writable is not None:
            Path(writable.host).mkdir(parents=True, mode=0o700)
            binds.append(msgspec.structs.replace(writable, writable=True))
        sandbox = self._sandbox(release, artifact, binds, task.service)
        environment = _environment(task, variables, artifact, port)
        argv = list(command) or self._command(release, artifact, sandbox, port)
        launch = self._launch(release, artifact, sandbox, task, environment, port, memory_mib, argv)
        sandbox.own(release.source)
        if writable is not None:
            sandbox.own(Path(writable.host))
        if (release.root / "files").exists():
            sandbox.own(release.root / "files")
        if sandbox.isolation is Isolation.NONE:
            _link_mounts(release, artifact)
        write(release.launch, launch, mode=0o600)
        return launch

    def _binds(self, release: ReleaseDirectory, artifact: Artifact) -> list[Bind]:
        uid = uid_for(release.service.id)
        binds = [Bind(host=str(release.source), inside="/app", writable=True), *identity_bind(release.root, uid)]
        binds += [Bind(host=mount.host, inside=mount.inside) for mount in artifact.mounts]
        if "python" in artifact.language:
            binds += tools.python().binds
        if "node" in artifact.language:
            binds += tools.node_programs(tools.node(self._settings), release.root)[0]
        if artifact.start_kind == StartKind.STATIC:
            binds.append(Bind(host=str(tools.caddy()), inside="/slipway/caddy"))
            binds.append(Bind(host=str(release.root / "caddy.json"), inside="/slipway/caddy.json"))
        return binds

    def _sandbox(
        self, release: ReleaseDirectory, artifact: Artifact, binds: list[Bind], service: ServiceSpec
    ) -> Sandbox:
        hostname = re.sub(r"[^a-z0-9-]", "", service.label.lower())[:63].strip("-") or "app"
        cwd = "/app" if best_isolation() is not Isolation.NONE else str(release.source)
        return Sandbox(
            binds=binds,
            uid=uid_for(release.service.id),
            cwd=cwd,
            hostname=hostname,
            status_fd=3,
            max_processes=MAX_PROCESSES,
        )

    def _launch(
        self,
        release: ReleaseDirectory,
        artifact: Artifact,
        sandbox: Sandbox,
        task: Task,
        environment: dict[str, str],
        port: int,
        memory_mib: int,
        command: list[str],
    ) -> Launch:
        environment["PATH"] = self._path(release, artifact)
        early, late = split_environment(environment)
        return Launch(
            argv=sandbox.argv(command, late),
            command=command,
            env=early,
            late_env=late,
            cwd=sandbox.cwd,
            binds=sandbox.binds,
            sandboxed=sandbox.isolation is not Isolation.NONE,
            uid=sandbox.uid,
            hostname=sandbox.hostname,
            port=port,
            stop_grace_seconds=float(task.service.stop_grace_seconds),
            memory_bytes=memory_mib * 1024 * 1024,
            log_directory=str(release.logs),
            status_file=str(release.status),
        )

    def _command(self, release: ReleaseDirectory, artifact: Artifact, sandbox: Sandbox, port: int) -> list[str]:
        start = artifact.start
        if start.kind is StartKind.SHELL:
            return ["/bin/sh", "-c", start.command[0]]
        if start.kind is StartKind.STATIC:
            folder = inside(release.source, start.command[0]) or release.source
            write_static(release.root / "caddy.json", sandbox.inside(folder), port)
            caddy = sandbox.inside(tools.caddy())
            return [caddy, "run", "--config", sandbox.inside(release.root / "caddy.json")]
        return [part.replace("${PORT}", str(port)).replace("$PORT", str(port)) for part in start.command]

    def _path(self, release: ReleaseDirectory, artifact: Artifact) -> str:
        folders = [_outside(folder, artifact) for folder in artifact.path] if _bare() else list(artifact.path)
        if "node" in artifact.language:
            folders += tools.node_programs(tools.node(self._settings), release.root)[1]
        return ":".join([*folders, SYSTEM_PATH])


def write_static(file: Path, root: str, port: int) -> None:
    """Caddy as a file server: no admin socket, no state, a page of the site's own for what is not there."""
    files = {"handler": "file_server", "root": root}
    not_found = {"handler": "rewrite", "uri": "/404.html"}
    has_page = {"file": {"root": root, "try_files": ["/404.html"]}}
    server = {
        "listen": [f"127.0.0.1:{port}"],
        "protocols": ["h1"],
        "automatic_https": {"disable": True},
        "routes": [{"handle": [{"handler": "encode", "encodings": {"gzip": {}}, "prefer": ["gzip"]}, files]}],
        "errors": {
            "routes": [
                {"match": [has_page], "handle": [not_found, {**files, "status_code": "{http.error.status_code}"}]}
            ]
        },
    }
    config = {
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "admin": {"disabled": True, "config": {"persist": False}},
        "apps": {"http": {"servers": {"static": server}}},
    }
    write_bytes(file, json.dumps(config).encode(), durable=False)


def _environment(task: Task, variables: Sequence[TaskVariable], artifact: Artifact, port: int) -> dict[str, str]:
    """What the program gets. Its own variables win over defaults, except for the port, which is not its to choose."""
    given = {variable.key: variable.value for variable in variables if not variable.mount_path}
    for key, value in given.items():
        _check(key, value)
    environment = {
        "LANG": "C.UTF-8",
        "HOME": "/tmp",  # noqa: S108 the sandbox's own
        "HOST": "127.0.0.1",
        **artifact.environment,
        "SLIPWAY_SERVICE_ID": task.service_id,
        "SLIPWAY_ENVIRONMENT_ID": task.environment_id,
        "SLIPWAY_DEPLOYMENT_ID": task.deployment_id,
        "SLIPWAY_COMMIT": task.service.git.commit if task.service.git else artifact.commit,
        **given,
        **({"PORT": str(port)} if port else {}),
    }
    if sum(len(key) + len(value.encode()) for key, value in environment.items()) > ENVIRONMENT_BYTES:
        raise VariableWrong("All variables together are larger than 1 MiB, more than a program can be given.")
    return environment


def _check(key: str, value: str) -> None:
    if not KEY.fullmatch(key):
        raise VariableWrong(f"{key[:80]!r} can't be the name of a variable: letters, digits and _ make one.")
    if "\0" in value:
        raise VariableWrong(f"The value of {key} holds a zero byte, which no program can be given.")
    if len(value.encode(errors="surrogatepass")) > VALUE_BYTES:
        raise VariableWrong(f"The value of {key} is larger than 127 KiB: mount it as a file instead.")


def _files(release: ReleaseDirectory, variables: Sequence[TaskVariable]) -> list[Bind]:
    """Variables that are files: written beside the release, seen where the service wants them."""
    binds: list[Bind] = []
    for number, variable in enumerate(variables):
        if not variable.mount_path:
            continue
        path = os.path.normpath(variable.mount_path)
        parts = variable.mount_path.split("/")
        closed = path == "/" or any(path == one or path.startswith(one + "/") for one in CLOSED_MOUNTS)
        if not path.startswith("/") or ".." in parts or "\0" in path or closed:
            raise VariableWrong(f"{variable.key} can't be mounted at {variable.mount_path!r}.")
        if _bare():
            raise VariableWrong(f"{variable.key} is a file, and without a sandbox this machine can't mount files.")
        host = release.root / "files" / str(number)
        write_bytes(host, variable.value.encode(), mode=0o400, durable=False)
        binds.append(Bind(host=str(host), inside=path))
    return binds


def _bare() -> bool:
    return best_isolation() is Isolation.NONE


def _outside(folder: str, artifact: Artifact) -> str:
    for mount in artifact.mounts:
        if folder == mount.inside or folder.startswith(mount.inside + "/"):
            return mount.host + folder[len(mount.inside) :]
    return folder


def _link_mounts(release: ReleaseDirectory, artifact: Artifact) -> None:
    """Without a sandbox what would be mounted into the source is linked there."""
    for mount in artifact.mounts:
        if mount.inside.startswith("/app/"):
            place = release.source / mount.inside.removeprefix("/app/")
            remove_tree(place)
            place.symlink_to(mount.host)


def about(release: ReleaseDirectory, artifact: Artifact, task: Task, port: int) -> Release:
    """release.json of a release that is being started."""
    return Release(
        name=release.name,
        commit=task.service.git.commit if task.service.git else artifact.commit,
        deployment_id=task.deployment_id,
        artifact=artifact.key,
        port=port,
        state="starting",
        created_at=datetime.now(UTC),
        memory_mib=task.service.memory_mib,
        cpu_milli=task.service.cpu_milli,
    )


def variables_of(launch: Launch, files: Mapping[str, str]) -> list[TaskVariable]:
    """The variables with which a release was started, to start another one like it."""
    ours = {"PATH", "PORT"}
    both = {**launch.env, **launch.late_env}
    kept = [TaskVariable(key=key, value=value) for key, value in both.items() if key not in ours]
    return kept + [TaskVariable(key="FILE", value=text, mount_path=path) for path, text in files.items()]


def files_of(launch: Launch, release: ReleaseDirectory) -> dict[str, str]:
    """Mount path → content of the files that a release was given."""
    folder = str(release.root / "files") + "/"
    found = [bind for bind in launch.binds if bind.host.startswith(folder)]
    return {bind.inside: Path(bind.host).read_text() for bind in found}
