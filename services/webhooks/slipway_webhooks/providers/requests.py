"""Pull requests and comments as GitHub invented them and Gitea copied them."""

from typing import Any

import msgspec

from slipway_contracts.git import GIT_COMMENTED, GIT_PULL_REQUESTED, PullRequest
from slipway_webhooks.providers.provider import (
    LABELS,
    Accepted,
    Delivery,
    Ignored,
    Outcome,
    Part,
    comment,
    no_command,
    same_repository,
)

ACTIONS = {
    "opened": "opened",
    "synchronize": "synchronized",
    "synchronized": "synchronized",
    "labeled": "labeled",
    "label_updated": "labeled",
    "unlabeled": "unlabeled",
    "label_cleared": "unlabeled",
    "reopened": "reopened",
    "closed": "closed",
}
"""GitHub's word, or Gitea's, to ours."""


class Login(Part, frozen=True):
    login: str = ""


class Label(Part, frozen=True):
    name: str


class RequestRepository(Part, frozen=True):
    full_name: str
    clone_url: str = ""


class Side(Part, frozen=True):
    ref: str
    sha: str = ""
    repo: RequestRepository | None = None


class Request(Part, frozen=True):
    head: Side
    base: Side
    title: str = ""
    html_url: str = ""
    merged: bool | None = False
    draft: bool | None = False
    labels: list[Label] | None = None
    user: Login | None = None


class Changes(Part, frozen=True):
    base: Any = None
    ref: Any = None


class RequestPayload(Part, frozen=True):
    action: str
    number: int
    pull_request: Request
    repository: RequestRepository
    changes: Changes | None = None
    label: Label | None = None
    sender: Login | None = None


class Issue(Part, frozen=True):
    number: int
    pull_request: Any = None


class IssueComment(Part, frozen=True):
    id: int
    body: str | None = None
    html_url: str = ""
    user: Login | None = None
    author_association: str = ""


class CommentPayload(Part, frozen=True):
    action: str
    issue: Issue
    comment: IssueComment
    repository: RequestRepository
    is_pull: bool = False


_decoder = msgspec.json.Decoder(RequestPayload)
_comment_decoder = msgspec.json.Decoder(CommentPayload)


def requested(delivery: Delivery) -> Outcome:
    """A pull request changed."""
    payload = _decoder.decode(delivery.body)
    link, request = delivery.link, payload.pull_request
    foreign = same_repository(link, payload.repository.full_name)
    if foreign is not None:
        return foreign
    action = _action(payload)
    if action is None:
        return Ignored(f"Nothing follows from a pull request that was {payload.action[:64]}.")
    source = request.head.repo
    message = PullRequest(
        link_id=link.id,
        delivery_id=delivery.id,
        provider=link.provider,
        organization_id=link.organization_id,
        repository=payload.repository.full_name,
        clone_url=link.clone_url or payload.repository.clone_url,
        number=payload.number,
        action=action,
        title=request.title,
        url=request.html_url,
        source_branch=request.head.ref,
        source_repository=source.full_name if source else "",
        source_clone_url=source.clone_url if source else "",
        from_fork=source is None or source.full_name.lower() != payload.repository.full_name.lower(),
        target_branch=request.base.ref,
        head=request.head.sha,
        labels=[label.name for label in (request.labels or ())[:LABELS]],
        label=payload.label.name if payload.label else "",
        draft=bool(request.draft),
        author=request.user.login if request.user else "",
        sender=payload.sender.login if payload.sender else "",
        received_at=delivery.received_at,
    )
    return Accepted(GIT_PULL_REQUESTED, message, message.repository, message.source_branch, message.head)


def _action(payload: RequestPayload) -> str | None:
    if payload.action == "closed" and payload.pull_request.merged:
        return "merged"
    if payload.action == "edited":
        changes = payload.changes
        return "retargeted" if changes and (changes.base is not None or changes.ref is not None) else None
    return ACTIONS.get(payload.action)


def commented(delivery: Delivery) -> Outcome:
    """Somebody wrote below a pull request."""
    payload = _comment_decoder.decode(delivery.body)
    foreign = same_repository(delivery.link, payload.repository.full_name)
    if foreign is not None:
        return foreign
    if payload.action != "created":
        return Ignored("Only a new comment is a command.")
    if payload.issue.pull_request is None and not payload.is_pull:
        return Ignored("The comment is not on a pull request.")
    said = payload.comment
    message = comment(
        delivery,
        said.body,
        repository=payload.repository.full_name,
        clone_url=delivery.link.clone_url or payload.repository.clone_url,
        number=payload.issue.number,
        comment_id=str(said.id),
        url=said.html_url,
        author=said.user.login if said.user else "",
        author_role=said.author_association,
    )
    return Accepted(GIT_COMMENTED, message, message.repository) if message else no_command()
