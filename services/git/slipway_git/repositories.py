"""The bare repositories: one directory per service, named by the service's id and never by a user's name."""

import asyncio
import re
from datetime import datetime
from pathlib import Path

from slipway_contracts.git import Commit
from slipway_git.commands import git, git_environment

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOTHING = "0" * 40
MOST_PATHS = 5000
COMMIT_FORMAT = "%H%x00%an%x00%ae%x00%cI%x00%B"
CONFIG = {
    "safe.directory": "*",
    "http.getanyfile": "false",
    "http.receivepack": "true",
    "receive.fsckObjects": "true",
    # Old but harmless things that well-known repositories contain.
    "receive.fsck.zeroPaddedFilemode": "ignore",
    "receive.fsck.missingSpaceBeforeDate": "ignore",
    "receive.fsck.badTimezone": "ignore",
    "uploadpack.allowFilter": "true",
    # Engines fetch exactly one commit.
    "uploadpack.allowReachableSHA1InWant": "true",
    # No process of git outlives its push.
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "core.fsync": "committed,reference",
}


class Repositories:
    """The repositories below one directory."""

    def __init__(self, directory: Path, config: dict[str, str]) -> None:
        """`config`: git's configuration beside CONFIG: hooks, limits."""
        self.directory = directory
        self.environment = git_environment(directory, CONFIG | config)
        self._making: dict[str, asyncio.Lock] = {}

    def path(self, service_id: str) -> Path:
        if not ID.fullmatch(service_id):
            raise ValueError(f"{service_id!r} is no id")
        return self.directory / f"{service_id}.git"

    def ids(self) -> list[str]:
        """All that exist."""
        found = (path.name.removesuffix(".git") for path in self.directory.glob("*.git"))
        return sorted(id for id in found if ID.fullmatch(id))

    async def ensure(self, service_id: str) -> Path:
        """The repository; an empty one is made first if there is none."""
        path = self.path(service_id)
        async with self._making.setdefault(service_id, asyncio.Lock()):
            if not (path / "HEAD").exists():
                name = f"{service_id}.git"
                await git("init", "-q", "--bare", "-b", "main", name, cwd=self.directory, env=self.environment)
        return path

    async def refs(self, service_id: str) -> dict[str, str]:
        """Branches and tags: full name → object id; a tag's commit, where it is an annotated one."""
        form = "--format=%(refname) %(objectname) %(*objectname)"
        _, out = await self._git(service_id, "for-each-ref", form, "refs/heads", "refs/tags")
        lines = (line.split(" ") for line in out.decode(errors="replace").splitlines())
        return {name: peeled or object_id for name, object_id, peeled in lines}

    async def commit(self, service_id: str, id: str) -> Commit:
        _, out = await self._git(service_id, "log", "-1", f"--format={COMMIT_FORMAT}", id, "--")
        id, name, email, at, message = out.decode(errors="replace").split("\0", 4)
        return Commit(
            id=id,
            message=message.strip()[:4000],
            author_name=name,
            author_email=email,
            at=datetime.fromisoformat(at),
        )

    async def is_ancestor(self, service_id: str, before: str, after: str) -> bool:
        code, _ = await self._git(service_id, "merge-base", "--is-ancestor", before, after, ok=(0, 1, 128))
        return code == 0

    async def count(self, service_id: str, before: str, after: str) -> int:
        _, out = await self._git(service_id, "rev-list", "--count", f"{before}..{after}", ok=(0, 128))
        return int(out or 0)

    async def changed_paths(self, service_id: str, before: str, after: str) -> list[str] | None:
        """What differs between two commits; None when it is too much to tell."""
        code, out = await self._git(
            service_id, "diff", "--name-only", "--no-renames", "-z", before, after, "--", ok=(0, 128)
        )
        paths = [path.decode(errors="replace") for path in out.split(b"\0") if path]
        return paths if code == 0 and len(paths) <= MOST_PATHS else None

    async def _git(self, service_id: str, *arguments: str, ok: tuple[int, ...] = (0,)) -> tuple[int, bytes]:
        return await git(*arguments, cwd=self.path(service_id), env=self.environment, ok=ok)
