"""What we ask of a Git provider, whichever it is, and what it answers."""

from datetime import datetime
from typing import Protocol

import msgspec


class CommitInfo(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    message: str = ""
    author_name: str = ""
    author_email: str = ""
    at: datetime | None = None


class PullRequestTruth(msgspec.Struct, frozen=True, kw_only=True):
    """How a pull or merge request stands, as its provider says."""

    number: int
    open: bool
    merged: bool = False
    title: str = ""
    url: str = ""
    source_branch: str
    source_repository: str = ""
    """Empty: the fork is gone, or private."""
    source_clone_url: str = ""
    from_fork: bool
    target_branch: str
    head: str
    """Newest commit of the source branch."""
    author: str = ""


class CommitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside a commit at its provider."""

    state: str
    """pending, running, success, failure, canceled; each provider has its own words for them."""
    context: str
    """What says it: a later one with the same context takes its place."""
    description: str
    url: str


class WrittenComment(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    text: str


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook at the provider."""

    id: str
    url: str
    active: bool
    events: frozenset[str]
    has_secret: bool = True
    """Where the provider tells it."""
    as_json: bool = True


class Provider(Protocol):
    """One repository at a Git provider.

    Every call raises ProviderLimited, ProviderRefused or ProviderUnavailable, and is bounded. None: there is no such
    thing there.
    """

    events: frozenset[str]
    """What a webhook of ours is to be sent for."""

    async def branch_head(self, branch: str) -> str | None: ...

    async def commit(self, id: str) -> CommitInfo | None: ...

    async def pull_request(self, number: int) -> PullRequestTruth | None: ...

    async def open_pull_requests(self) -> list[PullRequestTruth]: ...

    async def changed_paths(self, base: str, head: str) -> list[str] | None:
        """What changed from one commit to another; None when not all of it is told."""
        ...

    async def set_status(self, commit: str, status: CommitStatus) -> None: ...

    async def comments(self, number: int) -> list[WrittenComment]: ...

    async def add_comment(self, number: int, text: str) -> str: ...

    async def edit_comment(self, number: int, id: str, text: str) -> bool:
        """False: somebody deleted it."""
        ...

    async def hooks(self) -> list[Hook]: ...

    async def add_hook(self, url: str, secret: str) -> None: ...

    async def edit_hook(self, id: str, url: str, secret: str) -> None: ...

    async def ask_again(self, hook_id: str) -> int:
        """Have deliveries that failed sent again; how many. 0 where the provider can't."""
        ...
