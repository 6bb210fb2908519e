"""GitHub: repositories by `/repos/{owner}/{name}`, pull requests, statuses, webhooks and their deliveries."""

from collections import defaultdict
from datetime import datetime
from typing import Any
from urllib.parse import quote

from slipway_core.providers.api import Part, branch_path
from slipway_core.providers.protocol import CommitInfo, CommitStatus
from slipway_core.providers.requests import GitHubLike

MOST_DESCRIPTION = 140
MOST_FILES = 300
"""A comparison lists no more files."""
MOST_TRIES = 3
"""So often a delivery is asked for again."""
MOST_DELIVERIES = 100
STATES = {"pending": "pending", "running": "pending", "success": "success", "failure": "failure", "canceled": "error"}


class Object(Part, frozen=True):
    sha: str


class Reference(Part, frozen=True):
    object: Object


class Author(Part, frozen=True):
    name: str = ""
    email: str = ""
    date: datetime | None = None


class Inner(Part, frozen=True):
    message: str = ""
    author: Author | None = None


class Commit(Part, frozen=True):
    sha: str
    commit: Inner


class File(Part, frozen=True):
    filename: str
    previous_filename: str | None = None


class Comparison(Part, frozen=True):
    files: list[File] | None = None


class Delivery(Part, frozen=True):
    id: int
    guid: str
    status_code: int


class GitHub(GitHubLike):
    events = frozenset({"push", "pull_request", "issue_comment"})

    @staticmethod
    def base(api_url: str) -> str:
        """github.com has a host for its API, an Enterprise Server a path."""
        known = api_url.rstrip("/")
        return known if known.endswith(("api.github.com", "/api/v3")) else f"{known}/api/v3"

    @staticmethod
    def headers(token: str) -> dict[str, str]:
        login = {"Authorization": f"Bearer {token}"} if token else {}
        return {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", **login}

    async def branch_head(self, branch: str) -> str | None:
        found = await self._api.get(f"{self._repository}/git/ref/heads/{branch_path(branch)}", Reference)
        return found.object.sha if found is not None else None

    async def commit(self, id: str) -> CommitInfo | None:
        found = await self._api.get(f"{self._repository}/commits/{quote(id, safe='')}", Commit)
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
        found = await self._api.get(f"{self._repository}/compare/{base}...{head}", Comparison)
        if found is None or found.files is None or len(found.files) >= MOST_FILES:
            return None
        return [path for file in found.files for path in (file.filename, file.previous_filename) if path]

    async def set_status(self, commit: str, status: CommitStatus) -> None:
        body = {
            "state": STATES[status.state],
            "context": status.context,
            "description": status.description[:MOST_DESCRIPTION],
            "target_url": status.url,
        }
        await self._api.must("POST", f"{self._repository}/statuses/{commit}", body, Part)

    async def add_hook(self, url: str, secret: str) -> None:
        body: dict[str, Any] = {"name": "web", **self._hook_body(url, secret)}
        await self._api.must("POST", f"{self._repository}/hooks", body, Part)

    async def ask_again(self, hook_id: str) -> int:
        """GitHub never sends again by itself. One of each delivery that none of its tries brought home."""
        path = f"{self._repository}/hooks/{hook_id}/deliveries"
        listed = await self._api.get(path, list[Delivery], per_page=MOST_DELIVERIES) or []
        by_guid: dict[str, list[Delivery]] = defaultdict(list)
        for one in listed:
            by_guid[one.guid].append(one)
        lost = [
            tries[0]
            for tries in by_guid.values()
            if len(tries) <= MOST_TRIES and not any(200 <= one.status_code < 300 for one in tries)
        ]
        for one in lost:
            await self._api.call("POST", f"{path}/{one.id}/attempts")
        return len(lost)
