"""What the four Git hosts have in common: repositories, commits, requests, statuses, comments, hooks."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

NOTHING = "0" * 40


@dataclass
class KnownCommit:
    id: str
    message: str = "change"
    paths: list[str] = field(default_factory=list)
    parent: str = ""


@dataclass
class KnownRequest:
    """A pull or merge request."""

    number: int
    source: "Repository | None"
    source_branch: str
    target_branch: str
    title: str = "A change"
    open: bool = True
    merged: bool = False
    author: str = "ada"


@dataclass
class KnownHook:
    id: str
    body: dict[str, Any]
    """As it was sent."""


@dataclass
class KnownDelivery:
    id: int
    guid: str
    status_code: int


@dataclass
class Repository:
    """One repository; `path` is its full name."""

    path: str
    id: int
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, KnownCommit] = field(default_factory=dict)
    requests: dict[int, KnownRequest] = field(default_factory=dict)
    statuses: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(commit, body), in the order in which they came."""
    comments: dict[int, tuple[int, str]] = field(default_factory=dict)
    """id → (request, text)."""
    hooks: dict[str, KnownHook] = field(default_factory=dict)
    deliveries: list[KnownDelivery] = field(default_factory=list)
    """Of its hooks, the newest first."""
    asked_again: list[int] = field(default_factory=list)

    def commit(self, branch: str, *paths: str, message: str = "change", id: str = "") -> str:
        """A new commit on top of a branch; its id."""
        parent = self.branches.get(branch, "")
        id = id or hashlib.sha1(f"{self.path} {branch} {len(self.commits)} {message}".encode()).hexdigest()  # noqa: S324
        self.commits[id] = KnownCommit(id, message, list(paths), parent)
        self.branches[branch] = id
        return id

    def between(self, base: str, head: str) -> list[KnownCommit]:
        """The commits that head has and base has not, oldest first."""
        found: list[KnownCommit] = []
        at = head
        while at and at != base and at in self.commits:
            found.append(self.commits[at])
            at = self.commits[at].parent
        return found[::-1]

    def find(self, id: str) -> KnownCommit | None:
        """By its id, or the beginning of it."""
        return next((one for one in self.commits.values() if len(id) >= 7 and one.id.startswith(id)), None)

    def request(
        self, number: int, source_branch: str, source: "Repository | None" = None, **fields: Any
    ) -> KnownRequest:
        """Open a pull request against main, unless the fields say otherwise."""
        known = {"target_branch": "main"} | fields
        self.requests[number] = KnownRequest(number, source or self, source_branch, **known)
        return self.requests[number]

    def head_of(self, request: KnownRequest) -> str:
        return request.source.branches.get(request.source_branch, "") if request.source else ""


@dataclass
class Trouble:
    """What the host does next instead of answering."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1


@dataclass
class Hosted:
    """Everything on the host."""

    token: str = "t0ken-of-the-organization"  # noqa: S105  known to tests
    may_write: bool = True
    """Whether the token's scopes reach that far."""
    repositories: dict[str, Repository] = field(default_factory=dict)
    trouble: Trouble | None = None
    asked: list[str] = field(default_factory=list)
    """Method and path of every request, in order."""
    ids: Iterator[int] = field(default_factory=lambda: count(1000))

    def repository(self, path: str) -> Repository:
        """A new repository with one commit on main."""
        made = Repository(path, next(self.ids))
        made.commit("main", "README.md", message="first")
        self.repositories[path] = made
        return made
