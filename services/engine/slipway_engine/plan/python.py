"""Python: how its dependencies are installed and how it is started."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from slipway_engine.plan.model import BuildPlan, Install, Start, StartKind

ENTRIES = ("app.py", "main.py", "server.py", "wsgi.py", "asgi.py", "application.py", "run.py", "index.py")
APPLICATION = re.compile(r"^(app|application|server|api)\s*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
SERVES_ITSELF = re.compile(r"__name__\s*==\s*['\"]__main__['\"]|serve_forever\(|run_app\(|^\w+\.run\(", re.MULTILINE)
NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PLAIN_VERSION = re.compile(r"[A-Za-z0-9.!+_-]+")
HASH = re.compile(r"sha256:[0-9a-f]{64}")
LOCAL_REQUIREMENT = re.compile(r"^\s*(-e\b|--editable\b|-r\b|--requirement\b|-c\b|--constraint\b|\.|/|file:)", re.M)
ASGI = frozenset(("fastapi", "starlette", "quart", "litestar", "blacksheep", "sanic"))


def plan(names: frozenset[str], texts: Mapping[str, str]) -> BuildPlan | None:
    """The plan when this is a Python application, else None."""
    install = _install(names, texts)
    entries = [name for name in ENTRIES if name in names]
    if install is None and not entries and "manage.py" not in names:
        return None
    if install is None and ("package.json" in names or "index.html" in names) and "manage.py" not in names:
        return None
    installs = (install or Install(tool="pip", files=()),)
    return BuildPlan(
        language="python",
        installs=installs,
        start=_start(names, texts, entries),
        environment={"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )


def _install(names: frozenset[str], texts: Mapping[str, str]) -> Install | None:
    if "uv.lock" in names and "pyproject.toml" in names:
        return Install(tool="uv", files=("pyproject.toml", "uv.lock"))
    if "poetry.lock" in names and "pyproject.toml" in names:
        return _poetry(texts.get("poetry.lock", ""))
    if "requirements.txt" in names:
        local = LOCAL_REQUIREMENT.search(texts.get("requirements.txt", ""))
        return Install(tool="pip", files=("requirements.txt",), whole_source=local is not None)
    if "pyproject.toml" in names:
        return _pyproject(texts.get("pyproject.toml", ""))
    return None


def _poetry(lock: str) -> Install:
    """What the lock names, by pip, which is much quicker; Poetry itself only for what pip can't be told."""
    lines: list[str] = []
    for package in _toml(lock).get("package", []):
        line = _locked(package)
        if line is None:
            return Install(tool="poetry", files=("pyproject.toml", "poetry.lock"))
        lines += [line] if line else []
    return Install(tool="pip", files=("pyproject.toml", "poetry.lock"), requirements=tuple(lines), complete=True)


def _locked(package: dict[str, Any]) -> str | None:
    """The requirement of a locked package; empty: not for production; None: from a place that only Poetry knows."""
    if package.get("optional") or "main" not in package.get("groups", ["main"]) or package.get("category") == "dev":
        return ""
    name, version = str(package.get("name", "")), str(package.get("version", ""))
    hashes = [str(file.get("hash", "")) for file in package.get("files", []) if isinstance(file, dict)]
    plain = PLAIN_NAME.fullmatch(name) and PLAIN_VERSION.fullmatch(version) and all(map(HASH.fullmatch, hashes))
    markers = package.get("markers", "")
    markers = markers.get("main", "") if isinstance(markers, dict) else str(markers)
    if "source" in package or not plain or not hashes or "\n" in markers:
        return None
    condition = f" ; {markers}" if markers else ""
    return f"{name}=={version}{condition} " + " ".join(f"--hash={one}" for one in hashes)


def _pyproject(text: str) -> Install:
    """Its dependencies alone when they are plain data; otherwise the project itself is installed."""
    project = _toml(text).get("project", {})
    dependencies = project.get("dependencies")
    if isinstance(dependencies, list) and "dependencies" not in project.get("dynamic", []):
        return Install(tool="pip", files=("pyproject.toml",), requirements=tuple(map(str, dependencies)))
    if "tool" in _toml(text) and "project" not in _toml(text) and "poetry" not in _toml(text)["tool"]:
        # Only settings of tools: there is nothing to install.
        return Install(tool="pip", files=("pyproject.toml",))
    return Install(tool="pip", files=("pyproject.toml",), requirements=(".",), whole_source=True)


def _start(names: frozenset[str], texts: Mapping[str, str], entries: list[str]) -> Start | None:
    packages = packages_of(texts)
    if "manage.py" in names:
        return _shell("python manage.py runserver 127.0.0.1:$PORT --noreload --insecure")
    for entry in entries:
        found = APPLICATION.search(texts.get(entry, ""))
        command = _server(entry.removesuffix(".py"), found[1], packages) if found else None
        if command is not None:
            return _shell(command)
    return _shell(f"python {entries[0]}") if entries else None


def _server(module: str, variable: str, packages: frozenset[str]) -> str | None:
    """The command of the server that the application asked for, where its module holds an application."""
    target = f"{module}:{variable}"
    asgi = bool(packages & ASGI)
    if asgi and "uvicorn" in packages:
        return f"python -m uvicorn {target} --host 127.0.0.1 --port $PORT"
    if asgi and "hypercorn" in packages:
        return f"python -m hypercorn {target} --bind 127.0.0.1:$PORT"
    if asgi:
        return None
    if "gunicorn" in packages:
        return f"python -m gunicorn {target} --bind 127.0.0.1:$PORT --access-logfile -"
    if "waitress" in packages:
        return f"python -m waitress --host 127.0.0.1 --port $PORT {target}"
    if "uvicorn" in packages:
        return f"python -m uvicorn {target} --host 127.0.0.1 --port $PORT"
    if "flask" in packages:
        return f"python -m flask --app {target} run --host 127.0.0.1 --port $PORT"
    return None


def packages_of(texts: Mapping[str, str]) -> frozenset[str]:
    """Names of the packages that the manifests ask for, normalised; a lock file counts for what it locks."""
    wanted = texts.get("requirements.txt", "").splitlines()
    pyproject = _toml(texts.get("pyproject.toml", ""))
    wanted += [str(one) for one in pyproject.get("project", {}).get("dependencies", [])]
    wanted += list(pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {}))
    for lock in ("uv.lock", "poetry.lock"):
        wanted += [str(package.get("name", "")) for package in _toml(texts.get(lock, "")).get("package", [])]
    return frozenset(re.sub(r"[-_.]+", "-", found[1]).lower() for one in wanted if (found := NAME.match(one)))


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _shell(command: str) -> Start:
    return Start(kind=StartKind.SHELL, command=(command,))
