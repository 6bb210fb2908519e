"""The events of Bitbucket Data Center; `bitbucket.py` has what both have in common."""

from datetime import UTC, datetime

import msgspec

from slipway_contracts.git import GIT_COMMENTED, GIT_PULL_REQUESTED, GIT_PUSHED, Commit, PullRequest, Push
from slipway_webhooks.providers.provider import (
    MESSAGE_CHARACTERS,
    Accepted,
    Delivery,
    Ignored,
    Normaliser,
    Outcome,
    Part,
    comment,
    no_command,
    numbered,
    same_repository,
    several,
)


class CloneLink(Part, frozen=True):
    href: str = ""
    name: str = ""


class Links(Part, frozen=True):
    clone: list[CloneLink] | None = None
    self: list[CloneLink] | None = None


class Project(Part, frozen=True):
    key: str


class Repository(Part, frozen=True):
    slug: str
    project: Project
    links: Links | None = None


class Person(Part, frozen=True):
    name: str = ""
    displayName: str = ""
    emailAddress: str = ""


class RefName(Part, frozen=True):
    id: str


class Change(Part, frozen=True):
    ref: RefName
    fromHash: str
    toHash: str
    type: str = ""


class ServerCommit(Part, frozen=True):
    id: str
    message: str = ""
    author: Person | None = None
    committerTimestamp: int | None = None


class PushPayload(Part, frozen=True):
    changes: list[Change]
    repository: Repository
    actor: Person | None = None
    toCommit: ServerCommit | None = None


class Side(Part, frozen=True):
    id: str
    displayId: str
    repository: Repository
    latestCommit: str = ""


class Participant(Part, frozen=True):
    user: Person | None = None


class Request(Part, frozen=True):
    id: int
    fromRef: Side
    toRef: Side
    title: str = ""
    draft: bool = False
    links: Links | None = None
    author: Participant | None = None


class Said(Part, frozen=True):
    id: int
    text: str = ""


class RequestPayload(Part, frozen=True):
    pullRequest: Request
    actor: Person | None = None
    comment: Said | None = None
    previousTarget: RefName | None = None


_push = msgspec.json.Decoder(PushPayload)
_request = msgspec.json.Decoder(RequestPayload)


def _full_name(repository: Repository) -> str:
    return f"{repository.project.key}/{repository.slug}"


def _clone_url(repository: Repository) -> str:
    links = (repository.links.clone if repository.links else None) or []
    return next((link.href for link in links if link.name in ("http", "https")), "")


def pushed(delivery: Delivery) -> Outcome:
    """Branches and tags moved, came or went."""
    payload = _push.decode(delivery.body)
    foreign = same_repository(delivery.link, _full_name(payload.repository))
    if foreign is not None:
        return foreign
    if not payload.changes:
        return Ignored("The push changed no branch and no tag.")
    return several([_changed(delivery, payload, change, number) for number, change in enumerate(payload.changes)])


def _changed(delivery: Delivery, payload: PushPayload, change: Change, number: int) -> Accepted:
    link = delivery.link
    message = Push(
        link_id=link.id,
        delivery_id=numbered(delivery.id, number),
        provider=link.provider,
        organization_id=link.organization_id,
        repository=_full_name(payload.repository),
        clone_url=link.clone_url or _clone_url(payload.repository),
        ref=change.ref.id,
        before=change.fromHash,
        after=change.toHash,
        head=_commit(payload.toCommit, change.toHash),
        pusher=payload.actor.name if payload.actor else "",
        received_at=delivery.received_at,
    )
    return Accepted(GIT_PUSHED, message, message.repository, message.ref, message.after)


def _commit(commit: ServerCommit | None, id: str) -> Commit | None:
    if commit is None or commit.id != id:
        return None
    author, at = commit.author or Person(), commit.committerTimestamp
    return Commit(
        id=id,
        message=commit.message[:MESSAGE_CHARACTERS],
        author_name=author.displayName or author.name,
        author_email=author.emailAddress,
        at=datetime.fromtimestamp(at / 1000, UTC) if at is not None and 0 <= at < 253402300800000 else None,
    )


def _requested(action: str) -> Normaliser:
    def requested(delivery: Delivery) -> Outcome:
        payload = _request.decode(delivery.body)
        link, request = delivery.link, payload.pullRequest
        repository, source = request.toRef.repository, request.fromRef.repository
        foreign = same_repository(link, _full_name(repository))
        if foreign is not None:
            return foreign
        if action == "retargeted" and (payload.previousTarget is None or payload.previousTarget.id == request.toRef.id):
            return Ignored("Nothing that matters here changed in the pull request.")
        message = PullRequest(
            link_id=link.id,
            delivery_id=delivery.id,
            provider=link.provider,
            organization_id=link.organization_id,
            repository=_full_name(repository),
            clone_url=link.clone_url or _clone_url(repository),
            number=request.id,
            action=action,
            title=request.title,
            url=_page(request),
            source_branch=request.fromRef.displayId,
            source_repository=_full_name(source),
            source_clone_url=_clone_url(source),
            from_fork=_full_name(source) != _full_name(repository),
            target_branch=request.toRef.displayId,
            head=request.fromRef.latestCommit,
            draft=request.draft,
            author=request.author.user.name if request.author and request.author.user else "",
            sender=payload.actor.name if payload.actor else "",
            received_at=delivery.received_at,
        )
        return Accepted(GIT_PULL_REQUESTED, message, message.repository, message.source_branch, message.head)

    return requested


def _page(request: Request) -> str:
    links = (request.links.self if request.links else None) or []
    return links[0].href if links else ""


def commented(delivery: Delivery) -> Outcome:
    """Somebody wrote below a pull request."""
    payload = _request.decode(delivery.body)
    link, request, said = delivery.link, payload.pullRequest, payload.comment
    repository = _full_name(request.toRef.repository)
    foreign = same_repository(link, repository)
    if foreign is not None:
        return foreign
    if said is None:
        return no_command()
    message = comment(
        delivery,
        said.text,
        repository=repository,
        clone_url=link.clone_url or _clone_url(request.toRef.repository),
        number=request.id,
        comment_id=str(said.id),
        url=_page(request),
        author=payload.actor.name if payload.actor else "",
        source_branch=request.fromRef.displayId,
        target_branch=request.toRef.displayId,
        head=request.fromRef.latestCommit,
        from_fork=_full_name(request.fromRef.repository) != repository,
    )
    return Accepted(GIT_COMMENTED, message, repository, message.source_branch) if message else no_command()


EVENTS: dict[str, Normaliser] = {
    "repo:refs_changed": pushed,
    "pr:opened": _requested("opened"),
    "pr:from_ref_updated": _requested("synchronized"),
    "pr:modified": _requested("retargeted"),
    "pr:reopened": _requested("reopened"),
    "pr:merged": _requested("merged"),
    "pr:declined": _requested("closed"),
    "pr:deleted": _requested("closed"),
    "pr:comment:added": commented,
}
