"""Every example of GitHub's payloads that `@octokit/webhooks-examples` has: normalised, or ignored with a reason."""

import json
import lzma
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slipway_contracts.git import Comment, GitLink, ImagePush, PullRequest, Push
from slipway_webhooks.providers import PROVIDERS, Accepted, Ignored
from slipway_webhooks.providers.provider import Delivery, Outcome

FILE = Path(__file__).parents[2] / "service/webhooks/payloads/github.json.xz"
EXAMPLES: dict[str, list[dict[str, Any]]] = json.loads(lzma.decompress(FILE.read_bytes()))
LINK = GitLink(id="link", provider="github", organization_id="org", repository="")
ALL = [(event, number) for event, examples in EXAMPLES.items() for number in range(len(examples))]


def outcome(event: str, payload: dict[str, Any]) -> Outcome:
    body = json.dumps(payload).encode()
    return PROVIDERS["github"].normalise(Delivery(LINK, "id", event, body, datetime.now(UTC)))


def test_all_329_are_here() -> None:
    assert len(ALL) == 329


@pytest.mark.parametrize(("event", "number"), ALL)
def test_every_example_is_understood(event: str, number: int) -> None:
    payload = EXAMPLES[event][number]
    result = outcome(event, payload)
    if isinstance(result, Ignored):
        assert result.reason
        assert event != "push"
    else:
        message: Any = result.message
        assert message.link_id == "link"
        assert message.delivery_id == "id"


@pytest.mark.parametrize("payload", EXAMPLES["push"])
def test_pushes_say_what_github_says(payload: dict[str, Any]) -> None:
    result = outcome("push", payload)
    assert isinstance(result, Accepted)
    push = result.message
    assert isinstance(push, Push)
    assert (push.ref, push.before, push.after) == (payload["ref"], payload["before"], payload["after"])
    assert push.repository == payload["repository"]["full_name"]
    assert push.forced is payload["forced"]
    head = payload["head_commit"]
    assert (push.head.id if push.head else None) == (head["id"] if head else None)


EXPECTED = {
    "opened": "opened",
    "synchronize": "synchronized",
    "labeled": "labeled",
    "unlabeled": "unlabeled",
    "reopened": "reopened",
}


@pytest.mark.parametrize("payload", EXAMPLES["pull_request"], ids=lambda payload: str(payload["action"]))
def test_pull_requests_say_what_github_says(payload: dict[str, Any]) -> None:
    result = outcome("pull_request", payload)
    request = payload["pull_request"]
    wanted = EXPECTED.get(payload["action"])
    if payload["action"] == "closed":
        wanted = "merged" if request["merged"] else "closed"
    if wanted is None:
        assert isinstance(result, Ignored)
        return
    assert isinstance(result, Accepted)
    message = result.message
    assert isinstance(message, PullRequest)
    assert message.action == wanted
    assert (message.number, message.head) == (payload["number"], request["head"]["sha"])
    assert (message.source_branch, message.target_branch) == (request["head"]["ref"], request["base"]["ref"])
    assert message.labels == [label["name"] for label in request["labels"]]


def commented(body: str, **issue: Any) -> Outcome:
    payload = json.loads(json.dumps(next(one for one in EXAMPLES["issue_comment"] if one["action"] == "created")))
    payload["comment"]["body"] = body
    payload["issue"] |= issue
    return outcome("issue_comment", payload)


@pytest.mark.parametrize(
    ("body", "command", "arguments"),
    [
        ("/slipway preview", "preview", ""),
        ("/slipway deploy web", "deploy", "web"),
        ("Please:\r\n/slipway preview now\r\nthanks", "preview", "now"),
        ("  /slipway   deploy  ", "deploy", ""),
    ],
)
def test_a_command_below_a_pull_request(body: str, command: str, arguments: str) -> None:
    result = commented(body, pull_request={"url": "x"})
    assert isinstance(result, Accepted)
    message = result.message
    assert isinstance(message, Comment)
    assert (message.command, message.arguments) == (command, arguments)
    assert message.author
    assert message.comment_id


@pytest.mark.parametrize(
    "body", ["", "hello", "say /slipway preview", "/slipway", "/slipway destroy", "/slipwaypreview"]
)
def test_what_is_no_command_is_ignored(body: str) -> None:
    assert isinstance(commented(body, pull_request={"url": "x"}), Ignored)


def test_a_command_on_an_issue_is_ignored() -> None:
    result = commented("/slipway preview")
    assert isinstance(result, Ignored)
    assert "pull request" in result.reason


def test_a_container_of_githubs_registry_is_an_image() -> None:
    payload = {
        "action": "published",
        "package": {
            "name": "shop",
            "namespace": "Acme",
            "package_type": "CONTAINER",
            "package_version": {
                "version": "sha256:abc",
                "container_metadata": {"tag": {"name": "1.2", "digest": "sha256:abc"}},
            },
        },
        "sender": {"login": "ann"},
    }
    for event in ("package", "registry_package"):
        result = outcome(event, payload if event == "package" else {**payload, "registry_package": payload["package"]})
        assert isinstance(result, Accepted)
        image = result.message
        assert isinstance(image, ImagePush)
        assert (image.image, image.tag, image.digest, image.pusher) == ("ghcr.io/acme/shop", "1.2", "sha256:abc", "ann")
