"""The reference's sockets below /ws: its parameters, its frames, its way to send a token."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.live import MEASURED, MetricSample
from slipway_testing import eventually

Gate = World = Any


async def opened(gate: Gate, path: str, token: str, **query: str) -> aiohttp.ClientWebSocketResponse:
    """A socket, once the gateway knows the token."""
    client = await gate.connected(token)
    await client.ws.close()
    url = f"http://127.0.0.1:{gate.port}/ws{path}?{urlencode(query)}"
    return await gate.session.ws_connect(url, headers={"Authorization": f"Bearer {token}"}, max_msg_size=0)


async def frame(ws: aiohttp.ClientWebSocketResponse) -> Any:
    message = await ws.receive(timeout=10)
    assert message.type is aiohttp.WSMsgType.TEXT, message
    return json.loads(message.data)


def place(world: World, **more: str) -> dict[str, str]:
    return {
        "organization": world.organization,
        "cluster": world.cluster,
        "project": world.project,
        "environment": world.environment,
        **more,
    }


async def test_service_logs_are_lines_first_kept_then_live(gate: Gate, world: World) -> None:
    await world.log(5)
    ws = await opened(gate, "/service/logs", await world.person(), **place(world, service=world.service, limit="3"))
    seen = [await frame(ws) for _ in range(3)]
    await world.log(2)
    seen += [await frame(ws) for _ in range(2)]
    assert [line["message"] for line in seen] == [f"line {number}" for number in range(3, 8)]
    expected = {
        "created_at",
        "message",
        "pod_name",
        "container_name",
        "version",
        "severity_text",
        "labels",
        "from_kube",
    }
    assert set(seen[0]) == expected
    await ws.close()


async def test_lines_can_be_filtered_by_process_and_text(gate: Gate, world: World) -> None:
    await world.log(12)
    token = await world.person()
    ws = await opened(gate, "/service/logs", token, service=world.service, query="LINE 1", pod_name="app-1")
    assert [(await frame(ws))["message"] for _ in range(4)] == ["line 1", "line 10", "line 11", "line 12"]
    await ws.close()


async def test_service_status_is_the_whole_environment_each_time(gate: Gate, world: World) -> None:
    other = uuid7()
    await world.state("RUNNING")
    ws = await opened(gate, "/service/status", await world.person(), **place(world))
    first = (await frame(ws))["environments"][0]
    assert [(one["id"], one["state"]) for one in first["applications"]] == [(world.service, "RUNNING")]
    await world.state("ERROR", other)
    second = (await frame(ws))["environments"][0]
    assert {one["id"]: one["state"] for one in second["applications"]} == {world.service: "RUNNING", other: "ERROR"}
    assert second["state"] == "WARNING"
    await ws.close()


async def test_deployment_status_begins_with_the_last_deployment(gate: Gate, world: World) -> None:
    one = uuid7()
    await world.deployment(one, "BUILDING", 1)
    ws = await opened(gate, "/deployment/status", await world.person(), **place(world))
    assert (await frame(ws))["environment"]["state"] == "BUILDING"
    await world.deployment(one, "DEPLOYED", 2)
    moved = await frame(ws)
    assert (moved["environment"]["state"], moved["environment"]["last_deployment_id"]) == ("DEPLOYED", one)
    await ws.close()


async def test_deployment_logs_are_those_of_builds_and_steps_of_one_deployment(gate: Gate, world: World) -> None:
    one, two = uuid7(), uuid7()
    await world.log(1, "build", one)
    await world.log(1, "build", two)
    await world.log(1)
    ws = await opened(gate, "/deployment/logs", await world.person(), **place(world, version=two))
    assert [entry["message"]["safe_message"] for entry in await frame(ws)] == ["line 2"]
    await world.log(1, "deploy", two)
    live = (await frame(ws))[0]
    assert live["message"]["safe_message"] == "line 4"
    assert (live["details"]["execution_id"], live["details"]["stage"]["step"]) == (two, "DEPLOY")
    await ws.close()


async def test_metrics_have_percent_of_their_limits(gate: Gate, world: World) -> None:
    from datetime import UTC, datetime

    process = MetricSample.Process(name="app-1", cpu_milli=450, memory_bytes=100 << 20)
    sample = MetricSample(at=datetime.now(UTC), processes=[process], cpu_limit_milli=500, memory_limit_bytes=200 << 20)
    await world.agent.publish(MEASURED, sample, **world.subject(world.service))
    ws = await opened(gate, "/service/metrics", await world.person(), service=world.service)
    measured = (await frame(ws))[0]
    assert (measured["cpu"]["current_percent"], measured["cpu"]["status"]) == (90, "ALERT")
    assert (measured["memory"]["current"], measured["memory"]["unit"], measured["memory"]["status"]) == (
        100,
        "MiB",
        "OK",
    )
    await ws.close()


async def test_a_token_can_come_as_a_sub_protocol(gate: Gate, world: World) -> None:
    await world.log(1)
    token = await world.person()
    await (await gate.connected(token)).ws.close()
    url = f"http://127.0.0.1:{gate.port}/ws/service/logs?service={world.service}"
    async with gate.session.ws_connect(url, protocols=["v1", f"auth.bearer.{token}"]) as ws:
        assert ws.protocol == "v1"
        assert (await frame(ws))["message"] == "line 1"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"service": "nonsense"}, 1007),
        ({"service": uuid7()}, 1008),
        ({"environment": uuid7()}, 1008),
        ({"limit": "x"}, 1007),
    ],
)
async def test_what_is_wrong_or_not_theirs_is_refused(
    gate: Gate, world: World, change: dict[str, str], code: int
) -> None:
    ws = await opened(gate, "/service/logs", await world.person(), **place(world, service=world.service) | change)
    await ws.receive(timeout=5)
    assert ws.close_code == code


async def test_without_a_login_nothing_is_told(gate: Gate, world: World) -> None:
    async with gate.session.ws_connect(f"http://127.0.0.1:{gate.port}/ws/service/logs?service={world.service}") as ws:
        await ws.receive(timeout=5)
        assert ws.close_code == 1008


async def test_a_lost_right_closes_the_socket(gate: Gate, world: World) -> None:
    ws = await opened(gate, "/service/logs", await world.person(), service=world.service)
    await asyncio.sleep(0.1)
    await world.grant("viewer-user", [])
    await ws.receive(timeout=2)
    assert ws.close_code == 1008
    await eventually(lambda: ws.closed)
