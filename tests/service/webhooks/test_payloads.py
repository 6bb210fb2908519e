"""Public payload sets, signed and sent as their providers do: each is in the stream, or ignored with a reason."""

import asyncio
import base64
import hmac
import json
import lzma
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slipway_contracts.base import Topic
from slipway_contracts.git import GIT_COMMENTED, GIT_PULL_REQUESTED, GIT_PUSHED, IMAGE_PUSHED

Gateway = Any
PAYLOADS = Path(__file__).parent / "payloads"
SECRET = b"a secret of enough length"
AT_ONCE = 16
TOPICS: dict[str, Topic[Any]] = {
    "push": GIT_PUSHED,
    "request": GIT_PULL_REQUESTED,
    "comment": GIT_COMMENTED,
    "image": IMAGE_PUSHED,
}
Headers = dict[str, str]


def examples(provider: str) -> list[tuple[str, str, bytes]]:
    """Name, event and body of each."""
    if provider == "github":
        sets = json.loads(lzma.decompress((PAYLOADS / "github.json.xz").read_bytes()))
        return [(f"{e}-{n}", e, json.dumps(one).encode()) for e, ones in sets.items() for n, one in enumerate(ones)]
    others = json.loads(lzma.decompress((PAYLOADS / "others.json.xz").read_bytes()))
    return [(one["name"], one["event"], one["body"].encode()) for one in others[provider]]


def as_github(event: str, id: str, body: bytes) -> Headers:
    signature = "sha256=" + hmac.digest(SECRET, body, "sha256").hex()
    return {"X-GitHub-Event": event, "X-GitHub-Delivery": id, "X-Hub-Signature-256": signature}


def as_gitlab(event: str, id: str, body: bytes) -> Headers:
    return {"X-Gitlab-Event": event, "Idempotency-Key": id, "X-Gitlab-Token": SECRET.decode()}


def as_gitlab_signs(event: str, id: str, body: bytes) -> Headers:
    at = str(int(time.time()))
    signature = hmac.digest(SECRET, f"{id}.{at}.".encode() + body, "sha256")
    return {
        "X-Gitlab-Event": event,
        "webhook-id": id,
        "webhook-timestamp": at,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }


def as_bitbucket(event: str, id: str, body: bytes) -> Headers:
    signature = "sha256=" + hmac.digest(SECRET, body, "sha256").hex()
    return {"X-Event-Key": event, "X-Request-UUID": id, "X-Hub-Signature": signature}


def as_gitea(event: str, id: str, body: bytes) -> Headers:
    return {
        "X-Gitea-Event": event,
        "X-Gitea-Delivery": id,
        "X-Gitea-Signature": hmac.digest(SECRET, body, "sha256").hex(),
        # Both send GitHub's headers along.
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": id,
    }


def as_forgejo(event: str, id: str, body: bytes) -> Headers:
    return {name.replace("Gitea", "Forgejo"): value for name, value in as_gitea(event, id, body).items()}


SETS: list[tuple[str, Callable[[str, str, bytes], Headers], int, Counter[str]]] = [
    ("github", as_github, 329, Counter(push=7, request=13)),
    ("gitlab", as_gitlab, 65, Counter(push=11, request=6)),
    ("gitlab", as_gitlab_signs, 65, Counter(push=11, request=6)),
    ("bitbucket", as_bitbucket, 65, Counter(push=13, request=21)),
    ("gitea", as_gitea, 36, Counter(push=5, request=7)),
    ("forgejo", as_forgejo, 36, Counter(push=5, request=7)),
]


@pytest.mark.parametrize(("provider", "signed", "count", "kinds"), SETS)
async def test_every_example_sent_is_in_the_stream_or_ignored_with_a_reason(
    gateway: Gateway, provider: str, signed: Callable[[str, str, bytes], Headers], count: int, kinds: Counter[str]
) -> None:
    link = await gateway.link("gitea" if provider == "forgejo" else provider)
    link = msgspec.structs.replace(link, repository="")
    await gateway.put(link)
    sent = {f"d-{n}": one for n, one in enumerate(examples(link.provider))}
    assert len(sent) == count
    address = msgspec.structs.replace(link, provider=provider)
    slots = asyncio.Semaphore(AT_ONCE)

    async def send(id: str) -> tuple[int, dict[str, Any]]:
        _, event, body = sent[id]
        async with slots:
            answer: tuple[int, dict[str, Any]] = await gateway.post(address, body, signed(event, id, body))
            return answer

    answers = dict(zip(sent, await asyncio.gather(*map(send, sent)), strict=True))
    assert [(sent[id][:2], got) for id, got in answers.items() if got[0] != 202] == []
    accepted = {id for id, got in answers.items() if got[1]["status"] == "accepted"}
    assert [sent[id][:2] for id in answers.keys() - accepted if not answers[id][1].get("reason")] == []
    told = {kind: await stored(gateway, topic) for kind, topic in TOPICS.items()}
    assert {id for ids in told.values() for id in ids} == accepted
    assert Counter({kind: len(set(ids)) for kind, ids in told.items()}) == kinds


async def stored(gateway: Gateway, topic: Topic[Any]) -> list[str]:
    """Which deliveries are in the stream; of several refs in one, each has its number behind it."""
    return [one.message.delivery_id.partition(".")[0] async for one in gateway.core.history(topic)]
