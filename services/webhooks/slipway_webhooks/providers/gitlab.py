"""GitLab: the secret itself in a header, or the newer signature of Standard Webhooks.

GitLab doesn't say whether a push was forced, and lists at most twenty commits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from slipway_contracts.git import GIT_COMMENTED, GIT_PULL_REQUESTED, GIT_PUSHED, Commit, PullRequest, Push
from slipway_webhooks.providers.provider import (
    LABELS,
    MESSAGE_CHARACTERS,
    Accepted,
    Delivery,
    Ignored,
    Outcome,
    Part,
    Provider,
    aware,
    comment,
    id_in,
    no_command,
    same_repository,
)
from slipway_webhooks.providers.pushes import PushedCommit, changed_paths
from slipway_webhooks.signatures import Headers, Sent, in_header, standard

ACTIONS = {"open": "opened", "reopen": "reopened", "close": "closed", "merge": "merged"}


class Project(Part, frozen=True):
    path_with_namespace: str = ""
    git_http_url: str = ""


class User(Part, frozen=True):
    username: str = ""


class PushPayload(Part, frozen=True):
    ref: str
    before: str
    after: str
    project: Project
    user_username: str = ""
    user_name: str = ""
    user_avatar: str | None = None
    commits: list[PushedCommit] | None = None
    total_commits_count: int = 0


class LastCommit(Part, frozen=True):
    id: str = ""


class Request(Part, frozen=True):
    iid: int
    source_branch: str
    target_branch: str
    title: str = ""
    url: str = ""
    action: str = ""
    oldrev: str | None = None
    draft: bool = False
    source: Project | None = None
    target: Project | None = None
    last_commit: LastCommit | None = None


class Label(Part, frozen=True):
    title: str = ""


class LabelChange(Part, frozen=True):
    previous: list[Label] | None = None
    current: list[Label] | None = None


class Changes(Part, frozen=True):
    labels: LabelChange | None = None
    target_branch: Any = None


class RequestPayload(Part, frozen=True):
    object_attributes: Request
    project: Project
    user: User | None = None
    labels: list[Label] | None = None
    changes: Changes | None = None


class Note(Part, frozen=True):
    id: int
    note: str = ""
    noteable_type: str = ""
    url: str = ""
    action: str = "create"


class NotePayload(Part, frozen=True):
    object_attributes: Note
    project: Project
    user: User | None = None
    merge_request: Request | None = None


_push = msgspec.json.Decoder(PushPayload)
_request = msgspec.json.Decoder(RequestPayload)
_note = msgspec.json.Decoder(NotePayload)


def pushed(delivery: Delivery) -> Outcome:
    """A branch or tag moved, came or went."""
    payload = _push.decode(delivery.body)
    link, repository = delivery.link, payload.project.path_with_namespace
    foreign = same_repository(link, repository)
    if foreign is not None:
        return foreign
    commits = payload.commits or []
    complete = payload.total_commits_count == len(commits)
    message = Push(
        link_id=link.id,
        delivery_id=delivery.id,
        provider=link.provider,
        organization_id=link.organization_id,
        repository=repository,
        clone_url=link.clone_url or payload.project.git_http_url,
        ref=payload.ref,
        before=payload.before,
        after=payload.after,
        head=_head(commits, payload.after),
        commit_count=payload.total_commits_count or len(commits),
        paths=changed_paths(commits, payload.before) if complete else None,
        pusher=payload.user_username or payload.user_name,
        received_at=delivery.received_at,
    )
    return Accepted(GIT_PUSHED, message, repository, message.ref, message.after)


def _head(commits: Sequence[PushedCommit], after: str) -> Commit | None:
    for commit in reversed(commits):
        if commit.id == after:
            author = commit.author
            return Commit(
                id=commit.id,
                message=commit.message[:MESSAGE_CHARACTERS],
                author_name=author.name if author else "",
                author_email=(author.email or "") if author else "",
                at=aware(commit.timestamp if isinstance(commit.timestamp, datetime) else None),
            )
    return None


def requested(delivery: Delivery) -> Outcome:
    """A merge request changed."""
    payload = _request.decode(delivery.body)
    link, request, repository = delivery.link, payload.object_attributes, payload.project.path_with_namespace
    foreign = same_repository(link, repository)
    if foreign is not None:
        return foreign
    action = _action(request, payload.changes)
    if action is None:
        return Ignored("Nothing that matters here changed in the merge request.")
    source = request.source or Project()
    message = PullRequest(
        link_id=link.id,
        delivery_id=delivery.id,
        provider=link.provider,
        organization_id=link.organization_id,
        repository=repository,
        clone_url=link.clone_url or payload.project.git_http_url,
        number=request.iid,
        action=action,
        title=request.title,
        url=request.url,
        source_branch=request.source_branch,
        source_repository=source.path_with_namespace,
        source_clone_url=source.git_http_url,
        from_fork=source.path_with_namespace.lower() != repository.lower(),
        target_branch=request.target_branch,
        head=request.last_commit.id if request.last_commit else "",
        labels=[label.title for label in (payload.labels or ())[:LABELS]],
        label=_changed_label(payload.changes),
        draft=request.draft,
        sender=payload.user.username if payload.user else "",
        received_at=delivery.received_at,
    )
    return Accepted(GIT_PULL_REQUESTED, message, repository, message.source_branch, message.head)


def _action(request: Request, changes: Changes | None) -> str | None:
    if request.action != "update":
        return ACTIONS.get(request.action)
    if request.oldrev:
        return "synchronized"
    if changes is not None and changes.target_branch is not None:
        return "retargeted"
    added, removed = _label_changes(changes)
    return "labeled" if added else "unlabeled" if removed else None


def _label_changes(changes: Changes | None) -> tuple[set[str], set[str]]:
    if changes is None or changes.labels is None:
        return set(), set()
    before = {label.title for label in changes.labels.previous or ()}
    now = {label.title for label in changes.labels.current or ()}
    return now - before, before - now


def _changed_label(changes: Changes | None) -> str:
    added, removed = _label_changes(changes)
    return min(added or removed, default="")


def commented(delivery: Delivery) -> Outcome:
    """Somebody wrote below a merge request."""
    payload = _note.decode(delivery.body)
    link, note, repository = delivery.link, payload.object_attributes, payload.project.path_with_namespace
    foreign = same_repository(link, repository)
    if foreign is not None:
        return foreign
    request = payload.merge_request
    if request is None or note.noteable_type != "MergeRequest":
        return Ignored("The comment is not on a merge request.")
    if note.action != "create":
        return Ignored("Only a new comment is a command.")
    message = comment(
        delivery,
        note.note,
        repository=repository,
        clone_url=link.clone_url or payload.project.git_http_url,
        number=request.iid,
        comment_id=str(note.id),
        url=note.url,
        author=payload.user.username if payload.user else "",
        source_branch=request.source_branch,
        target_branch=request.target_branch,
        head=request.last_commit.id if request.last_commit else "",
        from_fork=request.source.path_with_namespace.lower() != repository.lower() if request.source else None,
    )
    return Accepted(GIT_COMMENTED, message, repository, message.source_branch) if message else no_command()


_token = in_header("X-Gitlab-Token")


def proof(sent: Sent, secrets: Sequence[bytes]) -> bool:
    """Where both are sent the signature counts: a token beside a wrong signature proves nothing."""
    return standard(sent, secrets) if "webhook-signature" in sent.headers else _token(sent, secrets)


def event(headers: Headers) -> str:
    """`push_hook` for `Push Hook`."""
    return headers.get("X-Gitlab-Event", "").lower().replace(" ", "_")


PROVIDER = Provider(
    name="gitlab",
    proof=proof,
    delivery_id=id_in("webhook-id", "Idempotency-Key", "X-Gitlab-Event-UUID"),
    event=event,
    events={
        "push_hook": pushed,
        "tag_push_hook": pushed,
        "merge_request_hook": requested,
        "note_hook": commented,
    },
)
