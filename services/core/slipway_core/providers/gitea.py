"""Gitea and Forgejo: GitHub's shapes below `/api/v1`, with differences."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from slipway_core.providers.api import Part
from slipway_core.providers.protocol import CommitInfo, CommitStatus
from slipway_core.providers.requests import GitHubLike

MOST_DESCRIPTION = 255
STATES = {"pending": "pending", "running": "pending", "success": "success", "failure": "failure", "canceled": "error"}


class BranchCommit(Part, frozen=True):
    id: str


class Branch(Part, frozen=True):
    commit: BranchCommit


class Author(Part, frozen=True):
    name: str = ""
    email: str = ""
    date: datetime | None = None


class Inner(Part, frozen=True):
    message: str = ""
    author: Author | None = None


class File(Part, frozen=True):
    filename: str


class Commit(Part, frozen=True):
    sha: str
    commit: Inner
    files: list[File] | None = None


class Comparison(Part, frozen=True):
    total_commits: int
    commits: list[Commit] | None = None


class Gitea(GitHubLike):
    events = frozenset({"push", "create", "delete", "pull_request", "pull_request_sync", "issue_comment"})
    page_size_name = "limit"

    @staticmethod
    def base(api_url: str) -> str:
        known = api_url.rstrip("/")
        return known if known.endswith("/api/v1") else f"{known}/api/v1"

    @staticmethod
    def headers(token: str) -> dict[str, str]:
        return {"Authorization": f"token {token}"} if token else {}

    async def branch_head(self, branch: str) -> str | None:
        found = await self._api.get(f"{self._repository}/branches/{quote(branch, safe='')}", Branch)
        return found.commit.id if found is not None else None

    async def commit(self, id: str) -> CommitInfo | None:
        found = await self._api.get(f"{self._repository}/git/commits/{quote(id, safe='')}", Commit)
        if found is None:
            return None
        author = found.commit.author or Author()
        return CommitInfo(
            id=found.sha,
            message=found.commit.message,
            author_name=author.name,
            author_email=author.email,
            at=author.date,
        )

    async def changed_paths(self, base: str, head: str) -> list[str] | None:
        """Commit by commit: a comparison tells no files of its own."""
        found = await self._api.get(f"{self._repository}/compare/{base}...{head}", Comparison)
        commits = (found.commits or []) if found is not None else []
        if found is None or found.total_commits != len(commits) or any(one.files is None for one in commits):
            return None
        return sorted({file.filename for one in commits for file in one.files or ()})

    async def set_status(self, commit: str, status: CommitStatus) -> None:
        body = {
            "state": STATES[status.state],
            "context": status.context,
            "description": status.description[:MOST_DESCRIPTION],
            "target_url": status.url,
        }
        await self._api.must("POST", f"{self._repository}/statuses/{commit}", body, Part)

    async def add_hook(self, url: str, secret: str) -> None:
        body: dict[str, Any] = {"type": "gitea", **self._hook_body(url, secret)}
        await self._api.must("POST", f"{self._repository}/hooks", body, Part)

    async def ask_again(self, hook_id: str) -> int:
        """Gitea keeps its queue itself, and lists no deliveries."""
        return 0
