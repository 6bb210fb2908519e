"""GitLab: projects by their encoded path, merge requests, notes, project hooks."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from slipway_core.providers.api import MOST_PAGES, PAGE, Api, Part, ProviderRefused
from slipway_core.providers.protocol import CommitInfo, CommitStatus, Hook, PullRequestTruth, WrittenComment

T = TypeVar("T")
MOST_DESCRIPTION = 255
STATES = {
    "pending": "pending",
    "running": "running",
    "success": "success",
    "failure": "failed",
    "canceled": "canceled",
}
SWITCHES = {
    "push": "push_events",
    "tag": "tag_push_events",
    "merge_request": "merge_requests_events",
    "note": "note_events",
}
"""What we call an event → the hook's field that switches it on."""


class BranchCommit(Part, frozen=True):
    id: str


class Branch(Part, frozen=True):
    commit: BranchCommit


class Commit(Part, frozen=True):
    id: str
    message: str = ""
    author_name: str = ""
    author_email: str = ""
    authored_date: datetime | None = None


class User(Part, frozen=True):
    username: str = ""


class MergeRequest(Part, frozen=True):
    iid: int
    state: str
    source_branch: str
    target_branch: str
    source_project_id: int | None
    target_project_id: int
    sha: str | None = None
    title: str = ""
    web_url: str = ""
    author: User | None = None


class Project(Part, frozen=True):
    path_with_namespace: str
    http_url_to_repo: str


class Diff(Part, frozen=True):
    old_path: str
    new_path: str


class Comparison(Part, frozen=True):
    diffs: list[Diff]
    compare_timeout: bool = False


class Note(Part, frozen=True):
    id: int
    body: str = ""


class ProjectHook(Part, frozen=True):
    id: int
    url: str
    push_events: bool = False
    tag_push_events: bool = False
    merge_requests_events: bool = False
    note_events: bool = False
    alert_status: str = "executable"
    """GitLab stops sending for a while, or for ever, where too much failed."""


class GitLab:
    events = frozenset(SWITCHES)

    def __init__(self, api: Api) -> None:
        self._api = api
        self._project = "/projects/" + quote(api.target.repository, safe="")

    @staticmethod
    def base(api_url: str) -> str:
        known = api_url.rstrip("/")
        return known if known.endswith("/api/v4") else f"{known}/api/v4"

    @staticmethod
    def headers(token: str) -> dict[str, str]:
        return {"PRIVATE-TOKEN": token} if token else {}

    async def _pages(self, path: str, shape: type[list[T]], **query: Any) -> AsyncIterator[T]:
        for page in range(1, MOST_PAGES + 1):
            found = await self._api.get(path, shape, **query, per_page=PAGE, page=page) or []
            for one in found:
                yield one
            if len(found) < PAGE:
                return

    async def branch_head(self, branch: str) -> str | None:
        found = await self._api.get(f"{self._project}/repository/branches/{quote(branch, safe='')}", Branch)
        return found.commit.id if found is not None else None

    async def commit(self, id: str) -> CommitInfo | None:
        found = await self._api.get(f"{self._project}/repository/commits/{quote(id, safe='')}", Commit)
        if found is None:
            return None
        return CommitInfo(
            id=found.id,
            message=found.message,
            author_name=found.author_name,
            author_email=found.author_email,
            at=found.authored_date,
        )

    async def pull_request(self, number: int) -> PullRequestTruth | None:
        found = await self._api.get(f"{self._project}/merge_requests/{number}", MergeRequest)
        return await self._truth(found) if found is not None else None

    async def open_pull_requests(self) -> list[PullRequestTruth]:
        path = f"{self._project}/merge_requests"
        return [await self._truth(one) async for one in self._pages(path, list[MergeRequest], state="opened")]

    async def _truth(self, one: MergeRequest) -> PullRequestTruth:
        from_fork = one.source_project_id != one.target_project_id
        target = self._api.target
        source: Project | None = Project(path_with_namespace=target.repository, http_url_to_repo=target.clone_url)
        if from_fork:
            # Only the project itself says where a fork is cloned from.
            known = one.source_project_id is not None
            source = await self._api.get(f"/projects/{one.source_project_id}", Project) if known else None
        return PullRequestTruth(
            number=one.iid,
            open=one.state in ("opened", "locked"),
            merged=one.state == "merged",
            title=one.title,
            url=one.web_url,
            source_branch=one.source_branch,
            source_repository=source.path_with_namespace if source else "",
            source_clone_url=source.http_url_to_repo if source else "",
            from_fork=from_fork,
            target_branch=one.target_branch,
            head=one.sha or "",
            author=one.author.username if one.author else "",
        )

    async def changed_paths(self, base: str, head: str) -> list[str] | None:
        path = f"{self._project}/repository/compare"
        found = await self._api.get(path, Comparison, **{"from": base, "to": head})
        if found is None or found.compare_timeout:
            return None
        return sorted({path for diff in found.diffs for path in (diff.old_path, diff.new_path)})

    async def set_status(self, commit: str, status: CommitStatus) -> None:
        body = {
            "state": STATES[status.state],
            "name": status.context,
            "description": status.description[:MOST_DESCRIPTION],
            "target_url": status.url,
        }
        try:
            await self._api.must("POST", f"{self._project}/statuses/{commit}", body, Part)
        except ProviderRefused as refused:
            # It has that state already: GitLab refuses to say the same thing twice.
            if "Cannot transition status" not in refused.detail:
                raise

    async def comments(self, number: int) -> list[WrittenComment]:
        path = f"{self._project}/merge_requests/{number}/notes"
        return [WrittenComment(id=str(one.id), text=one.body) async for one in self._pages(path, list[Note])]

    async def add_comment(self, number: int, text: str) -> str:
        path = f"{self._project}/merge_requests/{number}/notes"
        return str((await self._api.must("POST", path, {"body": text}, Note)).id)

    async def edit_comment(self, number: int, id: str, text: str) -> bool:
        path = f"{self._project}/merge_requests/{number}/notes/{id}"
        return await self._api.send("PUT", path, {"body": text}, Note) is not None

    async def hooks(self) -> list[Hook]:
        return [_hook(one) async for one in self._pages(f"{self._project}/hooks", list[ProjectHook])]

    async def add_hook(self, url: str, secret: str) -> None:
        await self._api.must("POST", f"{self._project}/hooks", _hook_body(url, secret), Part)

    async def edit_hook(self, id: str, url: str, secret: str) -> None:
        await self._api.must("PUT", f"{self._project}/hooks/{id}", _hook_body(url, secret), Part)

    async def ask_again(self, hook_id: str) -> int:
        """GitLab tries again by itself."""
        return 0


def _hook(one: ProjectHook) -> Hook:
    return Hook(
        id=str(one.id),
        url=one.url,
        active=one.alert_status == "executable",
        events=frozenset(event for event, switch in SWITCHES.items() if getattr(one, switch)),
    )


def _hook_body(url: str, secret: str) -> dict[str, Any]:
    return {"url": url, "token": secret, "enable_ssl_verification": True, **dict.fromkeys(SWITCHES.values(), True)}
