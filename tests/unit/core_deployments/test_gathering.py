"""Group commit: everybody hears about their own message, one bad message spoils no other, nobody is forgotten."""

import asyncio
from collections.abc import Sequence

import pytest

from slipway_core.gathering import Gathered


class Handled:
    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()

    async def handle(self, app: None, messages: Sequence[int]) -> None:
        await self.gate.wait()
        self.batches.append(list(messages))
        if 13 in messages:
            raise ValueError("13")


async def test_what_comes_meanwhile_becomes_one_batch() -> None:
    handled = Handled()
    gathered: Gathered[None, int] = Gathered(handled.handle)
    calls = [asyncio.create_task(gathered(None, number)) for number in range(10)]
    await asyncio.sleep(0)
    handled.gate.set()
    await asyncio.gather(*calls)
    assert handled.batches == [[0], list(range(1, 10))]


async def test_a_batch_has_a_limit() -> None:
    handled = Handled()
    gathered: Gathered[None, int] = Gathered(handled.handle, most=4)
    calls = [asyncio.create_task(gathered(None, number)) for number in range(10)]
    await asyncio.sleep(0)
    handled.gate.set()
    await asyncio.gather(*calls)
    assert [len(batch) for batch in handled.batches] == [1, 4, 4, 1]


async def test_one_bad_message_spoils_no_other() -> None:
    handled = Handled()
    handled.gate.set()
    gathered: Gathered[None, int] = Gathered(handled.handle)
    outcomes = await asyncio.gather(*(gathered(None, n) for n in (1, 13, 2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None)]


async def test_who_is_cancelled_takes_nobody_along() -> None:
    handled = Handled()
    gathered: Gathered[None, int] = Gathered(handled.handle)
    first = asyncio.create_task(gathered(None, 1))
    second = asyncio.create_task(gathered(None, 2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    handled.gate.set()
    await asyncio.wait_for(second, 5)
    assert 2 in handled.batches[-1]
