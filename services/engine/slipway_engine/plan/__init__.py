"""From a repository's files to a build plan: pure detection, the same for every driver.

Procfile wins; then Python, Node, a static site; a Dockerfile only where it is asked for or nothing else is there.
Invariant: a function of the files and the service's settings alone; it runs nothing and reads nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway_contracts.specs import ServiceSpec
from slipway_engine.plan import node, python
from slipway_engine.plan.model import BuildPlan, Install, Start, StartKind
from slipway_engine.problems import NoPlan

LOOKED_FOR = (
    "Procfile with a line `web: <command>`",
    "Python: requirements.txt, pyproject.toml, uv.lock or poetry.lock, or an app.py, main.py, server.py or wsgi.py",
    "Node: package.json (with package-lock.json, pnpm-lock.yaml or yarn.lock)",
    "static site: index.html",
    "Dockerfile, where podman, buildah or docker is installed",
)
READ_FILES = frozenset(
    ("Procfile", "package.json", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", ".npmrc",
     "requirements.txt", "pyproject.toml", "uv.lock", "poetry.lock", ".python-version")
)  # fmt: skip
"""Files whose content detection looks at, beside the Python files at the top."""
PROCFILE_LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+?)\s*$")

__all__ = ["LOOKED_FOR", "READ_FILES", "BuildPlan", "Install", "Start", "StartKind", "Tree", "detect", "procfile"]


@dataclass(frozen=True)
class Tree:
    """What detection may know of a repository: names at the top (folders end with /), and some contents."""

    names: frozenset[str]
    texts: Mapping[str, str] = field(default_factory=dict)


def detect(tree: Tree, service: ServiceSpec, *, container_tool: str = "") -> BuildPlan:
    """The plan for a repository; NoPlan with what was looked for when nothing fits."""
    if service.build_mode == "DOCKER" and service.dockerfile_path:
        return _docker(service.dockerfile_path, container_tool)
    if service.build_mode == "STATIC":
        return _static(tree)
    lines = procfile(tree.texts.get("Procfile", ""))
    plan = _languages(tree, lines)
    if plan is None and "index.html" in tree.names and not lines and service.job is None:
        return _static(tree)
    if plan is None and "Dockerfile" in tree.names and not lines:
        return _docker("Dockerfile", container_tool)
    if plan is None and not lines and not service.entrypoint and not service.arguments and service.job is None:
        raise NoPlan(_nothing(tree), "Looked for:\n" + "\n".join(f"- {one}" for one in LOOKED_FOR))
    return _with_start(plan or BuildPlan(language="procfile"), lines, service)


def procfile(text: str) -> dict[str, str]:
    """Process types and their commands; comments and lines of other forms are left out."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        matched = PROCFILE_LINE.match(line)
        if matched and not line.lstrip().startswith("#"):
            found.setdefault(matched[1], matched[2])
    return found


def _languages(tree: Tree, lines: Mapping[str, str]) -> BuildPlan | None:
    """Python, Node, or both: a Procfile often runs Python and has its assets built by Node."""
    of_python, of_node = python.plan(tree.names, tree.texts), node.plan(tree.names, tree.texts)
    if of_python and of_node and not lines:
        # Without a Procfile the one that has a manifest and a start command is meant.
        return of_python if of_python.installs and of_python.start else of_node
    if of_python and of_node:
        return BuildPlan(
            language="python+node",
            installs=(*of_python.installs, *of_node.installs),
            build_commands=of_node.build_commands,
            start=of_python.start or of_node.start,
            environment={**of_node.environment, **of_python.environment},
        )
    return of_python or of_node


def _with_start(plan: BuildPlan, lines: Mapping[str, str], service: ServiceSpec) -> BuildPlan:
    """The start command: the service's own setting, the Procfile's, the detected one."""
    start = plan.start
    if "web" in lines:
        start = Start(kind=StartKind.SHELL, command=(lines["web"],))
    if service.entrypoint or service.arguments:
        command = (*([service.entrypoint] if service.entrypoint else []), *service.arguments)
        start = Start(kind=StartKind.COMMAND, command=command)
    if service.job is not None:
        # Each event may have a command of its own; this is for those that have none.
        line = lines.get("job") or lines.get("web")
        start = Start(kind=StartKind.SHELL, command=(line,)) if line else plan.start
        start = start or Start(kind=StartKind.COMMAND, command=())
    commands = (*plan.build_commands, *([lines["build"]] if "build" in lines else []))
    if start is None and not plan.static_output:
        raise NoPlan(
            f"The {plan.language} application has no start command: add a Procfile with a line `web: <command>`.",
            _start_help(plan) + "\nLooked for:\n" + "\n".join(f"- {one}" for one in LOOKED_FOR),
        )
    return plan.replaced(start=start, build_commands=commands)


def _start_help(plan: BuildPlan) -> str:
    if "node" in plan.language:
        return "Looked at package.json for scripts.start and main, and for server.js, index.js and app.js."
    return "Looked for app.py, main.py, server.py, wsgi.py, asgi.py and manage.py."


def _static(tree: Tree) -> BuildPlan:
    if "index.html" not in tree.names:
        raise NoPlan("A static site needs an index.html at its root path.")
    return BuildPlan(language="static", start=Start(kind=StartKind.STATIC, command=(".",)), hides_dotfiles=True)


def _docker(path: str, tool: str) -> BuildPlan:
    if not tool:
        raise NoPlan(
            f"Building from {path} needs podman, buildah or docker on this machine, and none is there. "
            "Install one, or add a Procfile so that Slipway can build without it.",
            "Looked for:\n" + "\n".join(f"- {one}" for one in LOOKED_FOR),
            code="build.no_container_tool",
        )
    return BuildPlan(language="docker", dockerfile=path, start=Start(kind=StartKind.CONTAINER, command=()))


def _nothing(tree: Tree) -> str:
    seen = ", ".join(sorted(tree.names)[:10]) or "nothing at all"
    return (
        "Nothing in the repository tells how to run it: no Procfile, requirements.txt, pyproject.toml, package.json, "
        f"index.html or Dockerfile at the root path (there is {seen})."
    )
