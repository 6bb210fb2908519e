"""GitHub's API, and what Gitea and Forgejo copied of it."""

from collections.abc import AsyncIterator
from typing import Any, TypeVar
from urllib.parse import quote

from slipway_core.providers.api import MOST_PAGES, PAGE, Api, Part
from slipway_core.providers.protocol import Hook, PullRequestTruth, WrittenComment

T = TypeVar("T")


class User(Part, frozen=True):
    login: str = ""


class SideRepository(Part, frozen=True):
    full_name: str
    clone_url: str = ""


class Side(Part, frozen=True):
    ref: str
    sha: str
    repo: SideRepository | None = None


class Request(Part, frozen=True):
    number: int
    state: str
    head: Side
    base: Side
    title: str = ""
    html_url: str = ""
    merged: bool | None = None
    merged_at: str | None = None
    user: User | None = None


class NamedRef(Part, frozen=True):
    ref: str


class IssueComment(Part, frozen=True):
    id: int
    body: str | None = ""


class HookConfig(Part, frozen=True):
    url: str = ""
    content_type: str = ""
    secret: str | None = None


class RepositoryHook(Part, frozen=True):
    id: int
    active: bool
    events: list[str]
    config: HookConfig


class GitHubLike:
    """What is the same at both."""

    events: frozenset[str]
    page_size = PAGE
    page_size_name = "per_page"

    def __init__(self, api: Api) -> None:
        self._api = api
        self._repository = "/repos/" + quote(api.target.repository, safe="/")

    async def _pages(self, path: str, shape: type[list[T]], **query: Any) -> AsyncIterator[T]:
        for page in range(1, MOST_PAGES + 1):
            paged = {self.page_size_name: self.page_size, "page": page}
            found = await self._api.get(path, shape, **query, **paged) or []
            for one in found:
                yield one
            if len(found) < self.page_size:
                return

    async def pull_request(self, number: int) -> PullRequestTruth | None:
        found = await self._api.get(f"{self._repository}/pulls/{number}", Request)
        return self._truth(found) if found is not None else None

    async def open_pull_requests(self) -> list[PullRequestTruth]:
        return [self._truth(one) async for one in self._pages(f"{self._repository}/pulls", list[Request], state="open")]

    def _truth(self, request: Request) -> PullRequestTruth:
        source = request.head.repo
        return PullRequestTruth(
            number=request.number,
            open=request.state == "open",
            merged=bool(request.merged or request.merged_at),
            title=request.title,
            url=request.html_url,
            source_branch=request.head.ref,
            source_repository=source.full_name if source else "",
            source_clone_url=source.clone_url if source else "",
            from_fork=source is None or source.full_name.lower() != self._api.target.repository.lower(),
            target_branch=request.base.ref,
            head=request.head.sha,
            author=request.user.login if request.user else "",
        )

    async def comments(self, number: int) -> list[WrittenComment]:
        path = f"{self._repository}/issues/{number}/comments"
        return [
            WrittenComment(id=str(one.id), text=one.body or "") async for one in self._pages(path, list[IssueComment])
        ]

    async def add_comment(self, number: int, text: str) -> str:
        path = f"{self._repository}/issues/{number}/comments"
        return str((await self._api.must("POST", path, {"body": text}, IssueComment)).id)

    async def edit_comment(self, number: int, id: str, text: str) -> bool:
        path = f"{self._repository}/issues/comments/{id}"
        return await self._api.send("PATCH", path, {"body": text}, IssueComment) is not None

    async def hooks(self) -> list[Hook]:
        return [_hook(one) async for one in self._pages(f"{self._repository}/hooks", list[RepositoryHook])]

    async def edit_hook(self, id: str, url: str, secret: str) -> None:
        await self._api.must("PATCH", f"{self._repository}/hooks/{id}", self._hook_body(url, secret), Part)

    def _hook_body(self, url: str, secret: str) -> dict[str, Any]:
        return {
            "active": True,
            "events": sorted(self.events),
            "config": {"url": url, "content_type": "json", "secret": secret},
        }


def _hook(one: RepositoryHook) -> Hook:
    return Hook(
        id=str(one.id),
        url=one.config.url,
        active=one.active,
        events=frozenset(one.events),
        as_json=one.config.content_type == "json",
    )
