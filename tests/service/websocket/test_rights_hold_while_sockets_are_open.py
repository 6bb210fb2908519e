"""Who may not see something does not see it, from the moment it is so; codes say whether to come back."""

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_http.origins import session_cookie
from slipway_testing import eventually
from slipway_websocket import codes

Gate = World = Any


async def test_a_foreign_or_unknown_thing_looks_the_same(gate: Gate, world: World) -> None:
    foreign = uuid7()
    world.places[foreign] = Place(
        organization_id=uuid7(),
        project_id=uuid7(),
        environment_id=uuid7(),
        cluster_id=world.cluster,
        service_id=foreign,
    )
    client = await gate.connected(await world.person("owner"))
    answers = []
    for id in (foreign, uuid7()):
        for kind in ("logs", "metrics", "states", "environment", "deployment", "organization"):
            answers.append((await client.command("subscribe", channel=f"{kind}:{id}"))["error"])
            answers.append((await client.command("history", channel=f"{kind}:{id}", limit=1))["error"])
    assert {(answer["code"], answer["message"]) for answer in answers} == {(102, "unknown channel")}


@pytest.mark.parametrize("name", ["", "logs", "logs:", "logs:*", "logs:>", "secrets:1", "logs:../x", "x" * 10_000])
async def test_names_that_are_no_channel_are_refused(gate: Gate, world: World, name: str) -> None:
    client = await gate.connected(await world.person())
    assert (await client.command("subscribe", channel=name))["error"]["code"] == 102


async def test_without_a_valid_token_there_is_no_connection(gate: Gate, world: World) -> None:
    await gate.connected(await world.person())
    for token in ("", "nonsense", "a.b.c"):
        client = await gate.raw()
        await client.ws.send_str(json.dumps({"id": 1, "connect": {"token": token}}))
        assert await client.close_code() == codes.INVALID_TOKEN.code


async def test_an_expired_token_asks_for_a_new_one(gate: Gate, world: World) -> None:
    await gate.connected(await world.person())
    expired = await world.person(lifetime_seconds=-60)
    client = await gate.raw()
    assert (await client.command("connect", token=expired))["error"]["code"] == codes.TOKEN_EXPIRED.code


async def test_a_login_says_when_it_ends_and_can_be_renewed(gate: Gate, world: World) -> None:
    client = await gate.connected(await world.person(lifetime_seconds=60))
    fresh = await world.person(lifetime_seconds=600)
    assert (await client.command("refresh", token=fresh))["refresh"]["ttl"] > 500
    await client.ws.send_str(json.dumps({"id": 99, "refresh": {"token": await world.person("owner")}}))
    assert await client.close_code() == codes.INVALID_TOKEN.code


async def test_a_revoked_token_ends_its_sockets_within_two_seconds(gate: Gate, world: World) -> None:
    token = await world.machine()
    client = await gate.connected(token)
    await client.command("subscribe", channel=f"logs:{world.service}")
    began = time.monotonic()
    await world.revoke(token)
    assert await client.close_code() == codes.INVALID_TOKEN.code
    assert time.monotonic() - began < 2


async def test_a_lost_role_ends_the_subscriptions_that_needed_it(gate: Gate, world: World) -> None:
    client = await gate.connected(await world.person())
    await client.command("subscribe", channel=f"logs:{world.service}")
    began = time.monotonic()
    await world.grant("viewer-user", [])
    push = await client.push()
    assert time.monotonic() - began < 2
    assert push["channel"] == f"logs:{world.service}"
    assert push["unsubscribe"]["code"] == codes.UNSUBSCRIBE_REVOKED.code
    await world.log(1)
    assert (await client.command("subscribe", channel=f"logs:{world.service}"))["error"]["code"] == 102


async def test_pages_of_other_origins_get_no_socket(gate: Gate, world: World) -> None:
    token = await world.person()
    await gate.connected(token)
    name = session_cookie(urlsplit(gate.url).netloc)
    for cookie in ({}, {"Cookie": f"{name}={token}"}):
        handshake = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "https://evil.example", **cookie}
        handshake |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        async with gate.session.get(gate.url.replace("ws:", "http:"), headers=handshake) as refused:
            assert refused.status == 403
    client = await gate.raw(headers={"Origin": "http://console.example:8080", "Cookie": f"{name}={token}"})
    assert "connect" in await client.command("connect")


async def test_another_cluster_cannot_speak_for_a_service(gate: Gate, world: World) -> None:
    client = await gate.connected(await world.person())
    await client.command("subscribe", channel=f"logs:{world.service}")
    other = uuid7()
    credentials = await world.nats.issue(other)
    async with world.nats.bus_with(credentials.agent_user, credentials.agent_password) as foreign:
        from slipway_contracts.live import LOGGED

        ids = world.subject(world.service) | {"cluster_id": other}
        await foreign.publish(LOGGED, world.batch(1), kind="run", **ids)
    await world.log(1)
    assert await client.texts(1) == ["line 2"]


async def test_bad_frames_end_the_connection(gate: Gate, world: World) -> None:
    await gate.connected(await world.person())
    for message in ("nonsense", "[]", '{"id":1}', '{"id":1,"subscribe":{"channel":"x"}}', "[" * 50_000):
        client = await gate.raw()
        await client.ws.send_str(message)
        assert await client.close_code() == codes.BAD_FRAME.code
    client = await gate.raw()
    await client.ws.send_bytes(b"\x00" * 10)
    assert await client.close_code() == codes.BAD_FRAME.code
    client = await gate.raw()
    await client.ws.send_str("x" * 100_000)
    assert await client.close_code() == 1009


async def test_a_flood_of_commands_is_cut_off(gate: Gate, world: World) -> None:
    client = await gate.connected(await world.person())
    await client.ws.send_str("\n".join(json.dumps({"id": number, "ping": {}}) for number in range(2, 1000)))
    assert await client.close_code() == codes.TOO_MANY_COMMANDS.code


async def test_a_client_that_does_not_read_costs_bounded_memory_and_is_told_what_it_missed(
    gate: Gate, world: World
) -> None:
    token = await world.person()
    slow, quick = await gate.connected(token), await gate.connected(token)
    for client in (slow, quick):
        await client.command("subscribe", channel=f"logs:{world.service}")
    transport = slow.ws._response.connection.transport
    transport.pause_reading()
    count = 400
    reading = asyncio.create_task(quick.texts(count))
    for _ in range(count):
        batch = world.batch(1)
        line = batch.lines[0]
        from msgspec.structs import replace

        from slipway_contracts.live import LOGGED

        big = replace(batch, lines=[replace(line, text=line.text + " " + "x" * 50_000)])
        await world.agent.publish(LOGGED, big, kind="run", **world.subject(world.service))
    received = [text.split(" x")[0] for text in await reading]
    assert received == [f"line {number}" for number in range(1, count + 1)]
    transport.resume_reading()
    seen: list[str] = []
    while True:
        push = await slow.push()
        if "unsubscribe" in push:
            break
        seen += [line[3].split(" x")[0] for line in push["pub"]["data"]["lines"]]
    assert push["unsubscribe"]["code"] == codes.UNSUBSCRIBE_INSUFFICIENT.code
    missed = int(push["unsubscribe"]["reason"].split()[0])
    assert len(seen) + missed == count
    assert seen == [f"line {number}" for number in range(1, len(seen) + 1)]


async def test_for_a_slow_client_the_newest_state_wins(gate: Gate, world: World) -> None:
    slow = await gate.connected(await world.person())
    await slow.command("subscribe", channel=f"logs:{world.service}")
    await slow.command("subscribe", channel=f"states:{world.environment}")
    transport = slow.ws._response.connection.transport
    transport.pause_reading()
    from msgspec.structs import replace

    from slipway_contracts.live import LOGGED

    for _ in range(300):
        batch = world.batch(1)
        big = replace(batch, lines=[replace(batch.lines[0], text="x" * 50_000)])
        await world.agent.publish(LOGGED, big, kind="run", **world.subject(world.service))
    for word in ("STARTING", "RUNNING", "STOPPING", "STOPPED"):
        last = await world.state(word)
    await asyncio.sleep(0.3)
    transport.resume_reading()
    states = []
    while not states or states[-1][0] != last:
        push = await slow.push()
        if push["channel"].startswith("states:"):
            states.append((push["pub"]["offset"], push["pub"]["data"]["state"]))
    assert states == [(last, "STOPPED")]


async def test_connections_of_one_user_are_limited(gate: Gate, world: World, settings: Any) -> None:
    token = await world.person()
    clients = [await gate.connected(token) for _ in range(settings.connections_per_user)]
    extra = await gate.raw()
    await extra.ws.send_str(json.dumps({"id": 1, "connect": {"token": token}}))
    assert await extra.close_code() == codes.CONNECTION_LIMIT.code
    await clients[0].ws.close()

    async def admitted() -> bool:
        client = await gate.raw()
        await client.ws.send_str(json.dumps({"id": 1, "connect": {"token": token}}))
        message = await client.ws.receive(timeout=5)
        return message.type is aiohttp.WSMsgType.TEXT

    assert await eventually(admitted)
