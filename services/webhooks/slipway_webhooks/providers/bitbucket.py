"""Bitbucket, Cloud and Data Center: one push may tell of many refs. The events' names tell the two apart.

Neither lists changed paths; the header X-Hub-Signature bears SHA-256 here, where GitHub's of that name bore SHA-1.
"""

from datetime import datetime

import msgspec

from slipway_contracts.git import GIT_COMMENTED, GIT_PULL_REQUESTED, GIT_PUSHED, Commit, PullRequest, Push
from slipway_webhooks.providers import bitbucket_server
from slipway_webhooks.providers.provider import (
    HEADS,
    MESSAGE_CHARACTERS,
    NOTHING,
    TAGS,
    Accepted,
    Delivery,
    Ignored,
    Normaliser,
    Outcome,
    Part,
    Provider,
    aware,
    comment,
    id_in,
    no_command,
    numbered,
    ping,
    same_repository,
    several,
)
from slipway_webhooks.signatures import header, signed


class Link(Part, frozen=True):
    href: str = ""


class Links(Part, frozen=True):
    html: Link | None = None


class Account(Part, frozen=True):
    nickname: str = ""
    display_name: str = ""


class Author(Part, frozen=True):
    raw: str = ""


class Target(Part, frozen=True):
    hash: str
    message: str = ""
    date: datetime | None = None
    author: Author | None = None


class Ref(Part, frozen=True):
    type: str
    name: str
    target: Target


class Change(Part, frozen=True):
    old: Ref | None = None
    new: Ref | None = None
    forced: bool = False
    commits: list[msgspec.Raw] | None = None
    truncated: bool = False


class Changes(Part, frozen=True):
    changes: list[Change]


class Repository(Part, frozen=True):
    full_name: str
    links: Links | None = None


class PushPayload(Part, frozen=True):
    push: Changes
    repository: Repository
    actor: Account | None = None


class Branch(Part, frozen=True):
    name: str


class ShortCommit(Part, frozen=True):
    hash: str = ""


class Side(Part, frozen=True):
    branch: Branch
    commit: ShortCommit | None = None
    repository: Repository | None = None


class Request(Part, frozen=True):
    id: int
    source: Side
    destination: Side
    title: str = ""
    links: Links | None = None
    draft: bool = False
    author: Account | None = None


class Content(Part, frozen=True):
    raw: str = ""


class Said(Part, frozen=True):
    id: int
    content: Content
    links: Links | None = None


class RequestPayload(Part, frozen=True):
    pullrequest: Request
    repository: Repository
    actor: Account | None = None
    comment: Said | None = None


_push = msgspec.json.Decoder(PushPayload)
_request = msgspec.json.Decoder(RequestPayload)


def pushed(delivery: Delivery) -> Outcome:
    """Branches and tags moved, came or went."""
    payload = _push.decode(delivery.body)
    foreign = same_repository(delivery.link, payload.repository.full_name)
    if foreign is not None:
        return foreign
    told = [change for change in payload.push.changes if change.old or change.new]
    if not told:
        return Ignored("The push changed no branch and no tag.")
    return several([_changed(delivery, payload, change, number) for number, change in enumerate(told)])


def _changed(delivery: Delivery, payload: PushPayload, change: Change, number: int) -> Accepted:
    link, ref = delivery.link, change.new or change.old
    assert ref is not None
    message = Push(
        link_id=link.id,
        delivery_id=numbered(delivery.id, number),
        provider=link.provider,
        organization_id=link.organization_id,
        repository=payload.repository.full_name,
        clone_url=link.clone_url or _clone_url(payload.repository),
        ref=(TAGS if ref.type in ("tag", "annotated_tag") else HEADS) + ref.name,
        before=change.old.target.hash if change.old else NOTHING,
        after=change.new.target.hash if change.new else NOTHING,
        forced=change.forced,
        head=_commit(change.new.target) if change.new else None,
        commit_count=len(change.commits or ()),
        pusher=_name(payload.actor),
        received_at=delivery.received_at,
    )
    return Accepted(GIT_PUSHED, message, message.repository, message.ref, message.after)


def _commit(target: Target) -> Commit:
    name, _, email = (target.author.raw if target.author else "").partition(" <")
    return Commit(
        id=target.hash,
        message=target.message[:MESSAGE_CHARACTERS],
        author_name=name,
        author_email=email.removesuffix(">"),
        at=aware(target.date),
    )


def _clone_url(repository: Repository | None) -> str:
    page = repository.links.html if repository and repository.links else None
    return f"{page.href}.git" if page and page.href else ""


def _name(account: Account | None) -> str:
    return (account.nickname or account.display_name) if account else ""


def _requested(action: str) -> Normaliser:
    """`updated` may be of the title alone: Bitbucket doesn't say; what is there already is not built again."""

    def requested(delivery: Delivery) -> Outcome:
        payload = _request.decode(delivery.body)
        link, request, repository = delivery.link, payload.pullrequest, payload.repository.full_name
        foreign = same_repository(link, repository)
        if foreign is not None:
            return foreign
        source = request.source.repository
        message = PullRequest(
            link_id=link.id,
            delivery_id=delivery.id,
            provider=link.provider,
            organization_id=link.organization_id,
            repository=repository,
            clone_url=link.clone_url or _clone_url(payload.repository),
            number=request.id,
            action=action,
            title=request.title,
            url=_page(request.links),
            source_branch=request.source.branch.name,
            source_repository=source.full_name if source else "",
            source_clone_url=_clone_url(source),
            from_fork=_from_fork(request, repository),
            target_branch=request.destination.branch.name,
            head=request.source.commit.hash if request.source.commit else "",
            draft=request.draft,
            author=_name(request.author),
            sender=_name(payload.actor),
            received_at=delivery.received_at,
        )
        return Accepted(GIT_PULL_REQUESTED, message, repository, message.source_branch, message.head)

    return requested


def _from_fork(request: Request, repository: str) -> bool:
    source = request.source.repository
    return source is None or source.full_name.lower() != repository.lower()


def _page(links: Links | None) -> str:
    return links.html.href if links and links.html else ""


def commented(delivery: Delivery) -> Outcome:
    """Somebody wrote below a pull request."""
    payload = _request.decode(delivery.body)
    link, request, said = delivery.link, payload.pullrequest, payload.comment
    foreign = same_repository(link, payload.repository.full_name)
    if foreign is not None:
        return foreign
    if said is None:
        return no_command()
    message = comment(
        delivery,
        said.content.raw,
        repository=payload.repository.full_name,
        clone_url=link.clone_url or _clone_url(payload.repository),
        number=request.id,
        comment_id=str(said.id),
        url=_page(said.links),
        author=_name(payload.actor),
        source_branch=request.source.branch.name,
        target_branch=request.destination.branch.name,
        head=request.source.commit.hash if request.source.commit else "",
        from_fork=_from_fork(request, payload.repository.full_name),
    )
    return Accepted(GIT_COMMENTED, message, message.repository, message.source_branch) if message else no_command()


PROVIDER = Provider(
    name="bitbucket",
    proof=signed("X-Hub-Signature", prefix="sha256="),
    delivery_id=id_in("X-Request-UUID", "X-Request-Id"),
    event=header("X-Event-Key"),
    events={
        "repo:push": pushed,
        "pullrequest:created": _requested("opened"),
        "pullrequest:updated": _requested("synchronized"),
        "pullrequest:fulfilled": _requested("merged"),
        "pullrequest:rejected": _requested("closed"),
        "pullrequest:comment_created": commented,
        "diagnostics:ping": ping,
        **bitbucket_server.EVENTS,
    },
)
