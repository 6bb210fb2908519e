"""How long it may take: medians of past runs, wave by wave, never invented, never over before it is over."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_core import estimates
from slipway_core.machine import Action, State, StepState
from slipway_core.planner import PlannedStep
from slipway_core.progress import Run, Step

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def planned(service: str, kind: str, wave: int) -> PlannedStep:
    return PlannedStep(f"{kind}.{service}", kind, wave, "stage", service, service)


def step(service: str, kind: str, wave: int, **fields: Any) -> Step:
    return Step(f"{kind}.{service}", "d", service, service, "APPLICATION", kind, wave, "stage", **fields)


def run(*steps: Step, **fields: Any) -> Run:
    known: dict[str, Any] = {"started_at": NOW - timedelta(seconds=10), "created_at": NOW} | fields
    return Run("d", "e", Action.DEPLOY, State.BUILDING, list(steps), **known)


def test_builds_go_side_by_side_and_what_comes_after_waits_for_the_slowest() -> None:
    durations = {("a", "build"): [30.0, 10.0, 500.0], ("b", "build"): [50.0], ("a", "deploy"): [4.0]}
    steps = [planned("a", "build", 1), planned("b", "build", 1), planned("a", "deploy", 2)]
    forecast = estimates.of_plan(steps, durations, 4, 8)
    assert [timing.begins_seconds for timing in forecast.steps.values()] == [0, 0, 50]
    assert (forecast.total_seconds, forecast.complete) == (54, True)


def test_a_limit_makes_builds_wait_for_each_other() -> None:
    durations = {(name, "build"): [10.0] for name in "abc"}
    forecast = estimates.of_plan([planned(name, "build", 1) for name in "abc"], durations, 1, 8)
    assert [timing.begins_seconds for timing in forecast.steps.values()] == [0, 10, 20]
    assert forecast.total_seconds == 30


def test_nothing_is_made_up_for_what_never_ran() -> None:
    forecast = estimates.of_plan([planned("a", "build", 1), planned("a", "deploy", 2)], {("a", "deploy"): [4.0]}, 4, 8)
    assert forecast.steps["build.a"].lasts_seconds is None
    assert (forecast.total_seconds, forecast.complete) == (4, False)
    one = step("a", "deploy", 2, state=StepState.RUNNING, started_at=NOW)
    assert (estimates.percent(one, NOW), estimates.remaining_seconds(one, NOW)) == (None, None)
    assert estimates.percent_of_run(run(one), NOW) is None


@pytest.mark.parametrize(("seconds", "percent", "left"), [(0, 0, 20), (5, 25, 15), (19, 95, 1), (90, 99, 0)])
def test_a_running_step_moves_with_time_and_is_never_done_before_it_is(seconds: int, percent: int, left: float) -> None:
    one = step("a", "deploy", 2, state=StepState.RUNNING, started_at=NOW, estimated_seconds=20.0)
    at = NOW + timedelta(seconds=seconds)
    assert (estimates.percent(one, at), estimates.remaining_seconds(one, at)) == (percent, left)


def test_what_the_engine_says_counts_more_than_time() -> None:
    one = step("a", "build", 1, state=StepState.RUNNING, started_at=NOW, estimated_seconds=20.0, percent=70)
    assert estimates.percent(one, NOW) == 70


def test_the_rest_of_a_deployment() -> None:
    done = step("a", "build", 1, state=StepState.SUCCEEDED, ended_at=NOW, estimated_seconds=30.0)
    running = step("b", "build", 1, state=StepState.RUNNING, started_at=NOW - timedelta(seconds=10))
    running.estimated_seconds = 40.0
    waits = step("a", "deploy", 2, estimated_seconds=10.0)
    one = run(done, running, waits)
    assert estimates.of_run(one, NOW).total_seconds == 40
    assert estimates.percent_of_run(one, NOW) == 20
    assert estimates.percent_of_run(run(done, ended_at=NOW), NOW) == 100


@given(
    st.lists(st.tuples(st.integers(1, 4), st.floats(0, 1000), st.booleans()), max_size=12),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_a_forecast_keeps_the_waves_and_the_limits(
    pieces: list[tuple[int, float, bool]], builds: int, deploys: int
) -> None:
    steps, durations = [], {}
    for number, (wave, seconds, build) in enumerate(pieces):
        kind = "build" if build else "deploy"
        steps.append(planned(f"s{number}", kind, wave))
        durations[f"s{number}", kind] = [seconds]
    forecast = estimates.of_plan(steps, durations, builds, deploys)
    spans = [(one.wave, one.kind, forecast.steps[one.key]) for one in steps]
    for wave, kind, timing in spans:
        assert timing.lasts_seconds is not None
        assert timing.begins_seconds + timing.lasts_seconds <= forecast.total_seconds + 1e-6
        beside = 0
        for other_wave, other_kind, other in spans:
            assert other.lasts_seconds is not None
            if other_wave < wave:
                assert other.begins_seconds + other.lasts_seconds <= timing.begins_seconds + 1e-6
            ends = other.begins_seconds + other.lasts_seconds
            beside += other_kind == kind and other.begins_seconds <= timing.begins_seconds < ends
        assert beside <= (builds if kind == "build" else deploys)
