"""What clients say and what they are told, without a server."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_contracts.base import uuid7
from slipway_contracts.events import DeploymentView, Event, StepView
from slipway_contracts.live import LogBatch, LogLine
from slipway_websocket import codes, protocol
from slipway_websocket.channels import Channel, parse
from slipway_websocket.codes import Disconnect, Ended, Refused
from slipway_websocket.frames import DeploymentStatuses
from slipway_websocket.items import Item, _newest
from slipway_websocket.sockets import text_frame

ID = "01a20565-338e-7fb9-b1c8-66861e2594f8"
OTHER = "01a20565-338e-7fb9-b1c8-66861e2594f9"


def payload(frame: bytes) -> Any:
    """The JSON in an unmasked text frame."""
    length = frame[1]
    start = 2 if length < 126 else 4 if length == 126 else 10
    return json.loads(frame[start:])


def test_names_of_channels() -> None:
    assert parse(f"states:{ID}")[0] == Channel("states", ID)
    assert parse(f"logs:{ID.upper()}")[0] == Channel("logs", ID, "run")
    assert parse(f"logs:{ID}:build:{OTHER}")[0] == Channel("logs", ID, "build", OTHER)
    assert parse(f"logs:{ID}", {"kind": "build", "deployment": OTHER})[0] == parse(f"logs:{ID}:build:{OTHER}")[0]
    assert parse(f"logs:{ID}", {"history": 5})[1].history == 5
    assert parse(f"logs:{ID}", {"history": 10**9})[1].history == 1000


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (f"logs:{ID}:other", None),
        (f"logs:{ID}:run:x", None),
        (f"logs:{ID}:run:{OTHER}:more", None),
        (f"states:{ID}:x", None),
        (f"steps:{ID}", None),
        ("logs:" + "*", None),
        (f"logs:{ID}", {"kind": ["run"]}),
        (f"logs:{ID}", {"deployment": 5}),
        (f"logs:{ID}", {"history": -1}),
        (f"logs:{ID}", {"history": True}),
        (f"logs:{ID}\n", None),
    ],
)
def test_what_is_no_channel_is_refused(name: str, data: Any) -> None:
    with pytest.raises(Refused):
        parse(name, data)


@given(st.text(max_size=300), st.none() | st.dictionaries(st.text(max_size=10), st.integers() | st.text(), max_size=3))
def test_any_name_is_a_channel_or_refused(name: str, data: Any) -> None:
    try:
        channel, _ = parse(name, data)
    except Refused:
        return
    assert channel.place_kind


@given(st.text(max_size=200))
def test_any_message_is_commands_or_ends_the_connection(message: str) -> None:
    try:
        found = protocol.commands(message)
    except Ended:
        return
    assert len(found) <= message.count("\n") + 1


def test_many_commands_come_in_one_message() -> None:
    found = protocol.commands('{"id":1,"ping":{}}\n{}\n{"id":2,"subscribe":{"channel":"x","unknown":1}}')
    assert [command.id for command in found] == [1, 0, 2]
    assert found[1] == protocol.Command()


def test_codes_say_whether_to_come_back() -> None:
    every = [value for value in vars(codes).values() if isinstance(value, Disconnect)]
    assert len({one.code for one in every}) == len(every)
    assert {one.comes_back for one in every} == {True, False}
    assert codes.SHUTDOWN.comes_back
    assert not codes.INVALID_TOKEN.comes_back


@given(st.text(max_size=70_000))
def test_a_frame_says_its_length(text: str) -> None:
    data = text.encode()
    frame = text_frame(data)
    assert frame[0] == 0x81
    assert frame.endswith(data)
    sizes = {126: 2, 127: 8}
    extra = sizes.get(frame[1], 0)
    length = int.from_bytes(frame[2 : 2 + extra], "big") if extra else frame[1]
    assert length == len(data) == len(frame) - 2 - extra


def item(sequence: int, text: str = "x") -> Item:
    line = LogLine(sequence=sequence, time_ns=1, stream="stdout", text=text)
    batch = LogBatch(epoch="e", source="s", lines=[line])
    return Item(sequence, "logs.c.e.s.run", batch, msgspec.json.encode(batch))


def test_a_push_is_one_line_of_json() -> None:
    push = protocol.Push('logs:"x"')(item(7, 'quote " and\nnewline'))
    assert b"\n" not in push
    decoded = json.loads(push)["push"]
    assert decoded["channel"] == 'logs:"x"'
    assert (decoded["pub"]["offset"], decoded["pub"]["data"]["lines"][0][3]) == (7, 'quote " and\nnewline')


def test_the_newest_items_within_bounds() -> None:
    items = [item(number) for number in range(10)]
    size = len(items[0].data)
    assert [one.sequence for one in _newest(items, 3, 10**6)] == [7, 8, 9]
    assert [one.sequence for one in _newest(items, 100, 2 * size)] == [8, 9]
    assert [one.sequence for one in _newest(items, 100, 1)] == [9]
    assert _newest([], 3, 10) == []


def deployment(*steps: tuple[str, str, str]) -> Item:
    now = datetime.now(UTC)
    view = DeploymentView(
        id=ID,
        number=1,
        organization_id="o",
        project_id="p",
        environment_id="e",
        action="DEPLOY",
        status="DEPLOYING",
        created_at=now,
        started_at=now,
        steps=[
            StepView(id=uuid7(), service_id=service, service_name="web", kind=kind, stage="apps", state=state)
            for service, kind, state in steps
        ],
    )
    event = Event(
        id="1", organization_id="o", entity="deployment", verb="progressed", entity_id=ID, version=1, at=now,
        body=msgspec.to_builtins(view),
    )  # fmt: skip
    return Item(1, "events.o.deployment.progressed", event, msgspec.json.encode(event))


@pytest.mark.parametrize(
    ("build", "deploy", "state", "stage"),
    [
        ("PENDING", "PENDING", "DEPLOYMENT_QUEUED", "QUEUED"),
        ("RUNNING", "PENDING", "BUILDING", "ONGOING"),
        ("SUCCEEDED", "RUNNING", "DEPLOYING", "ONGOING"),
        ("SUCCEEDED", "SUCCEEDED", "DEPLOYED", "DONE"),
        ("FAILED", "SKIPPED", "BUILD_ERROR", "ERROR"),
        ("SUCCEEDED", "FAILED", "DEPLOYMENT_ERROR", "ERROR"),
        ("CANCELED", "SKIPPED", "CANCELED", "CANCELED"),
    ],
)
def test_steps_become_the_references_states(build: str, deploy: str, state: str, stage: str) -> None:
    frame = payload(DeploymentStatuses()(deployment(("s1", "build", build), ("s1", "deploy", deploy))))
    told = frame["stages"][0]
    assert (told["applications"][0]["id"], told["applications"][0]["state"]) == ("s1", state)
    assert told["stage"]["status"] == stage
