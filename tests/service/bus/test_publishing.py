"""Publishing: durable when it returns, bounded, and with a limit on every wait."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import structlog

from slipway_bus import Outgoing
from slipway_bus.listening import FaultAnswer, fault_of_answer
from slipway_bus.tracing import REQUEST_ID
from slipway_contracts.git import GIT_PUSHED, Push
from slipway_contracts.places import LOCATE, Locate, Place
from slipway_errors import Fault, Forbidden, Kind, NotFound, TooLarge, Unavailable

Rig = Any


def push(number: int) -> Push:
    return Push(
        link_id="l",
        delivery_id=str(number),
        provider="github",
        organization_id="o",
        repository="a/b",
        clone_url="https://example.org/a/b",
        ref="refs/heads/main",
        before="0" * 40,
        after=f"{number:040}",
        received_at=datetime.now(UTC),
    )


async def test_the_same_id_is_kept_once(rig: Rig) -> None:
    async with rig.connect_as("webhooks") as bus:
        first = await bus.publish(GIT_PUSHED, push(1), id="same", provider="github")
        assert await bus.publish(GIT_PUSHED, push(1), id="same", provider="github") == first
        assert await bus.publish(GIT_PUSHED, push(1), id="other", provider="github") == first + 1


async def test_a_batch_is_kept_in_order(rig: Rig) -> None:
    async with rig.connect_as("webhooks") as bus:
        sequences = await bus.publish_many(
            Outgoing(GIT_PUSHED, push(number), {"provider": "gitea"}) for number in range(3000)
        )
        assert sequences == list(range(sequences[0], sequences[0] + 3000))
        kept = [stored.message.delivery_id async for stored in bus.history(GIT_PUSHED, provider="gitea")]
        assert kept == [str(number) for number in range(3000)]


async def test_a_batch_says_what_failed_and_sends_the_rest(rig: Rig) -> None:
    async with rig.connect_as("webhooks") as bus:
        huge = msgspec.structs.replace(push(1), ref="x" * 9_000_000)
        with pytest.raises(TooLarge):
            await bus.publish_many(
                [
                    Outgoing(GIT_PUSHED, push(1), {"provider": "batch"}),
                    Outgoing(GIT_PUSHED, huge, {"provider": "batch"}),
                    Outgoing(GIT_PUSHED, push(2), {"provider": "batch"}),
                ]
            )
        kept = [stored.message.delivery_id async for stored in bus.history(GIT_PUSHED, provider="batch")]
        assert kept == ["1", "2"]


async def test_what_the_stream_does_not_take_is_a_fault(rig: Rig) -> None:
    async with rig.connect_as("webhooks") as bus:
        with pytest.raises(Unavailable, match="message size"):
            await bus.publish_raw("git.github.push", b"x" * 2_000_000)


async def test_an_id_that_widens_a_subject_is_refused(rig: Rig) -> None:
    async with rig.connect_as("webhooks") as bus:
        for provider in ("a.b", "*", ">", "a b", ""):
            with pytest.raises(ValueError, match="can't stand in a subject"):
                await bus.publish(GIT_PUSHED, push(1), provider=provider)


async def test_trace_and_request_id_travel(rig: Rig) -> None:
    async with rig.connect_as("webhooks") as bus:
        with structlog.contextvars.bound_contextvars(request_id="r-1"):
            await bus.publish(GIT_PUSHED, push(1), headers={"traceparent": "00-1-2-01"}, provider="traced")
        kept = await bus.last(GIT_PUSHED, provider="traced")
        assert kept is not None
        assert kept.headers[REQUEST_ID] == "r-1"
        assert kept.headers["traceparent"] == "00-1-2-01"


async def test_history_starts_where_it_is_told(rig: Rig) -> None:
    async with rig.connect_as("webhooks") as bus:
        first = await bus.publish(GIT_PUSHED, push(1), provider="history")
        between = datetime.now(UTC)
        await bus.publish(GIT_PUSHED, push(2), provider="history")
        await bus.publish(GIT_PUSHED, push(3), provider="history")

        async def ids(**how: Any) -> list[str]:
            return [one.message.delivery_id async for one in bus.history(GIT_PUSHED, provider="history", **how)]

        assert await ids() == ["1", "2", "3"]
        assert await ids(after_sequence=first) == ["2", "3"]
        assert await ids(since=between) == ["2", "3"]
        assert await ids(limit=2) == ["1", "2"]
        assert await ids(after_sequence=10**9) == []
        last = await bus.last(GIT_PUSHED, provider="history")
        assert last is not None
        assert last.message.delivery_id == "3"
        assert await bus.last(GIT_PUSHED, provider="nobody") is None


async def test_what_may_not_be_read_is_refused_at_once(rig: Rig) -> None:
    async with rig.connect_as("scheduler") as bus:
        with pytest.raises(Forbidden):
            async with asyncio.timeout(2):
                await bus.last(GIT_PUSHED, provider="github")
        with pytest.raises(Forbidden):
            async with asyncio.timeout(2):
                [one async for one in bus.history(GIT_PUSHED)]


async def test_a_request_is_answered_or_its_fault_raised(rig: Rig) -> None:
    async def locate(asked: Locate, ids: dict[str, str]) -> Place:
        if asked.id == "bug":
            raise RuntimeError("secret detail")
        if asked.id == "gone":
            raise NotFound("There is no such service.", id="gone")
        return Place(name=asked.id)

    async with rig.connect_as("core") as core, rig.connect_as("websocket") as edge:
        with pytest.raises(Unavailable):
            await edge.request(LOCATE, Locate(kind="service", id="x"), Place)
        serving = await core.serve(LOCATE, locate)
        answers = [edge.request(LOCATE, Locate(kind="service", id=str(i)), Place) for i in range(100)]
        assert [place.name for place in await asyncio.gather(*answers)] == [str(i) for i in range(100)]
        with pytest.raises(NotFound) as found:
            await edge.request(LOCATE, Locate(kind="service", id="gone"), Place)
        assert (found.value.detail, found.value.facts, found.value.code) == (
            "There is no such service.",
            {"id": "gone"},
            "not_found",
        )
        with pytest.raises(Fault) as bug:
            await edge.request(LOCATE, Locate(kind="service", id="bug"), Place)
        assert type(bug.value) is Fault
        assert "secret" not in bug.value.detail
        await serving.unsubscribe()


async def test_a_request_can_not_have_its_answer_published_elsewhere(rig: Rig) -> None:
    asked: list[str] = []

    async def locate(message: Locate, ids: dict[str, str]) -> Place:
        asked.append(message.id)
        return Place()

    async with rig.connect_as("core") as core, rig.connect_as("websocket") as edge:
        serving = await core.serve(LOCATE, locate)
        await edge.client.publish("places.locate", b'{"kind":"service","id":"evil"}', reply="tasks.one")
        await edge.request(LOCATE, Locate(kind="service", id="honest"), Place)
        assert asked == ["honest"]
        await serving.unsubscribe()


class Odd(Fault):
    """A fault of some library, with a constructor of its own."""

    kind = Kind.UNAVAILABLE
    code = "odd"

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        super().__init__(detail)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_fault_comes_back_as_its_class(kind: Kind) -> None:
    answer = FaultAnswer(kind=kind.value, code="x.y", detail="So it is.", facts={"n": 1})
    fault = fault_of_answer(msgspec.json.encode(answer))
    assert (fault.kind, fault.code, fault.detail, fault.facts) == (kind, "x.y", "So it is.", {"n": 1})
    assert type(fault).__module__ == "slipway_errors"
