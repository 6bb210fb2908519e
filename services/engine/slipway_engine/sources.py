"""Get a commit of a repository: git with every door shut that a hostile repository or URL could use.

Only http and https (never ext::, file:: or ssh), no hooks, no submodules, no LFS, no prompt, no configuration of the
machine; the credential goes to the one host it is for, in the environment of one process.
Invariant: what is checked out lies below the given directory, and the address that was checked is the one used.
"""

import asyncio
import base64
import ipaddress
import os
import re
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from slipway_contracts.specs import GitSource
from slipway_engine.commands import run_command
from slipway_engine.problems import CloneFailed
from slipway_engine.trees import inside, remove_tree

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
BRANCH = re.compile(r"[A-Za-z0-9_][^\x00-\x20\x7f~^:?*\[\\]{0,250}")
CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.symlinks": "true",
    "core.autocrlf": "false",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "protocol.allow": "never",
    "protocol.version": "2",
    "safe.directory": "*",
    "submodule.recurse": "false",
}


@dataclass(frozen=True)
class Fetching:
    """What is allowed, and with what."""

    own_origin: str = ""
    """This platform's own remote, which may be cloned although it is on a private address."""
    private_hosts: bool = False
    files: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 300
    disk_bytes: int = 5 * 1024**3


@dataclass(frozen=True)
class Checkout:
    root: Path
    """The service's own folder in the tree."""
    tree: str
    """git's name for that folder's content: the same for every commit that leaves it as it is."""


async def check_out(
    git: GitSource,
    mirror: Path,
    target: Path,
    credential: tuple[str, str],
    allowed: Fetching,
    on_line: Callable[[str], None],
) -> Checkout:
    """Bring the commit into `target`. `mirror` keeps what was fetched: the next commit costs its changes only."""
    if not COMMIT.fullmatch(git.commit):
        raise CloneFailed(f"{git.commit!r} is not the id of a commit.")
    repository = Repository(mirror, git, await _address(git.url, allowed), credential, allowed, on_line)
    if not await repository.has_commit():
        await repository.fetch()
    await repository.extract(target)
    root = await asyncio.to_thread(inside, target, git.root_path)
    if root is None:
        raise CloneFailed(
            f"The root path {git.root_path!r} is not a folder of the repository at {git.commit[:8]}.",
            code="build.root_path",
        )
    return Checkout(root, await repository.tree(root.relative_to(target)))


async def _address(url: str, allowed: Fetching) -> str:
    """Check the URL; the answer pins its host to the address that was checked (git's http.curloptResolve)."""
    parts = urlsplit(url)
    if allowed.files and parts.scheme == "file":
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CloneFailed("A repository's address begins with https:// or http://.", code="build.address")
    if parts.username or parts.password:
        raise CloneFailed("A repository's address must not hold a user or password.", code="build.address")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        raise CloneFailed(f"The host {parts.hostname!r} is not known.", code="build.address") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    own = allowed.private_hosts or (allowed.own_origin and _origin(url) == _origin(allowed.own_origin))
    if not own and not all(_is_public(address) for address in addresses):
        raise CloneFailed(f"{parts.hostname!r} is a private address, which is not allowed here.", code="build.address")
    pinned = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
    return f"{parts.hostname}:{port}:{pinned}"


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _is_public(address: str) -> bool:
    one = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(one, "ipv4_mapped", None)
    return (mapped or one).is_global and not one.is_multicast


@cache
def _git() -> str:
    found = shutil.which("git")
    if found is None:
        raise CloneFailed("git is not installed on this machine.")
    return found


class Repository:
    """A bare copy of a repository on this machine."""

    def __init__(
        self,
        mirror: Path,
        git: GitSource,
        pinned: str,
        credential: tuple[str, str],
        allowed: Fetching,
        on_line: Callable[[str], None],
    ) -> None:
        self._mirror = mirror
        self._git = git
        self._allowed = allowed
        self._on_line = on_line
        self._last: list[str] = []
        self._said: list[str] = []
        self._environment = _environment(allowed, _configuration(git.url, pinned, credential, allowed))

    async def has_commit(self) -> bool:
        if not (self._mirror / "HEAD").exists():
            await asyncio.to_thread(remove_tree, self._mirror)
            self._mirror.parent.mkdir(parents=True, exist_ok=True)
            await self._must("init", "--quiet", "--bare", "--template=", "--", str(self._mirror))
            return False
        return await self._run("cat-file", "-e", f"{self._git.commit}^{{commit}}") == 0

    async def fetch(self) -> None:
        """The commit alone; from servers that give only branches, the whole branch."""
        commit = self._git.commit
        for url in _forms(self._git.url):
            if await self._fetch_from(url, commit):
                return
        raise CloneFailed(_explain(self._said, self._git), "\n".join(self._said[-10:]))

    async def _fetch_from(self, url: str, commit: str) -> bool:
        # Under a name: what git has under names it offers the server, which then sends the difference only.
        exact = f"+{commit}:refs/slipway/last"
        if await self._run("fetch", "--quiet", "--no-tags", "--depth=1", "--force", "--", url, exact) == 0:
            return True
        self._said += self._last
        branch = self._git.branch
        if branch and BRANCH.fullmatch(branch) and ".." not in branch:
            shallow = ["--unshallow"] if (self._mirror / "shallow").exists() else []
            ref = f"+refs/heads/{branch}:refs/slipway/branch"
            await self._run("fetch", "--quiet", "--no-tags", *shallow, "--force", "--", url, ref)
            self._said += self._last
        return await self.has_commit()

    async def extract(self, target: Path) -> None:
        await asyncio.to_thread(target.mkdir, parents=True, exist_ok=True)
        index = {"GIT_INDEX_FILE": str(target.with_name(target.name + ".index"))}
        commit = self._git.commit
        await self._must("read-tree", commit, extra=index)
        # git itself refuses names like .git or ../x, and writes through no link.
        tree = f"--work-tree={target}"
        await self._must(tree, "checkout-index", "--all", "--force", "--quiet", extra=index, cwd=target)
        os.unlink(index["GIT_INDEX_FILE"])

    async def tree(self, folder: Path) -> str:
        path = "" if str(folder) == "." else f"{folder}/"
        await self._must("rev-parse", "--verify", f"{self._git.commit}:{path}")
        return self._last[-1].strip() if self._last else ""

    async def _must(self, *arguments: str, extra: Mapping[str, str] | None = None, cwd: str | Path = "/") -> None:
        if await self._run(*arguments, extra=extra, cwd=cwd):
            raise CloneFailed(_explain(self._last, self._git), "\n".join(self._last[-10:]))

    async def _run(self, *arguments: str, extra: Mapping[str, str] | None = None, cwd: str | Path = "/") -> int:
        self._last = []
        argv = [_git(), *([] if arguments[0] == "init" else [f"--git-dir={self._mirror}"]), *arguments]
        environment = {**self._environment, **(extra or {})}
        disk = (self._mirror, self._allowed.disk_bytes)
        timeout = self._allowed.timeout_seconds
        return await run_command(argv, environment, self._heard, timeout_seconds=timeout, cwd=cwd, disk=disk)

    def _heard(self, line: str) -> None:
        self._last = [*self._last[-50:], line]
        if not COMMIT.fullmatch(line.strip()):
            self._on_line(line)


def _forms(url: str) -> list[str]:
    """Some hosts redirect an address without .git to the one with it, and redirects are not followed."""
    return [url] if url.endswith((".git", "/")) else [url, f"{url}.git"]


def _configuration(url: str, pinned: str, credential: tuple[str, str], allowed: Fetching) -> dict[str, str]:
    config = dict(CONFIG)
    for scheme in ("http", "https", *(["file"] if allowed.files else [])):
        config[f"protocol.{scheme}.allow"] = "always"
    if pinned:
        config["http.curloptResolve"] = pinned
        # A redirect would lead to an address that nobody checked, and take the credential along.
        config["http.followRedirects"] = "false"
    user, password = credential
    if password:
        encoded = base64.b64encode(f"{user or 'git'}:{password}".encode()).decode()
        for form in _forms(url):
            config[f"http.{form}.extraHeader"] = f"Authorization: Basic {encoded}"
    return config


def _environment(allowed: Fetching, config: Mapping[str, str]) -> dict[str, str]:
    environment = {
        **allowed.environment,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_ALLOW_PROTOCOL": "http:https:file" if allowed.files else "http:https",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_CONFIG_COUNT": str(len(config)),
    }
    for number, (key, value) in enumerate(config.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


EXPLANATIONS = (
    ("could not read Username", "The repository wants a login: check its Git token."),
    ("Authentication failed", "The repository refused the login: check its Git token."),
    ("error: 403", "The repository refused the login: check the rights of its Git token."),
    ("not found", "There is no such repository, or its Git token may not see it."),
    ("redirect", "The repository moved: enter its new address."),
    ("Could not resolve host", "The repository's host is not known."),
    ("Failed to connect", "The repository's host doesn't answer."),
    ("Couldn't connect", "The repository's host doesn't answer."),
)


def _explain(lines: list[str], git: GitSource) -> str:
    said = "\n".join(lines)
    for sign, sentence in EXPLANATIONS:
        if sign.lower() in said.lower():
            return sentence
    return f"Commit {git.commit[:8]} could not be fetched from branch {git.branch!r}."
