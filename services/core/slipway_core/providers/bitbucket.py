"""Bitbucket Cloud: `/2.0/repositories/{workspace}/{name}`; lists go on by the address of their next page."""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime
from email.utils import parseaddr
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from slipway_core.providers.api import MOST_PAGES, PAGE, Api, Part, branch_path
from slipway_core.providers.protocol import CommitInfo, CommitStatus, Hook, PullRequestTruth, WrittenComment

T = TypeVar("T")
MOST_KEY = 40
STATES = {
    "pending": "INPROGRESS",
    "running": "INPROGRESS",
    "success": "SUCCESSFUL",
    "failure": "FAILED",
    "canceled": "STOPPED",
}


class Named(Part, frozen=True):
    name: str


class Hash(Part, frozen=True):
    hash: str


class Branch(Part, frozen=True):
    target: Hash


class RawAuthor(Part, frozen=True):
    raw: str = ""


class Commit(Part, frozen=True):
    hash: str
    message: str = ""
    date: datetime | None = None
    author: RawAuthor | None = None


class FullName(Part, frozen=True):
    full_name: str


class Side(Part, frozen=True):
    branch: Named
    commit: Hash | None = None
    repository: FullName | None = None


class Link(Part, frozen=True):
    href: str = ""


class Links(Part, frozen=True):
    html: Link = Link()


class Nickname(Part, frozen=True):
    nickname: str = ""


class Request(Part, frozen=True):
    id: int
    state: str
    source: Side
    destination: Side
    title: str = ""
    links: Links = Links()
    author: Nickname | None = None


class Path(Part, frozen=True):
    path: str


class DiffStat(Part, frozen=True):
    old: Path | None = None
    new: Path | None = None


class Content(Part, frozen=True):
    raw: str = ""


class Note(Part, frozen=True):
    id: int
    content: Content = Content()
    deleted: bool = False


class RepositoryHook(Part, frozen=True):
    uuid: str
    url: str
    active: bool
    events: list[str]
    secret_set: bool = True


class Page(Part, frozen=True):
    values: msgspec.Raw
    next: str = ""


class Bitbucket:
    events = frozenset(
        {
            "repo:push",
            "pullrequest:created",
            "pullrequest:updated",
            "pullrequest:fulfilled",
            "pullrequest:rejected",
            "pullrequest:comment_created",
        }
    )

    def __init__(self, api: Api) -> None:
        self._api = api
        self._repository = "/repositories/" + quote(api.target.repository, safe="/")

    @staticmethod
    def base(api_url: str) -> str:
        known = api_url.rstrip("/")
        return known if known.endswith("/2.0") else f"{known}/2.0"

    @staticmethod
    def headers(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"} if token else {}

    async def _pages(self, path: str, shape: type[T], **query: Any) -> AsyncIterator[T]:
        page = await self._api.get(path, Page, **query)
        for _ in range(MOST_PAGES):
            if page is None:
                return
            for one in msgspec.json.decode(page.values, type=list[shape]):  # type: ignore[valid-type]
                yield one
            page = await self._api.get(page.next, Page) if page.next else None

    async def branch_head(self, branch: str) -> str | None:
        found = await self._api.get(f"{self._repository}/refs/branches/{branch_path(branch)}", Branch)
        return found.target.hash if found is not None else None

    async def commit(self, id: str) -> CommitInfo | None:
        found = await self._api.get(f"{self._repository}/commit/{quote(id, safe='')}", Commit)
        if found is None:
            return None
        name, email = parseaddr(found.author.raw if found.author else "")
        return CommitInfo(id=found.hash, message=found.message, author_name=name, author_email=email, at=found.date)

    async def pull_request(self, number: int) -> PullRequestTruth | None:
        found = await self._api.get(f"{self._repository}/pullrequests/{number}", Request)
        return self._truth(found) if found is not None else None

    async def open_pull_requests(self) -> list[PullRequestTruth]:
        path = f"{self._repository}/pullrequests"
        return [self._truth(one) async for one in self._pages(path, Request, state="OPEN", pagelen=PAGE)]

    def _truth(self, one: Request) -> PullRequestTruth:
        target = self._api.target
        source = one.source.repository.full_name if one.source.repository else ""
        parts = urlsplit(target.clone_url)
        return PullRequestTruth(
            number=one.id,
            open=one.state == "OPEN",
            merged=one.state == "MERGED",
            title=one.title,
            url=one.links.html.href,
            source_branch=one.source.branch.name,
            source_repository=source,
            source_clone_url=f"{parts.scheme}://{parts.netloc}/{source}.git" if source else "",
            from_fork=source.lower() != target.repository.lower(),
            target_branch=one.destination.branch.name,
            head=one.source.commit.hash if one.source.commit else "",
            author=one.author.nickname if one.author else "",
        )

    async def changed_paths(self, base: str, head: str) -> list[str] | None:
        stats = [one async for one in self._pages(f"{self._repository}/diffstat/{head}..{base}", DiffStat, pagelen=500)]
        return sorted({side.path for one in stats for side in (one.old, one.new) if side is not None})

    async def set_status(self, commit: str, status: CommitStatus) -> None:
        body = {
            "key": key_of(status.context),
            "name": status.context,
            "state": STATES[status.state],
            "description": status.description,
            "url": status.url,
        }
        await self._api.must("POST", f"{self._repository}/commit/{commit}/statuses/build", body, Part)

    async def comments(self, number: int) -> list[WrittenComment]:
        path = f"{self._repository}/pullrequests/{number}/comments"
        return [
            WrittenComment(id=str(one.id), text=one.content.raw)
            async for one in self._pages(path, Note, pagelen=PAGE)
            if not one.deleted
        ]

    async def add_comment(self, number: int, text: str) -> str:
        path = f"{self._repository}/pullrequests/{number}/comments"
        return str((await self._api.must("POST", path, {"content": {"raw": text}}, Note)).id)

    async def edit_comment(self, number: int, id: str, text: str) -> bool:
        path = f"{self._repository}/pullrequests/{number}/comments/{id}"
        return await self._api.send("PUT", path, {"content": {"raw": text}}, Note) is not None

    async def hooks(self) -> list[Hook]:
        path = f"{self._repository}/hooks"
        return [
            Hook(id=one.uuid, url=one.url, active=one.active, events=frozenset(one.events), has_secret=one.secret_set)
            async for one in self._pages(path, RepositoryHook, pagelen=PAGE)
        ]

    async def add_hook(self, url: str, secret: str) -> None:
        await self._api.must("POST", f"{self._repository}/hooks", self._hook_body(url, secret), Part)

    async def edit_hook(self, id: str, url: str, secret: str) -> None:
        path = f"{self._repository}/hooks/{quote(id, safe='')}"
        await self._api.must("PUT", path, self._hook_body(url, secret), Part)

    def _hook_body(self, url: str, secret: str) -> dict[str, Any]:
        return {"description": "Slipway", "url": url, "active": True, "secret": secret, "events": sorted(self.events)}

    async def ask_again(self, hook_id: str) -> int:
        """Bitbucket tries again by itself."""
        return 0


def key_of(context: str) -> str:
    """Forty characters at most: what is longer ends with its digest."""
    if len(context) <= MOST_KEY:
        return context
    return f"{context[: MOST_KEY - 9]}-{hashlib.sha256(context.encode()).hexdigest()[:8]}"
