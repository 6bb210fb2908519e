"""What payloads of pushes mean."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_contracts.git import GIT_PUSHED, GitLink, Push
from slipway_webhooks.providers import PROVIDERS, Accepted, Ignored
from slipway_webhooks.providers.provider import Delivery

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LINK = GitLink(id="link", provider="github", organization_id="org", repository="Acme/shop")
A, B = "a" * 40, "b" * 40
COMMIT = {
    "id": B,
    "message": "Sell more",
    "timestamp": "2026-01-01T12:00:00+01:00",
    "author": {"name": "Ann", "email": "ann@acme.test", "username": "ann"},
    "added": ["new.py"],
    "removed": [],
    "modified": ["web/app.py"],
    "url": "https://github.test/x",
}
PAYLOAD: dict[str, Any] = {
    "ref": "refs/heads/main",
    "before": A,
    "after": B,
    "created": False,
    "deleted": False,
    "forced": False,
    "base_ref": None,
    "repository": {
        "id": 1,
        "full_name": "Acme/shop",
        "clone_url": "https://github.test/Acme/shop.git",
        "private": True,
    },
    "pusher": {"name": "ann", "email": "ann@acme.test"},
    "sender": {"login": "ann", "avatar_url": "https://avatars.test/ann"},
    "commits": [COMMIT],
    "head_commit": COMMIT,
}


def normalised(payload: Any, provider: str = "github", event: str = "push", link: GitLink = LINK) -> Any:
    return PROVIDERS[provider].normalise(Delivery(link, "d-1", event, json.dumps(payload).encode(), NOW))


def push_of(payload: Any, provider: str = "github") -> Push:
    outcome = normalised(payload, provider)
    assert isinstance(outcome, Accepted)
    assert outcome.topic is GIT_PUSHED
    assert isinstance(outcome.message, Push)
    return outcome.message


def test_a_push_says_what_moved_where_by_whom() -> None:
    push = push_of(PAYLOAD)
    assert (push.link_id, push.delivery_id, push.provider, push.organization_id) == ("link", "d-1", "github", "org")
    assert (push.repository, push.clone_url) == ("Acme/shop", "https://github.test/Acme/shop.git")
    assert (push.ref, push.before, push.after, push.forced) == ("refs/heads/main", A, B, False)
    assert push.paths == ["new.py", "web/app.py"]
    assert (push.commit_count, push.pusher) == (1, "ann")
    assert push.head is not None
    assert (push.head.id, push.head.message, push.head.author_name) == (B, "Sell more", "Ann")
    assert push.head.author_avatar_url == "https://avatars.test/ann"
    assert push.head.at == datetime(2026, 1, 1, 11, tzinfo=UTC)
    assert push.received_at == NOW


@pytest.mark.parametrize(
    "change",
    [
        {"forced": True},
        {"before": "0" * 40},
        {"commits": []},
        {"commits": None},
        {"commits": [COMMIT] * 2048},
        {"commits": [{"id": B}]},
        {"total_commits": 30},
    ],
)
def test_paths_are_unknown_where_the_payload_does_not_tell_them_all(change: dict[str, Any]) -> None:
    assert push_of(PAYLOAD | change).paths is None


def test_a_deleted_branch_has_no_head() -> None:
    push = push_of(PAYLOAD | {"after": "0" * 40, "deleted": True, "head_commit": None, "commits": []})
    assert push.head is None
    assert push.after == "0" * 40


def test_a_tag_is_a_push_of_its_ref() -> None:
    assert push_of(PAYLOAD | {"ref": "refs/tags/v1"}).ref == "refs/tags/v1"


def test_gitea_pushes_are_read_too() -> None:
    link = msgspec.structs.replace(LINK, provider="gitea")
    payload = {
        **PAYLOAD,
        "pusher": {"id": 1, "login": "ann", "username": "ann"},
        "sender": {"login": "ann", "username": "ann", "avatar_url": "https://gitea.test/a"},
        "total_commits": 1,
    }
    outcome = normalised(payload, "gitea", link=link)
    assert outcome.message.provider == "gitea"
    assert outcome.message.pusher == "ann"
    assert outcome.message.paths == ["new.py", "web/app.py"]


def test_a_link_speaks_for_its_own_repository_only() -> None:
    outcome = normalised(PAYLOAD | {"repository": {"full_name": "evil/shop", "clone_url": "https://evil.test"}})
    assert isinstance(outcome, Ignored)
    assert push_of(PAYLOAD | {"repository": {"full_name": "acme/SHOP"}}).repository == "acme/SHOP"


def test_the_links_clone_url_wins_over_the_payloads() -> None:
    link = msgspec.structs.replace(LINK, clone_url="https://github.test/Acme/shop")
    evil = PAYLOAD | {"repository": {"full_name": "Acme/shop", "clone_url": "https://evil.test/x"}}
    assert normalised(evil, link=link).message.clone_url == "https://github.test/Acme/shop"


@pytest.mark.parametrize("event", ["ping", "star", "workflow_run", "check_suite"])
def test_other_events_are_ignored_with_a_reason(event: str) -> None:
    outcome = normalised({"zen": "Keep it logically awesome."}, event=event)
    assert isinstance(outcome, Ignored)
    assert outcome.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(["github", "gitea", "slipway"]), st.dictionaries(st.sampled_from(list(PAYLOAD)), JSON) | JSON)
def test_no_payload_breaks_the_normaliser(provider: str, payload: Any) -> None:
    if isinstance(payload, dict):
        payload = PAYLOAD | payload
    try:
        outcome = normalised(payload, provider)
    except msgspec.DecodeError:
        return
    assert isinstance(outcome, Accepted | Ignored)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_normaliser(body: bytes) -> None:
    for provider in ("github", "gitea", "slipway"):
        try:
            PROVIDERS[provider].normalise(Delivery(LINK, "d", "push", body, NOW))
        except msgspec.DecodeError:
            continue
        except UnicodeDecodeError:
            continue
