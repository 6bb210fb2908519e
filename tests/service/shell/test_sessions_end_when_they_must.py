"""Rights, limits, lost clients and agents: each end has its code and its reason, and leaves nothing behind."""

import asyncio
import os
import time
from typing import Any

import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_testing import eventually

Shells = Any


@pytest.fixture
def changes() -> dict[str, Any]:
    return {"sessions_per_user": 3}


async def test_who_may_not_is_told_so(shells: Shells) -> None:
    viewer = await shells.open(await shells.person("viewer"))
    assert await viewer.ended() == 1007
    shells.places[other] = (
        Place(organization_id=uuid7(), service_id=other, cluster_id=shells.cluster) if (other := uuid7()) else None
    )
    unknown = await shells.open(await shells.person(), service=uuid7())
    foreign = await shells.open(await shells.person(), service=other)
    assert (await unknown.ended(), unknown.reason) == (await foreign.ended(), foreign.reason)
    assert unknown.code == 1008


async def test_nobody_gets_nothing(shells: Shells) -> None:
    url = f"http://127.0.0.1:{shells.settings.listen_port}/shell/exec?service={shells.place.service_id}"
    async with shells.http.ws_connect(url) as ws:
        message = await ws.receive(timeout=5)
        assert message.data == 1008
    assert await shells.rows() == []


async def test_a_browser_can_send_its_token_as_a_sub_protocol(shells: Shells) -> None:
    token = await shells.person()
    await (await shells.open(token, command=["true"])).ended()
    url = f"http://127.0.0.1:{shells.settings.listen_port}/shell/exec?service={shells.place.service_id}&command=pwd"
    async with shells.http.ws_connect(url, protocols=["v1", f"auth.bearer.{token}"]) as ws:
        assert ws.protocol == "v1"
        assert (await ws.receive(timeout=10)).data in (b"/app\r\n", b"/app\n")


async def test_what_the_client_says_of_the_place_must_be_so(shells: Shells) -> None:
    shell = await shells.open(environment=uuid7())
    assert await shell.ended() == 1008
    right = await shells.open(environment=shells.place.environment_id, cluster=shells.cluster, command=["true"])
    assert await right.ended() == 1000


async def test_a_process_of_another_service_is_refused(shells: Shells) -> None:
    for name in ("other-20260101-1", "../x", "1"):
        shell = await shells.open(pod_name=name)
        assert await shell.ended() == 1008
    shell = await shells.open(pod_name="web-20260101-1", command=["true"])
    assert await shell.ended() == 1000


@pytest.mark.parametrize(
    "query", [{"tty_height": "-5"}, {"tty_width": "9" * 40}, {"command": "\0"}, {"pod_name": "a b"}]
)
async def test_wrong_queries_are_refused(shells: Shells, query: dict[str, str]) -> None:
    shell = await shells.open(**query)
    assert await shell.ended() == 1008
    assert shell.status is not None
    assert shell.status["status"] == "Failure"


async def test_a_right_that_is_taken_away_ends_the_session_within_two_seconds(shells: Shells) -> None:
    shell = await shells.open()
    await shell.type("sleep 1000\n")
    await shell.shows("sleep")
    began = time.monotonic()
    await shells.grant("devops-user", "viewer")
    assert await shell.ended() == 1007
    assert time.monotonic() - began < 2
    assert "taken away" in shell.reason
    await eventually(lambda: shells.children() == [])


async def test_a_client_that_goes_away_leaves_no_program_behind(shells: Shells) -> None:
    shell = await shells.open()
    await shell.type("trap '' HUP; sleep 1000\n")
    await shell.shows("sleep 1000\r\n")
    shell.ws._response.connection.transport.abort()
    await eventually(lambda: shells.children() == [])

    async def ended() -> Any:
        return [row["reason"] for row in await shells.rows() if row["ended_at"]]

    assert await eventually(ended) == ["the client went away"]


async def test_an_agent_that_dies_ends_the_session_with_a_word(shells: Shells) -> None:
    shell = await shells.open()
    await shell.type("echo ready\n")
    await shell.shows("ready\r\n")
    await shells.agent.client.close()
    await shell.type("echo more\n")
    assert await shell.ended(20) == 1011
    assert "agent" in shell.reason


async def test_without_an_agent_there_is_no_session(shells: Shells) -> None:
    await shells.sessions._listening.unsubscribe()
    shell = await shells.open()
    assert await shell.ended() == 1011


async def test_a_service_that_was_never_deployed_says_so(shells: Shells) -> None:
    other = uuid7()
    from msgspec.structs import replace

    shells.places[other] = replace(shells.place, service_id=other)
    shell = await shells.open(service=other)
    assert await shell.ended() == 1008
    assert "deployed" in shell.reason


async def test_sessions_of_one_user_are_limited(shells: Shells) -> None:
    held = [await shells.open() for _ in range(3)]
    for shell in held:
        await shell.receive()
    extra = await shells.open()
    assert await extra.ended() == 1013
    await held[0].type("exit\n")
    await held[0].ended()
    again = await shells.open(command=["true"])
    assert await again.ended() == 1000


async def test_binary_garbage_and_wrong_channels_end_the_session(shells: Shells) -> None:
    for frame in (b"", b"\x09x", b"\x04not json", b"\x01x"):
        shell = await shells.open()
        await shell.ws.send_bytes(frame)
        assert await shell.ended() == 1008
    shell = await shells.open()
    await shell.ws.send_bytes(b"\0" * 3_000_000)
    assert await shell.ended() == 1009
    await eventually(lambda: shells.children() == [])


async def test_many_sessions_leak_no_descriptors(shells: Shells) -> None:
    async def once() -> None:
        shell = await shells.open(command=["true"])
        await shell.ended()

    await once()
    await asyncio.sleep(0.2)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(15):
        await once()
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= before + 2)
