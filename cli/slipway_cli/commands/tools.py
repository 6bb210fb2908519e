"""test, lint, bench: the commands of contributors, run in the checkout."""

import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from slipway_cli.local.home import REPOSITORY
from slipway_cli.output import say
from slipway_cli.problems import CommandFailed

WHOLE_SUITE = ["-n", "2", "--dist", "loadfile"]
"""Tests wait more than they compute: two processes, a file's tests together because they share what they set up."""
LINTED = ("slipway", "bootstrap", "libs", "services", "cli", "tests", "bench")


def run_tool(name: str, arguments: list[str]) -> int:
    """Run it with these arguments; the exit code of what failed first."""
    if not (REPOSITORY / "pyproject.toml").exists():
        raise CommandFailed(f"slipway {name} works in a checkout of the repository only.", "tool.no_checkout")
    if name == "lint":
        return _lint(arguments)
    if name == "bench":
        return _python("bench", *arguments)
    return _python("pytest", *(arguments or WHOLE_SUITE))


def _python(*arguments: str) -> int:
    python = [sys.executable, "-m", *arguments]
    return subprocess.run(python, cwd=REPOSITORY, env={**os.environ, "PYTHONSAFEPATH": ""}).returncode


def _lint(arguments: list[str]) -> int:
    """Every check, all of them even when one fails; --fix repairs what can be."""
    fix = ["--fix"] if "--fix" in arguments else []
    paths = [path for path in LINTED if (REPOSITORY / path).exists()]
    checks: list[tuple[str, list[str]]] = [
        ("rules", ["ruff", "check", *fix, *paths]),
        ("format", ["ruff", "format", *([] if fix else ["--check"]), *paths]),
        ("types", ["mypy", *_packages()]),
        ("imports", ["importlinter.cli", "lint"]),
    ]
    failed = [title for title, argv in checks if not _passes(title, argv)]
    if failed:
        say(f"lint: {', '.join(failed)} failed")
    return 1 if failed else 0


def _passes(title: str, argv: list[str]) -> bool:
    began = time.monotonic()
    if argv[0] == "importlinter.cli":
        code = subprocess.run([str(Path(sys.executable).parent / "lint-imports")], cwd=REPOSITORY).returncode
    else:
        code = _python(*argv)
    say(f"  {'✓' if code == 0 else '✗'} {time.monotonic() - began:5.1f} s  {title}")
    return code == 0


def _packages() -> list[str]:
    """The directories of our packages that hold something."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return [package for package in packages if any((REPOSITORY / package).glob("**/*.py"))]
