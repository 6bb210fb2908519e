"""What the payloads of GitLab, Bitbucket, Gitea, registries and CI hooks mean; forms as their manuals give them."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_contracts.git import Comment, GitLink, ImagePush, PullRequest, Push
from slipway_webhooks.providers import PROVIDERS, Accepted, Ignored
from slipway_webhooks.providers.provider import NOTHING, Delivery, Outcome

A, B = "a" * 40, "b" * 40


def outcome(provider: str, event: str, payload: Any, repository: str = "acme/shop") -> Outcome:
    link = GitLink(id="link", provider=provider, organization_id="org", repository=repository)
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return PROVIDERS[provider].normalise(Delivery(link, "id", event, body, datetime.now(UTC)))


def accepted(provider: str, event: str, payload: Any, repository: str = "acme/shop") -> Any:
    result = outcome(provider, event, payload, repository)
    assert isinstance(result, Accepted), result
    return result.message


def ignored(provider: str, event: str, payload: Any, repository: str = "acme/shop") -> str:
    result = outcome(provider, event, payload, repository)
    assert isinstance(result, Ignored), result
    return result.reason


PROJECT = {"path_with_namespace": "acme/shop", "git_http_url": "https://gitlab.test/acme/shop.git"}
GITLAB_PUSH = {
    "object_kind": "push",
    "before": A,
    "after": B,
    "ref": "refs/heads/main",
    "user_username": "ann",
    "project": PROJECT,
    "commits": [
        {
            "id": B,
            "message": "Sell",
            "timestamp": "2026-01-01T12:00:00+01:00",
            "author": {"name": "Ann", "email": "ann@acme.test"},
            "added": ["new"],
            "modified": ["old"],
            "removed": [],
        }
    ],
    "total_commits_count": 1,
}
MERGE = {
    "iid": 7,
    "title": "Better",
    "url": "https://gitlab.test/acme/shop/-/merge_requests/7",
    "source_branch": "better",
    "target_branch": "main",
    "source": PROJECT,
    "target": PROJECT,
    "last_commit": {"id": B},
    "action": "open",
}


def merge(**changed: Any) -> dict[str, Any]:
    more = changed.pop("more", {})
    return {
        "object_kind": "merge_request",
        "user": {"username": "ann"},
        "project": PROJECT,
        "object_attributes": MERGE | changed,
        "labels": [{"title": "preview"}],
    } | more


def test_a_push_to_gitlab() -> None:
    push: Push = accepted("gitlab", "push_hook", GITLAB_PUSH)
    assert (push.ref, push.before, push.after, push.pusher) == ("refs/heads/main", A, B, "ann")
    assert push.paths == ["new", "old"]
    assert push.head is not None
    assert (push.head.message, push.head.author_email) == ("Sell", "ann@acme.test")


def test_gitlab_lists_twenty_commits_so_the_paths_of_more_are_not_known() -> None:
    push: Push = accepted("gitlab", "push_hook", {**GITLAB_PUSH, "total_commits_count": 40})
    assert (push.paths, push.commit_count) == (None, 40)


def test_a_tag_and_a_deleted_branch_of_gitlab() -> None:
    tag = {**GITLAB_PUSH, "ref": "refs/tags/v1", "before": NOTHING, "commits": [], "total_commits_count": 0}
    assert accepted("gitlab", "tag_push_hook", tag).ref == "refs/tags/v1"
    gone = {**GITLAB_PUSH, "after": NOTHING, "commits": [], "total_commits_count": 0}
    assert accepted("gitlab", "push_hook", gone).after == NOTHING


LABELS = {"labels": {"previous": [], "current": [{"title": "preview"}]}}
NO_LABELS = {"labels": {"previous": [{"title": "preview"}], "current": []}}


@pytest.mark.parametrize(
    ("changed", "action", "label"),
    [
        ({"action": "open"}, "opened", ""),
        ({"action": "reopen"}, "reopened", ""),
        ({"action": "close"}, "closed", ""),
        ({"action": "merge"}, "merged", ""),
        ({"action": "update", "oldrev": A}, "synchronized", ""),
        ({"action": "update", "more": {"changes": LABELS}}, "labeled", "preview"),
        ({"action": "update", "more": {"changes": NO_LABELS}}, "unlabeled", "preview"),
        (
            {"action": "update", "more": {"changes": {"target_branch": {"previous": "x", "current": "y"}}}},
            "retargeted",
            "",
        ),
    ],
)
def test_merge_requests_of_gitlab(changed: dict[str, Any], action: str, label: str) -> None:
    request: PullRequest = accepted("gitlab", "merge_request_hook", merge(**changed))
    assert (request.action, request.label, request.number, request.head) == (action, label, 7, B)
    assert (request.source_branch, request.target_branch, request.from_fork) == ("better", "main", False)
    assert request.labels == ["preview"]


def test_a_merge_request_from_a_fork_and_one_whose_title_changed() -> None:
    fork = merge(source={**PROJECT, "path_with_namespace": "eve/shop"})
    assert accepted("gitlab", "merge_request_hook", fork).from_fork
    assert ignored("gitlab", "merge_request_hook", merge(action="update"))
    assert ignored("gitlab", "merge_request_hook", merge(action="approved"))


def note(text: str, kind: str = "MergeRequest") -> dict[str, Any]:
    said = {"id": 3, "note": text, "noteable_type": kind, "url": "https://gitlab.test/n/3", "action": "create"}
    base = {"object_kind": "note", "user": {"username": "ann"}, "project": PROJECT, "object_attributes": said}
    return base | ({"merge_request": MERGE} if kind == "MergeRequest" else {})


def test_a_command_on_gitlab() -> None:
    comment: Comment = accepted("gitlab", "note_hook", note("/slipway preview"))
    assert (comment.command, comment.number, comment.author, comment.head) == ("preview", 7, "ann", B)
    assert comment.from_fork is False
    assert ignored("gitlab", "note_hook", note("hello"))
    assert "merge request" in ignored("gitlab", "note_hook", note("/slipway preview", "Issue"))


def ref(name: str, commit: str, kind: str = "branch") -> dict[str, Any]:
    target = {
        "hash": commit,
        "message": "Sell",
        "date": "2026-01-01T00:00:00+00:00",
        "author": {"raw": "Ann <a@b.test>"},
    }
    return {"type": kind, "name": name, "target": target}


CLOUD = {"full_name": "acme/shop", "links": {"html": {"href": "https://bitbucket.test/acme/shop"}}}


def test_one_push_to_bitbucket_may_tell_of_several_refs_each_with_an_id_of_its_own() -> None:
    changes = [
        {"old": ref("main", A), "new": ref("main", B), "forced": True, "commits": [{}]},
        {"old": None, "new": ref("v1", B, "tag")},
        {"old": ref("gone", A), "new": None},
    ]
    payload = {"push": {"changes": changes}, "repository": CLOUD, "actor": {"nickname": "ann"}}
    result = outcome("bitbucket", "repo:push", payload)
    assert isinstance(result, Accepted)
    pushes: list[Any] = [one.message for one in (result, *result.more)]
    assert [push.delivery_id for push in pushes] == ["id", "id.1", "id.2"]
    assert [push.ref for push in pushes] == ["refs/heads/main", "refs/tags/v1", "refs/heads/gone"]
    assert [(push.before, push.after) for push in pushes] == [(A, B), (NOTHING, B), (A, NOTHING)]
    assert pushes[0].forced
    assert pushes[0].head.author_email == "a@b.test"
    assert pushes[0].clone_url == "https://bitbucket.test/acme/shop.git"
    assert ignored("bitbucket", "repo:push", {**payload, "push": {"changes": []}})


CLOUD_REQUEST = {
    "id": 4,
    "title": "Better",
    "source": {"branch": {"name": "better"}, "commit": {"hash": B[:12]}, "repository": CLOUD},
    "destination": {"branch": {"name": "main"}, "repository": CLOUD},
    "author": {"nickname": "ann"},
}


@pytest.mark.parametrize(
    ("event", "action"),
    [
        ("pullrequest:created", "opened"),
        ("pullrequest:updated", "synchronized"),
        ("pullrequest:fulfilled", "merged"),
        ("pullrequest:rejected", "closed"),
    ],
)
def test_pull_requests_of_bitbucket_cloud(event: str, action: str) -> None:
    request: PullRequest = accepted("bitbucket", event, {"pullrequest": CLOUD_REQUEST, "repository": CLOUD})
    assert (request.action, request.number, request.head, request.from_fork) == (action, 4, B[:12], False)


def test_a_command_on_bitbucket_cloud() -> None:
    said = {"id": 9, "content": {"raw": "/slipway deploy web"}}
    payload = {"pullrequest": CLOUD_REQUEST, "repository": CLOUD, "comment": said, "actor": {"nickname": "ann"}}
    comment: Comment = accepted("bitbucket", "pullrequest:comment_created", payload)
    assert (comment.command, comment.arguments, comment.author) == ("deploy", "web", "ann")


SERVER = {
    "slug": "shop",
    "project": {"key": "ACME"},
    "links": {
        "clone": [{"href": "ssh://x", "name": "ssh"}, {"href": "https://dc.test/scm/acme/shop.git", "name": "http"}]
    },
}


def test_a_push_to_bitbucket_data_center() -> None:
    changes = [
        {"ref": {"id": "refs/heads/main"}, "fromHash": A, "toHash": B, "type": "UPDATE"},
        {"ref": {"id": "refs/heads/old"}, "fromHash": A, "toHash": NOTHING, "type": "DELETE"},
    ]
    commit = {"id": B, "message": "Sell", "author": {"name": "ann"}, "committerTimestamp": 1767225600000}
    payload = {"changes": changes, "repository": SERVER, "actor": {"name": "ann"}, "toCommit": commit}
    result = outcome("bitbucket", "repo:refs_changed", payload)
    assert isinstance(result, Accepted)
    push: Any = result.message
    assert (push.repository, push.clone_url) == ("ACME/shop", "https://dc.test/scm/acme/shop.git")
    assert push.head.at == datetime(2026, 1, 1, tzinfo=UTC)
    assert [one.message.after for one in result.more] == [NOTHING]  # type: ignore[attr-defined]


def test_pull_requests_of_bitbucket_data_center() -> None:
    side = {"id": "refs/heads/better", "displayId": "better", "latestCommit": B, "repository": SERVER}
    main = {"id": "refs/heads/main", "displayId": "main", "repository": SERVER}
    request = {"id": 2, "title": "Better", "fromRef": side, "toRef": main, "author": {"user": {"name": "ann"}}}
    payload: dict[str, Any] = {"pullRequest": request, "actor": {"name": "ann"}}
    for event, action in (("pr:opened", "opened"), ("pr:from_ref_updated", "synchronized"), ("pr:merged", "merged")):
        message: PullRequest = accepted("bitbucket", event, payload)
        assert (message.action, message.head, message.from_fork) == (action, B, False)
    assert ignored("bitbucket", "pr:modified", payload)
    moved = payload | {"previousTarget": {"id": "refs/heads/next"}}
    assert accepted("bitbucket", "pr:modified", moved).action == "retargeted"
    said = payload | {"comment": {"id": 1, "text": "/slipway preview"}}
    assert accepted("bitbucket", "pr:comment:added", said).command == "preview"


def test_gitea_speaks_like_github_with_words_of_its_own() -> None:
    side = {"ref": "better", "sha": B, "repo": {"full_name": "acme/shop"}}
    request = {"head": side, "base": {**side, "ref": "main"}, "title": "x", "merged": False}
    payload = {"number": 3, "pull_request": request, "repository": {"full_name": "acme/shop"}}
    for action, wanted in (
        ("synchronized", "synchronized"),
        ("label_updated", "labeled"),
        ("label_cleared", "unlabeled"),
    ):
        assert accepted("gitea", "pull_request", {**payload, "action": action}).action == wanted
    assert accepted("gitea", "pull_request", {**payload, "action": "closed"}).action == "closed"


def test_images_of_registries() -> None:
    hub = {"push_data": {"tag": "1", "pusher": "ann"}, "repository": {"repo_name": "acme/shop"}}
    image: ImagePush = accepted("dockerhub", "push", hub)
    assert (image.image, image.tag, image.pusher) == ("docker.io/acme/shop", "1", "ann")
    assert ignored("dockerhub", "push", hub, "acme/other")
    resource = {"digest": "sha256:1", "tag": "1", "resource_url": "harbor.test:8443/acme/shop:1"}
    data = {"repository": {"repo_full_name": "acme/shop"}, "resources": [resource]}
    own: ImagePush = accepted(
        "harbor", "notification", {"type": "PUSH_ARTIFACT", "event_data": data, "operator": "ann"}
    )
    assert (own.image, own.tag, own.digest) == ("harbor.test:8443/acme/shop", "1", "sha256:1")
    event = accepted("harbor", "notification", {"specversion": "1.0", "type": "harbor.artifact.pushed", "data": data})
    assert event.image == own.image
    assert ignored("harbor", "notification", {"type": "DELETE_ARTIFACT", "event_data": {"resources": []}})


def test_a_distribution_registry_tells_of_layers_too_and_of_other_images() -> None:
    def event(action: str = "push", repository: str = "acme/shop", **target: str) -> dict[str, Any]:
        return {"action": action, "target": {"repository": repository, **target}, "request": {"host": "reg.test"}}

    events = [event(digest="sha256:layer"), event(tag="1", digest="sha256:1"), event("pull", tag="2"), event(tag="3")]
    result = outcome("registry", "notification", {"events": [*events, event(repository="acme/other", tag="9")]})
    assert isinstance(result, Accepted)
    assert [one.message.tag for one in (result, *result.more)] == ["1", "3"]  # type: ignore[attr-defined]
    assert ignored("registry", "notification", {"events": events[:1]})


def test_a_ci_system_tells_of_images_and_pushes() -> None:
    told = {"type": "image.pushed", "data": {"image": "ghcr.io/acme/shop", "tag": "1"}}
    assert accepted("hook", "event", told).image == "ghcr.io/acme/shop"
    moved = {"type": "push", "data": {"repository": "acme/shop", "ref": "refs/heads/main", "after": B}}
    assert accepted("hook", "event", moved).after == B
    assert ignored("hook", "event", {"type": "ping"})
    assert ignored("hook", "event", {"type": "party"})


EVENTS = [(provider.name, event) for provider in PROVIDERS.values() for event in provider.events]
KEYS = [
    "ref",
    "before",
    "after",
    "repository",
    "project",
    "push",
    "changes",
    "pullrequest",
    "pull_request",
    "type",
    "data",
    "events",
    "object_attributes",
    "action",
    "number",
    "comment",
    "issue",
    "push_data",
    "tag",
    "resources",
]
PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=6),
    max_leaves=12,
)


@given(st.sampled_from(EVENTS), PAYLOADS | st.binary(max_size=300))
def test_no_body_breaks_a_normaliser(event: tuple[str, str], payload: Any) -> None:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    try:
        result = outcome(*event, body, repository="")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    assert isinstance(result, Accepted | Ignored)


@given(st.sampled_from(EVENTS), st.data())
def test_no_cut_or_changed_payload_breaks_a_normaliser(event: tuple[str, str], data: st.DataObject) -> None:
    whole = json.dumps(data.draw(st.sampled_from([GITLAB_PUSH, merge(), note("/slipway preview")]))).encode()
    start, end = sorted((data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole)))))
    body = whole[:start] + data.draw(st.binary(max_size=8)) + whole[end:]
    try:
        outcome(*event, body, repository="")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return


@pytest.mark.parametrize(("kind", "ref"), [("branch", "refs/heads/main"), ("tag", "refs/tags/main")])
def test_what_was_deleted_at_gitea_is_told_by_its_own_event(kind: str, ref: str) -> None:
    payload = {
        "ref": "main",
        "ref_type": kind,
        "repository": {"full_name": "acme/shop", "clone_url": "https://gitea.test/acme/shop.git"},
        "sender": {"login": "ann"},
    }
    push = accepted("gitea", "delete", payload)
    assert isinstance(push, Push)
    assert (push.ref, push.before, push.after, push.pusher) == (ref, "", NOTHING, "ann")
    assert "nothing follows" in ignored("gitea", "delete", payload | {"ref_type": "wiki"}).lower()
    assert "another repository" in ignored("gitea", "delete", payload, "acme/other")
