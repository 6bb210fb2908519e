"""How long a deployment is likely to take, by how long its steps took before. Pure.

A guess is the median of a step's last good runs, so that one slow download doesn't spoil it; what never ran has none,
and nothing is made up for it.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from slipway_contracts.tasks import TaskKind
from slipway_core.machine import StepState
from slipway_core.planner import PlannedStep
from slipway_core.progress import Run, Step

Durations = Mapping[tuple[str, str], Sequence[float]]
"""(service id, kind of step) → seconds of its last runs."""
MOST_PERCENT = 99
"""What has not ended is never shown as done."""


@dataclass(frozen=True)
class Timing:
    """When a step is likely to begin, counted from now, and how long it lasts; None: it never ran before."""

    begins_seconds: float
    lasts_seconds: float | None


@dataclass(frozen=True)
class Forecast:
    steps: dict[str, Timing]
    """By key or id of the step."""
    total_seconds: float
    complete: bool
    """False: some steps never ran before; they are counted as nothing."""


@dataclass(frozen=True)
class _Piece:
    key: str
    wave: int
    builds: bool
    seconds: float | None
    running: bool = False


def guess(durations: Durations, service_id: str, kind: str) -> float | None:
    """How long such a step is likely to take."""
    known = durations.get((service_id, kind))
    return float(median(known)) if known else None


def of_plan(steps: Sequence[PlannedStep], durations: Durations, max_builds: int, max_deploys: int) -> Forecast:
    """The likely course of a plan that begins now."""
    pieces = [
        _Piece(step.key, step.wave, step.kind == TaskKind.BUILD, guess(durations, step.service_id, step.kind))
        for step in steps
    ]
    return _forecast(pieces, max_builds, max_deploys)


def of_run(run: Run, now: datetime) -> Forecast:
    """The likely rest of a running deployment."""
    pieces = [
        _Piece(
            step.id,
            step.wave,
            step.kind == TaskKind.BUILD,
            remaining_seconds(step, now),
            running=step.state is StepState.RUNNING,
        )
        for step in run.steps
        if not step.ended
    ]
    return _forecast(pieces, run.max_builds, run.max_deploys)


def _forecast(pieces: Sequence[_Piece], max_builds: int, max_deploys: int) -> Forecast:
    """Wave after wave; inside a wave as many side by side as the cluster takes, what runs already first."""
    timings: dict[str, Timing] = {}
    clock = 0.0
    for wave in sorted({piece.wave for piece in pieces}):
        ends = clock
        slots = {True: [clock] * max_builds, False: [clock] * max_deploys}
        for piece in sorted((one for one in pieces if one.wave == wave), key=lambda one: not one.running):
            begins = heapq.heappop(slots[piece.builds])
            timings[piece.key] = Timing(begins, piece.seconds)
            heapq.heappush(slots[piece.builds], begins + (piece.seconds or 0.0))
            ends = max(ends, begins + (piece.seconds or 0.0))
        clock = ends
    return Forecast(timings, clock, all(piece.seconds is not None for piece in pieces))


def remaining_seconds(step: Step, now: datetime) -> float | None:
    """What is likely left of a step; 0 when it takes longer than usual already, None when nobody knows."""
    if step.ended:
        return 0.0
    if step.estimated_seconds is None:
        return None
    if step.state is not StepState.RUNNING or step.started_at is None:
        return step.estimated_seconds
    return max(0.0, step.estimated_seconds - (now - step.started_at).total_seconds())


def percent(step: Step, now: datetime) -> int | None:
    """How far a step is: what its engine says, or else by time; None when nobody knows."""
    if step.ended or step.percent is not None:
        return step.percent
    left = remaining_seconds(step, now)
    if step.state is not StepState.RUNNING or left is None or not step.estimated_seconds:
        return None
    return min(MOST_PERCENT, int(100 * (1 - left / step.estimated_seconds)))


def percent_of_run(run: Run, now: datetime) -> int | None:
    """How far a deployment is, by time; None when it hasn't begun or steps of it never ran before."""
    if run.ended_at is not None:
        return 100
    if run.started_at is None:
        return None
    rest = of_run(run, now)
    gone = (now - run.started_at).total_seconds()
    if not rest.complete or gone + rest.total_seconds <= 0:
        return None
    return min(MOST_PERCENT, int(100 * gone / (gone + rest.total_seconds)))
