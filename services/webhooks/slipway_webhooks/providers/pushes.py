"""The push payload that GitHub invented and Gitea copied: only the fields that a deployment needs."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from slipway_contracts.git import GIT_PUSHED, Commit, Push
from slipway_webhooks.providers.provider import (
    MESSAGE_CHARACTERS,
    MOST_COMMITS,
    NOTHING,
    PATHS,
    Accepted,
    Delivery,
    Outcome,
    Part,
    aware,
    same_repository,
)


class Author(Part, frozen=True):
    name: str = ""
    email: str | None = ""
    username: str = ""


class Changed(Part, frozen=True):
    """What a commit changed."""

    added: list[str] | None = None
    removed: list[str] | None = None
    modified: list[str] | None = None


class PushedCommit(Changed, frozen=True):
    id: str = ""
    message: str = ""
    timestamp: datetime | None = None
    author: Author | None = None


class Repository(Part, frozen=True):
    full_name: str
    clone_url: str = ""


class Person(Part, frozen=True):
    name: str = ""
    login: str = ""
    username: str = ""
    avatar_url: str = ""


class PushPayload(Part, frozen=True):
    ref: str
    before: str
    after: str
    repository: Repository
    deleted: bool = False
    forced: bool = False
    head_commit: PushedCommit | None = None
    commits: list[Changed] | None = None
    total_commits: int | None = None
    pusher: Person | None = None
    sender: Person | None = None


_decoder = msgspec.json.Decoder(PushPayload)


def pushed(delivery: Delivery) -> Outcome:
    """A branch or tag moved, came or went."""
    payload = _decoder.decode(delivery.body)
    link = delivery.link
    foreign = same_repository(link, payload.repository.full_name)
    if foreign is not None:
        return foreign
    message = Push(
        link_id=link.id,
        delivery_id=delivery.id,
        provider=link.provider,
        organization_id=link.organization_id,
        repository=payload.repository.full_name,
        clone_url=link.clone_url or payload.repository.clone_url,
        ref=payload.ref,
        before=payload.before,
        after=payload.after,
        forced=payload.forced,
        head=_head(payload),
        commit_count=payload.total_commits or len(payload.commits or ()),
        paths=_paths(payload),
        pusher=_pusher(payload),
        received_at=delivery.received_at,
    )
    return Accepted(GIT_PUSHED, message, message.repository, message.ref, message.after)


def _head(payload: PushPayload) -> Commit | None:
    commit = payload.head_commit
    if commit is None:
        return None
    author = commit.author or Author()
    by_sender = payload.sender is not None and author.username in (payload.sender.login, payload.sender.username)
    return Commit(
        id=commit.id,
        message=commit.message[:MESSAGE_CHARACTERS],
        author_name=author.name,
        author_email=author.email or "",
        author_avatar_url=payload.sender.avatar_url if payload.sender and author.username and by_sender else "",
        at=aware(commit.timestamp),
    )


def _paths(payload: PushPayload) -> list[str] | None:
    """All changed paths, or None where the payload doesn't tell them all: new refs, forced pushes, long lists."""
    commits = payload.commits or []
    complete = payload.total_commits in (None, len(commits)) and len(commits) < MOST_COMMITS
    return None if not complete or payload.forced else changed_paths(commits, payload.before)


def changed_paths(commits: Sequence[Changed], before: str) -> list[str] | None:
    """What these commits changed; None when they don't say, or there were none before."""
    if not commits or before == NOTHING:
        return None
    paths: dict[str, None] = {}
    for commit in commits:
        if commit.added is None and commit.removed is None and commit.modified is None:
            return None
        for changed in (commit.added, commit.removed, commit.modified):
            paths.update(dict.fromkeys(changed or ()))
    return list(paths) if len(paths) <= PATHS else None


def _pusher(payload: PushPayload) -> str:
    for person in (payload.pusher, payload.sender):
        if person is not None:
            name = person.login or person.username or person.name
            if name:
                return name
    return ""
