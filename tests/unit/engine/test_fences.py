"""Fences: whatever engines do in whatever order, only the holder of the highest fence changes anything."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway_engine.fences import Fence, Mark, may_claim
from slipway_engine.problems import Fenced
from slipway_errors import Unavailable

MARKS = st.builds(
    Mark,
    fence=st.integers(1, 4),
    delivery=st.integers(1, 3),
    task_id=st.just("t"),
    engine_id=st.sampled_from(["a", "b"]),
)


def mark(fence: int, delivery: int = 1, engine: str = "a") -> Mark:
    return Mark(fence=fence, delivery=delivery, task_id="t", engine_id=engine)


@given(MARKS, MARKS)
def test_of_two_marks_at_most_one_may_take_over_from_the_other(one: Mark, two: Mark) -> None:
    if one != two:
        assert not (may_claim(one, two) and may_claim(two, one))
    assert may_claim(one, one)


@given(st.lists(st.tuples(MARKS, st.booleans()), max_size=12))
@settings(deadline=None, max_examples=60)
def test_an_effect_happens_only_under_the_highest_claim(steps: list[tuple[Mark, bool]]) -> None:
    """Each step: an engine claims, or (with an older claim in hand) goes straight to an effect."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "s"
            highest = Mark()
            for wanted, claims in steps:
                fence = Fence(path, wanted)
                try:
                    if claims:
                        await fence.claim()
                        assert may_claim(highest, wanted)
                        highest = wanted
                    async with fence.held():
                        assert wanted == highest
                except Fenced:
                    assert wanted != highest

    asyncio.run(run())


async def test_a_later_delivery_of_the_same_task_takes_over(tmp_path: Path) -> None:
    first, second = Fence(tmp_path / "s", mark(3)), Fence(tmp_path / "s", mark(3, 2, "b"))
    await first.claim()
    await second.claim()
    with pytest.raises(Fenced):
        await first.check()
    with pytest.raises(Fenced):
        await first.claim()
    await second.check()


async def test_the_same_engine_goes_on_under_a_new_delivery(tmp_path: Path) -> None:
    fence = Fence(tmp_path / "s", mark(3))
    await fence.claim()
    await fence.claim(delivery=2)
    await fence.check()
    assert fence.mark.number == (3, 2)


async def test_who_holds_the_lock_is_waited_for_and_not_for_ever(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("slipway_engine.fences.LOCK_SECONDS", 0.2)
    one, two = Fence(tmp_path / "s", mark(1)), Fence(tmp_path / "s", mark(2))
    await one.claim()
    async with one.held():
        with pytest.raises(Unavailable, match="holds the lock"):
            await two.claim()
    await two.claim()


async def test_without_a_claim_nothing_may_be_changed(tmp_path: Path) -> None:
    with pytest.raises(Fenced):
        async with Fence(tmp_path / "s", mark(1)).held():
            pytest.fail("inside")
