"""The web console: built from its sources when they changed, with the machine's Node or one from a wheel.

The new build takes the old one's place by a rename, so a browser never finds half of one. Two starts of the same
checkout build it once.
"""

import asyncio
import fcntl
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from slipway_cli.local.home import REPOSITORY
from slipway_cli.local.node import Node, find_node
from slipway_cli.problems import CommandFailed

BUILD_TIMEOUT_SECONDS = 600
NOT_SOURCES = ("node_modules", "dist", "dist.new", "dist.old")
COMPRESSIBLE = {".html", ".js", ".css", ".svg", ".json", ".webmanifest"}
WORTHWHILE_BYTES = 1024
LOCK = "package-lock.json"
INSTALLED = "node_modules/.package-lock.json"


class Console:
    """`console/` of this checkout."""

    def __init__(self, directory: Path = REPOSITORY / "console") -> None:
        self.directory = directory
        self.dist = directory / "dist"

    @property
    def exists(self) -> bool:
        return (self.directory / "package.json").exists()

    def built(self) -> bool:
        try:
            return (self.dist / ".sources").read_text() == self.sources()
        except OSError:
            return False

    def sources(self) -> str:
        """A hash of everything that goes into the build."""
        digest = hashlib.sha256()
        for path in sorted(self._source_files()):
            digest.update(f"{path.relative_to(self.directory)}\0".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()

    async def build(self, log: Path) -> None:
        """Install what it needs and build it; CommandFailed with the last line when that fails."""
        await asyncio.to_thread(self._build, log)

    def _source_files(self) -> list[Path]:
        found: list[Path] = []
        for folder, folders, files in os.walk(self.directory):
            folders[:] = [name for name in folders if name not in NOT_SOURCES and not name.startswith(".")]
            found += [Path(folder) / name for name in files if not name.endswith(".tsbuildinfo")]
        return found

    def _build(self, log: Path) -> None:
        with (Path(sys.prefix) / "console.lock").open("w") as lock, log.open("wb") as output:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.built():
                return
            sources = self.sources()
            node = find_node(log.with_name("node.log"))
            environment = {**os.environ, "PATH": f"{Path(node.node).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
            if not self._installed():
                self._run(self._install_command(node), environment, output, log)
            vite = [node.node, str(self.directory / "node_modules" / "vite" / "bin" / "vite.js")]
            self._run([*vite, "build", "--outDir", "dist.new", "--emptyOutDir"], environment, output, log)
            _compress(self.directory / "dist.new")
            (self.directory / "dist.new" / ".sources").write_text(sources)
            self._replace()

    def _run(self, argv: list[str], environment: dict[str, str], output: object, log: Path) -> None:
        try:
            done = subprocess.run(
                argv,
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,  # type: ignore[call-overload]
                stderr=subprocess.STDOUT,
                timeout=BUILD_TIMEOUT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"The console's build took too long; look into {log}.", "console.build") from None
        if done.returncode:
            lines = log.read_text(errors="replace").strip().splitlines() or ["nothing"]
            last = next((line for line in lines if "error" in line.lower()), lines[-1])
            raise CommandFailed(f"The console could not be built: {last[:200]} (all of it: {log})", "console.build")

    def _installed(self) -> bool:
        """Whether every package that the build needs is there in the locked version."""
        wanted, found = self._packages(LOCK), self._packages(INSTALLED)
        needed = {name: about for name, about in wanted.items() if name and not about.get("dev")}
        return all(
            found.get(name, {}).get("version") == about.get("version")
            for name, about in needed.items()
            if not about.get("optional")
        )

    def _packages(self, lock: str) -> dict[str, dict[str, Any]]:
        try:
            return dict(json.loads((self.directory / lock).read_text())["packages"])
        except (OSError, ValueError, KeyError):
            return {}

    def _install_command(self, node: Node) -> list[str]:
        """A contributor's tools stay; nobody else gets them."""
        tools = any(about.get("dev") for about in self._packages(INSTALLED).values())
        argv = [*node.npm, "ci", "--no-audit", "--no-fund", "--prefer-offline"]
        return argv if tools else [*argv, "--omit=dev"]

    def _replace(self) -> None:
        new, old = self.directory / "dist.new", self.directory / "dist.old"
        shutil.rmtree(old, ignore_errors=True)
        if self.dist.exists():
            self.dist.rename(old)
        new.rename(self.dist)
        shutil.rmtree(old, ignore_errors=True)


def _compress(directory: Path) -> None:
    """A .gz beside every text file, so that Caddy compresses nothing while it serves."""
    for path in directory.rglob("*"):
        if path.suffix in COMPRESSIBLE and path.stat().st_size >= WORTHWHILE_BYTES:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
