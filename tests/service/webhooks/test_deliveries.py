"""Deliveries in: what is right is in the stream when it is answered, what is wrong is refused with its reason."""

import asyncio
import gzip
import hmac
import json
import resource
from typing import Any

import aiohttp
import msgspec
import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.git import GIT_LINKS, RemotePush
from slipway_contracts.places import Place
from slipway_testing import eventually

Gateway = Any
PAYLOAD: dict[str, Any] = {
    "ref": "refs/heads/main",
    "before": "a" * 40,
    "after": "b" * 40,
    "repository": {"full_name": "acme/shop", "clone_url": "https://github.test/acme/shop.git"},
}
SECRET = b"a secret of enough length"
OTHER = b"another secret, long enough"


async def test_a_push_is_in_the_stream_when_it_is_answered(gateway: Gateway) -> None:
    link = await gateway.link()
    status, answer = await gateway.deliver(link, delivery="d-1")
    assert (status, answer) == (202, {"status": "accepted"})
    [push] = await gateway.pushes()
    assert (push.link_id, push.delivery_id, push.provider) == (link.id, "d-1", "github")
    assert (push.ref, push.after, push.paths) == ("refs/heads/main", "b" * 40, ["a"])


async def test_a_delivery_sent_twice_is_in_the_stream_once(gateway: Gateway) -> None:
    link = await gateway.link()
    for _ in range(3):
        assert (await gateway.deliver(link, delivery="same"))[0] == 202
    assert len(await gateway.pushes()) == 1


async def test_two_links_of_one_repository_each_have_their_own_secret(gateway: Gateway) -> None:
    one = await gateway.link(organization_id="one")
    two = await gateway.link(organization_id="two", secrets=[OTHER])
    assert (await gateway.deliver(one, delivery="d"))[0] == 202
    assert (await gateway.deliver(two, delivery="d", secret=OTHER))[0] == 202
    assert (await gateway.deliver(two, delivery="e"))[0] == 401
    assert [push.organization_id for push in await gateway.pushes()] == ["one", "two"]


async def test_a_rotated_secret_and_the_one_before_it_both_count_then_only_the_new(gateway: Gateway) -> None:
    link = await gateway.link(secrets=[OTHER, SECRET])
    assert (await gateway.deliver(link))[0] == 202
    assert (await gateway.deliver(link, secret=OTHER))[0] == 202
    await gateway.put(msgspec.structs.replace(link, sealed_secrets=link.sealed_secrets[:1]))

    async def old_refused() -> bool:
        return (await gateway.deliver(link))[0] == 401

    await eventually(old_refused, 1)
    assert (await gateway.deliver(link, secret=OTHER))[0] == 202


@pytest.mark.parametrize("secrets", [[], [b""], [b"short"]])
async def test_a_link_without_a_usable_secret_takes_nothing(gateway: Gateway, secrets: list[bytes]) -> None:
    link = await gateway.link(secrets=secrets)
    for secret in (b"", b"short", b"null", SECRET):
        assert (await gateway.deliver(link, secret=secret))[0] == 401


async def test_a_secret_sealed_for_another_link_is_no_secret_of_this_one(gateway: Gateway) -> None:
    link = await gateway.link()
    stolen = msgspec.structs.replace(link, id=uuid7())
    await gateway.put(stolen)
    assert (await gateway.deliver(stolen))[0] == 401


async def test_a_changed_byte_is_refused(gateway: Gateway) -> None:
    link = await gateway.link()
    headers = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    assert (await gateway.deliver(link, headers=headers))[0] == 401
    assert await gateway.pushes() == []


async def test_what_is_not_known_is_not_found(gateway: Gateway) -> None:
    link = await gateway.link()
    for changed in (
        msgspec.structs.replace(link, id=uuid7()),
        msgspec.structs.replace(link, provider="gitea"),
        msgspec.structs.replace(link, provider="nobody"),
        msgspec.structs.replace(link, id="..%2f"),
    ):
        status, answer = await gateway.deliver(changed)
        assert status == 404
        assert answer["code"] in ("webhooks.unknown_link", "not_found")


async def test_a_removed_link_is_gone_within_a_second(gateway: Gateway) -> None:
    link = await gateway.link()
    await (await gateway.core.table(GIT_LINKS)).delete(link.id)

    async def gone() -> bool:
        return (await gateway.deliver(link))[0] == 404

    await eventually(gone, 1)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"[]", {}, 422),
        (b'{"ref": 1}', {}, 422),
        (b"not json", {}, 422),
        (b"", {}, 422),
        (b'{"ref": "\xff"}', {}, 422),
        (b"[" * 100_000, {}, 422),
        (b'{"ref":"refs/heads/main","before":"a","after":"b","repository":null}', {}, 422),
        (b"{}", {"X-GitHub-Delivery": ""}, 422),
        (b"{}", {"X-GitHub-Delivery": "a b\tc"}, 422),
        (b"{}", {"X-GitHub-Delivery": "x" * 500}, 422),
        (b"{}", {"X-GitHub-Event": ""}, 422),
        (b"payload=%7B%7D", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (gzip.compress(b"{}", mtime=0), {"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_wrong_deliveries_are_refused_with_a_reason(
    gateway: Gateway, body: bytes, headers: dict[str, str], status: int
) -> None:
    link = await gateway.link()
    answered, answer = await gateway.deliver(link, body, headers=headers)
    assert answered == status
    assert answer["detail"]
    assert (await gateway.deliver(link))[0] == 202


async def test_duplicate_keys_and_escapes_are_verified_as_they_came(gateway: Gateway) -> None:
    link = await gateway.link()
    body = json.dumps(PAYLOAD).encode().replace(b'{"ref"', b'{"ref": "refs/heads/evil", "re\\u0066"', 1)
    assert (await gateway.deliver(link, body))[0] == 202
    assert [push.ref for push in await gateway.pushes()] == ["refs/heads/main"]


@pytest.mark.parametrize("gateway", [{"max_body_bytes": 10_000}], indirect=True)
async def test_too_large_bodies_are_refused_announced_or_not(gateway: Gateway) -> None:
    link = await gateway.link()
    assert (await gateway.deliver(link, b" " * 10_001))[0] == 413

    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 1000

    assert (await gateway.post(link, chunks(), {}))[0] == 413
    assert (await gateway.deliver(link))[0] == 202


@pytest.mark.parametrize("gateway", [{"body_seconds": 0.3}], indirect=True)
async def test_a_slow_sender_is_let_go(gateway: Gateway) -> None:
    link = await gateway.link()

    async def drops() -> Any:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.05)

    try:
        status = (await gateway.post(link, drops(), {}))[0]
    except aiohttp.ClientError:
        status = 408  # cut off while it was still sending
    assert status == 408
    assert (await gateway.deliver(link))[0] == 202


@pytest.mark.parametrize("gateway", [{"bodies_bytes": 100_000}], indirect=True)
async def test_memory_for_bodies_is_bounded_and_given_back(gateway: Gateway) -> None:
    link = await gateway.link()
    status, answer = await gateway.deliver(link, b" " * 200_000)
    assert (status, answer["code"]) == (503, "webhooks.overloaded")
    for _ in range(30):
        assert (await gateway.deliver(link, b" " * 50_000))[0] == 422


async def test_a_ping_and_unknown_events_are_accepted_and_ignored(gateway: Gateway) -> None:
    link = await gateway.link()
    for event in ("ping", "star"):
        status, answer = await gateway.deliver(link, {"zen": "x"}, event=event)
        assert (status, answer["status"]) == (202, "ignored")
        assert answer["reason"]
    assert await gateway.pushes() == []


async def test_a_push_of_the_built_in_remote_enters_by_the_same_path(gateway: Gateway) -> None:
    link = await gateway.link(provider="slipway")
    remote = RemotePush(
        repository="acme/shop",
        clone_url="http://localhost/git/acme/shop.git",
        ref="refs/heads/main",
        before="0",
        after="1",
    )
    body = msgspec.json.encode(remote)
    headers = {
        "X-Slipway-Signature": "sha256=" + hmac.digest(SECRET, body, "sha256").hex(),
        "X-Slipway-Delivery": "d",
        "X-Slipway-Event": "push",
    }
    assert (await gateway.post(link, body, headers))[0] == 202
    [push] = await gateway.pushes()
    assert (push.provider, push.repository, push.after) == ("slipway", "acme/shop", "1")


async def test_the_log_says_what_came_and_why_nothing_followed(gateway: Gateway) -> None:
    organization = uuid7()
    link = await gateway.link(organization_id=organization)
    gateway.places["organization", organization] = Place(organization_id=organization)
    await gateway.deliver(link, delivery="good")
    await gateway.deliver(link, delivery="bad", secret=OTHER)
    await gateway.deliver(link, {"zen": ""}, event="ping", delivery="ping")
    headers = {"Authorization": f"Token {await gateway.token(organization)}"}

    async def listed(path: str) -> list[dict[str, Any]]:
        async with gateway.session.get(f"{gateway.url}{path}", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return list((await answer.json())["results"])

    async def all_there() -> list[dict[str, Any]]:
        found = await listed(f"/hooks/organization/{organization}/delivery")
        return found if {"good", "ping"} <= {one["delivery_id"] for one in found} else []

    found = await eventually(all_there)
    by_id = {one["delivery_id"]: one for one in found}
    assert (by_id["good"]["outcome"], by_id["good"]["status"], by_id["good"]["after"]) == ("accepted", 202, "b" * 40)
    assert (by_id["ping"]["outcome"], by_id["ping"]["reason"]) == ("ignored", "The link works.")
    refused = [one for one in found if one["outcome"] == "refused" and one["status"] == 401]
    assert refused
    assert not refused[0]["verified"]
    of_link = await listed(f"/hooks/link/{link.id}/delivery?limit=2")
    assert [one["id"] for one in of_link] == [one["id"] for one in found[:2]]
    older = await listed(f"/hooks/link/{link.id}/delivery?before={of_link[-1]['id']}")
    assert [one["id"] for one in older] == [one["id"] for one in found[2:]]


async def test_the_log_is_shown_to_those_who_may_see_the_organization_alone(gateway: Gateway) -> None:
    mine, other = uuid7(), uuid7()
    link = await gateway.link(organization_id=mine)
    gateway.places["organization", mine] = Place(organization_id=mine)
    stranger = {"Authorization": f"Token {await gateway.token(other)}"}
    for path in (f"/hooks/organization/{mine}/delivery", f"/hooks/link/{link.id}/delivery"):
        async with gateway.session.get(gateway.url + path) as answer:
            assert answer.status == 401

        async def refused(path: str = path) -> bool:
            async with gateway.session.get(gateway.url + path, headers=stranger) as answer:
                return bool(answer.status == 404)

        await eventually(refused)


async def test_a_delivery_is_sent_again_from_the_log_as_one_of_its_own(gateway: Gateway) -> None:
    organization = uuid7()
    link = await gateway.link(organization_id=organization)
    gateway.places["organization", organization] = Place(organization_id=organization)
    await gateway.deliver(link, delivery="first")
    await gateway.deliver(link, {"zen": ""}, event="ping", delivery="ping")
    viewer = {"Authorization": f"Token {await gateway.token(organization)}"}
    devops = {"Authorization": f"Token {await gateway.token(organization, 'devops')}"}

    async def logged() -> dict[str, Any]:
        url = f"{gateway.url}/hooks/organization/{organization}/delivery"
        async with gateway.session.get(url, headers=devops) as answer:
            found = (await answer.json())["results"] if answer.status == 200 else []
        by_id = {one["delivery_id"]: one for one in found}
        return by_id if {"first", "ping"} <= by_id.keys() else {}

    entries = await eventually(logged)

    async def again(entry: str, headers: dict[str, str]) -> tuple[int, Any]:
        async with gateway.session.post(f"{gateway.url}/hooks/entry/{entry}/replay", headers=headers) as answer:
            return answer.status, await answer.json()

    assert (await again(entries["first"]["id"], viewer))[0] == 403
    assert (await again(uuid7(), devops))[0] == 404
    assert (await again("x", devops))[0] == 404
    status, refused = await again(entries["ping"]["id"], devops)
    assert (status, refused["code"]) == (409, "webhooks.nothing_to_replay")
    status, entry = await again(entries["first"]["id"], devops)
    assert status == 202, entry
    assert entry["replay_of"] == entries["first"]["id"]
    one, two = await gateway.pushes()
    assert (one.delivery_id, two.delivery_id) == ("first", entry["delivery_id"])
    assert msgspec.structs.replace(two, delivery_id="first", received_at=one.received_at) == one


@pytest.mark.parametrize("gateway", [{"bodies_bytes": 8 * 1024 * 1024}], indirect=True)
async def test_a_hundred_bodies_of_25_mb_at_once_cost_no_memory_and_no_honest_delivery(gateway: Gateway) -> None:
    link = await gateway.link()
    chunk = b" " * 65536
    before = peak_bytes()

    async def flood() -> int:
        async def chunks() -> Any:
            for _ in range(25 * 16):
                yield chunk

        try:
            return int((await gateway.post(link, chunks(), {"Content-Length": str(25 * 1024 * 1024)}))[0])
        except aiohttp.ClientError:
            return 503  # cut off while it was still sending

    floods = [asyncio.create_task(flood()) for _ in range(100)]
    await asyncio.sleep(0.2)
    statuses = set(await asyncio.gather(*floods))
    assert statuses <= {401, 408, 503}, statuses
    assert 503 in statuses
    assert peak_bytes() - before < 200 * 1024 * 1024
    assert (await gateway.deliver(link))[0] == 202


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
