"""What a client sees of a channel: history, then live, each thing once and in order, through whatever happens."""

import asyncio
from typing import Any

import msgspec

from slipway_contracts.base import uuid7
from slipway_testing import free_port, started
from slipway_websocket.__main__ import serve

Gate = World = Any


def lines(publications: list[dict[str, Any]]) -> list[str]:
    return [line[3] for publication in publications for line in publication["data"]["lines"]]


def numbered(first: int, last: int) -> list[str]:
    return [f"line {number}" for number in range(first, last + 1)]


async def test_history_comes_with_the_subscription_and_live_follows(gate: Gate, world: World) -> None:
    await world.log(3)
    client = await gate.connected(await world.person())
    reply = (await client.command("subscribe", channel=f"logs:{world.service}"))["subscribe"]
    await world.log(2)
    assert lines(reply["publications"]) + await client.texts(2) == numbered(1, 5)
    assert reply["recoverable"]
    assert reply["epoch"]


async def test_at_the_seam_of_history_and_live_nothing_is_doubled_or_left_out(gate: Gate, world: World) -> None:
    """Clients subscribe while lines are being written."""
    client = await gate.connected(await world.person())

    async def write() -> None:
        for _ in range(200):
            await world.log(1)

    writing = asyncio.create_task(write())
    for _ in range(10):
        reply = (await client.command("subscribe", channel=f"logs:{world.service}", data={"history": 1000}))[
            "subscribe"
        ]
        seen = lines(reply.get("publications", []))
        before = len(seen)
        while len(seen) < before + 5 and not (writing.done() and seen == numbered(1, 200)):
            seen += await client.texts(1)
        assert seen == numbered(1, len(seen))
        await client.command("unsubscribe", channel=f"logs:{world.service}")
        client.pushes.clear()
    await writing


async def test_a_client_that_comes_back_gets_all_that_it_missed(gate: Gate, world: World) -> None:
    token = await world.person()
    client = await gate.connected(token)
    channel = f"logs:{world.service}"
    begun = (await client.command("subscribe", channel=channel))["subscribe"]
    await world.log(2)
    offset = [(await client.push())["pub"]["offset"]][-1]
    await client.ws.close()
    for _ in range(5):
        await world.log(1)
    again = await gate.connected(token)
    reply = await again.command("subscribe", channel=channel, recover=True, epoch=begun["epoch"], offset=offset)
    assert reply["subscribe"]["recovered"] is True
    assert lines(reply["subscribe"]["publications"]) == numbered(3, 7)


async def test_what_cannot_be_recovered_whole_is_said_not_to_be(gate: Gate, world: World) -> None:
    client = await gate.connected(await world.person())
    channel = f"logs:{world.service}"
    last = await world.log(2)
    epoch = (await client.command("subscribe", channel=channel))["subscribe"]["epoch"]

    async def recovered(**position: Any) -> Any:
        await client.command("unsubscribe", channel=channel)
        return (await client.command("subscribe", channel=channel, recover=True, **position))["subscribe"]

    assert (await recovered(epoch=epoch, offset=last))["recovered"] is True
    assert (await recovered(epoch="another", offset=last))["recovered"] is False
    assert (await recovered(epoch=epoch, offset=last + 1000))["recovered"] is False


async def test_positions_from_before_a_restore_are_not_recovered(gate: Gate, world: World, settings: Any) -> None:
    client = await gate.connected(await world.person())
    channel = f"logs:{world.service}"
    last = await world.log(2)
    epoch = (await client.command("subscribe", channel=channel))["subscribe"]["epoch"]
    restored = msgspec.structs.replace(settings, listen_port=free_port(), incarnation="restored")
    async with started(serve, restored):
        later = await type(gate)(world, restored.listen_port, gate.session).connected(await world.person())
        reply = await later.command("subscribe", channel=channel, recover=True, epoch=epoch, offset=last)
        assert reply["subscribe"]["recovered"] is False
        assert reply["subscribe"]["epoch"] != epoch


async def test_a_snapshot_of_states_is_always_recovered(gate: Gate, world: World) -> None:
    other = uuid7()
    await world.state("STARTING")
    await world.state("RUNNING")
    await world.state("ERROR", other)
    client = await gate.connected(await world.person())
    reply = await client.command("subscribe", channel=f"states:{world.environment}", recover=True, offset=0, epoch="")
    states = {item["data"]["service_id"]: item["data"]["state"] for item in reply["subscribe"]["publications"]}
    assert states == {world.service: "RUNNING", other: "ERROR"}
    assert reply["subscribe"]["recovered"] is True
    await world.state("STOPPED")
    assert (await client.push())["pub"]["data"]["state"] == "STOPPED"


async def test_a_deployment_begins_with_its_state_now(gate: Gate, world: World) -> None:
    one, two = uuid7(), uuid7()
    await world.deployment(one, "QUEUED", 1)
    await world.deployment(one, "BUILDING", 2)
    await world.deployment(two, "QUEUED", 1)
    client = await gate.connected(await world.person())
    world.places[one] = world.places[world.environment]
    reply = await client.command("subscribe", channel=f"deployment:{one}")
    assert [item["data"]["body"]["status"] for item in reply["subscribe"]["publications"]] == ["BUILDING"]
    await client.command("subscribe", channel=f"environment:{world.environment}")
    await client.command("subscribe", channel=f"organization:{world.organization}")
    await world.deployment(two, "BUILDING", 2)
    await world.deployment(one, "DEPLOYED", 3)
    seen = [await client.push() for _ in range(5)]
    by_channel = sorted((push["channel"].split(":")[0], push["pub"]["data"]["body"]["status"]) for push in seen)
    both = ["BUILDING", "DEPLOYED"]
    expected = [("deployment", "DEPLOYED"), *(("environment", one) for one in both)]
    assert by_channel == sorted([*expected, *(("organization", one) for one in both)])


async def test_history_is_paged_backward(gate: Gate, world: World) -> None:
    client = await gate.connected(await world.person())
    for number in range(30):
        await world.log(1)
        if number % 3 == 0:
            await world.state("RUNNING")
    channel = f"logs:{world.service}"
    seen: list[str] = []
    since: dict[str, Any] = {}
    for _ in range(5):
        page = (await client.command("history", channel=channel, limit=7, reverse=True, **since))["history"]
        publications = page["publications"]
        assert [item["offset"] for item in publications] == sorted([item["offset"] for item in publications])[::-1]
        seen = lines(publications[::-1]) + seen
        since = {"since": {"offset": publications[-1]["offset"], "epoch": page["epoch"]}}
    assert seen == numbered(1, 30)


async def test_kinds_of_logs_and_deployments_are_channels_of_their_own(gate: Gate, world: World) -> None:
    one, two = uuid7(), uuid7()
    await world.log(1, "build", one)
    await world.log(1, "build", two)
    await world.log(1)
    client = await gate.connected(await world.person())
    by_name = await client.command("subscribe", channel=f"logs:{world.service}:build:{two}")
    by_option = await client.command(
        "subscribe", channel=f"logs:{world.service}", data={"kind": "build", "deployment": one}
    )
    assert lines(by_name["subscribe"]["publications"]) == ["line 2"]
    assert lines(by_option["subscribe"]["publications"]) == ["line 1"]
    await world.log(1, "build", two)
    assert (await client.push())["channel"] == f"logs:{world.service}:build:{two}"


async def test_what_went_by_while_the_bus_was_away_is_made_up_for(gate: Gate, world: World) -> None:
    client = await gate.connected(await world.person())
    await client.command("subscribe", channel=f"logs:{world.service}")
    await world.log(1)
    assert await client.texts(1) == ["line 1"]
    await world.nats.server.kill()
    await world.nats.server.start()
    for _ in range(5):
        await world.log_for_sure()
    assert await client.texts(5) == numbered(2, 6)
