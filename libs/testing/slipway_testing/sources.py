"""The source tree as data: for tests of the architecture, and for tables that follow from the code."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("core", "webhooks", "websocket", "scheduler", "shell", "git", "engine", "agent")


@dataclass(frozen=True)
class Module:
    """One source file of ours."""

    package: str
    path: Path
    tree: ast.Module

    @property
    def shown(self) -> str:
        """Its path from the repository's root."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def service(self) -> str:
        """`core` for slipway_core."""
        return self.package.removeprefix("slipway_")


@cache
def modules() -> tuple[Module, ...]:
    """Every module of every package, in order."""
    return tuple(_modules())


def _modules() -> Iterator[Module]:
    for package in sorted(
        [*ROOT.glob("libs/*/slipway_*"), *ROOT.glob("services/*/slipway_*"), ROOT / "cli/slipway_cli"]
    ):
        for path in sorted(package.rglob("*.py")):
            yield Module(package.name, path, ast.parse(path.read_text(), str(path)))


def modules_of(package: str) -> tuple[Module, ...]:
    """The modules of one package."""
    return tuple(module for module in modules() if module.package == package)


def service_modules(service: str) -> tuple[Module, ...]:
    """The modules of one service."""
    return modules_of(f"slipway_{service}")
