"""Node: how its dependencies are installed, built and how it is started."""

import json
import re
from collections.abc import Mapping
from typing import Any

from slipway_engine.plan.model import BuildPlan, Install, Start, StartKind

LIFECYCLE = ("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare")
ENTRIES = ("server.js", "server.mjs", "index.js", "index.mjs", "app.js", "app.mjs", "main.js")
OUTPUTS = ("dist", "build", "out", "public", "_site")
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./-]{1,200}")


def plan(names: frozenset[str], texts: Mapping[str, str]) -> BuildPlan | None:
    """The plan when this is a Node application, else None."""
    if "package.json" not in names:
        return None
    package = _json(texts.get("package.json", ""))
    scripts = {str(name): str(line) for name, line in _dict(package.get("scripts")).items()}
    install = _install(names, texts, package, scripts)
    build = (f"{_runner(install)} run build",) if "build" in scripts else ()
    return BuildPlan(
        language="node",
        installs=(install,) if install else (),
        build_commands=build,
        start=_start(names, package, scripts),
        static_output=OUTPUTS if build else (),
        environment={"NODE_ENV": "production"},
    )


def _install(
    names: frozenset[str], texts: Mapping[str, str], package: Mapping[str, Any], scripts: Mapping[str, str]
) -> Install | None:
    wanted = [_dict(package.get(kind)) for kind in ("dependencies", "devDependencies", "optionalDependencies")]
    if not any(wanted) and "workspaces" not in package:
        return None
    local = any(
        str(version).startswith(("file:", "link:", "workspace:", ".")) for one in wanted for version in one.values()
    )
    whole = local or "workspaces" in package or any(name in scripts for name in LIFECYCLE)
    whole = whole or "pnpm-workspace.yaml" in names or "patches/" in names or ".yarn/" in names
    npmrc = (".npmrc",) if ".npmrc" in names else ()
    for lock, tool in (("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn")):
        if lock in names:
            berry = tool == "yarn" and "__metadata:" in texts.get(lock, "")[:2000]
            name = "yarn-berry" if berry else tool
            version = _pinned(package, tool) or _pnpm_version(texts.get(lock, "")) if tool == "pnpm" else ""
            return Install(tool=name, files=("package.json", lock, *npmrc), whole_source=whole, tool_version=version)
    locks = tuple(name for name in ("package-lock.json", "npm-shrinkwrap.json") if name in names)
    return Install(tool="npm", files=("package.json", *locks, *npmrc), whole_source=whole)


def _start(names: frozenset[str], package: Mapping[str, Any], scripts: Mapping[str, str]) -> Start | None:
    if "start" in scripts:
        # The line itself: npm around it would cost 60 MB and stand between the program and its signals.
        simple = "prestart" not in scripts and "poststart" not in scripts
        return Start(kind=StartKind.SHELL, command=(scripts["start"] if simple else "npm start",))
    main = package.get("main")
    candidates = [main] if isinstance(main, str) and PLAIN_PATH.fullmatch(main) and ".." not in main else []
    for entry in (*candidates, *ENTRIES):
        if entry in names or (entry in candidates and "build" not in scripts):
            return Start(kind=StartKind.COMMAND, command=("node", f"./{entry.removeprefix('./')}"))
    return None


def _runner(install: Install | None) -> str:
    tool = install.tool if install else "npm"
    return {"yarn-berry": "yarn"}.get(tool, tool)


def _pinned(package: Mapping[str, Any], tool: str) -> str:
    """The version in `"packageManager": "pnpm@9.1.0"`."""
    found = re.fullmatch(rf"{tool}@(\d+\.\d+\.\d+)(\+.*)?", str(package.get("packageManager", "")))
    return found[1] if found else ""


def _pnpm_version(lock: str) -> str:
    """The major version of pnpm that wrote a lock file of this version."""
    found = re.search(r"^lockfileVersion:\s*'?(\d+)", lock, re.MULTILINE)
    return {"5": "7", "6": "8", "9": "9"}.get(found[1], "9") if found else "9"


def _json(text: str) -> dict[str, Any]:
    try:
        return _dict(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
