"""A running deployment under lost, doubled, delayed and reordered reports, dying engines, cancels and the clock.

Nothing is released before what it needs or twice, what ended stays ended, nothing begins after a failure or a cancel,
and whatever happened: left to the clock alone, every deployment ends.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from slipway_contracts.tasks import Report, TaskState
from slipway_core import deadlines, machine, progress
from slipway_core.machine import STEP_ENDED, STEP_FINE, Action, Phase, State, StepState
from slipway_core.progress import Run, Step

START = datetime(2026, 1, 1, tzinfo=UTC)
RESULTS = (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELED, TaskState.REFUSED)


def step(id: str, kind: str, wave: int, depends_on: list[str]) -> Step:
    return Step(
        id=id,
        deployment_id="d",
        service_id=id.split(".")[-1],
        service_name=id,
        service_kind="APPLICATION",
        kind=kind,
        wave=wave,
        stage=f"stage {wave}",
        depends_on=depends_on,
    )


class Engines(RuleBasedStateMachine):
    @initialize(
        stages=st.lists(st.integers(2, 4), min_size=1, max_size=4),
        action=st.sampled_from([Action.DEPLOY, Action.STOP, Action.DELETE, Action.RESTART]),
        builds=st.booleans(),
        limit=st.integers(1, 3),
        known=st.booleans(),
    )
    def begin(self, stages: list[int], action: Action, builds: bool, limit: int, known: bool) -> None:
        self.now = START
        self.flying: list[Report] = []
        self.deliveries: dict[str, int] = {}
        self.sequences: dict[tuple[str, int], int] = {}
        self.released: list[str] = []
        self.ended: dict[str, StepState] = {}
        self.gave_up = False
        self.seen_at: datetime | None = START if known else None
        self.fence = 0
        builds = builds and action is Action.DEPLOY
        steps = [step(f"build.{n}", "build", 1, []) for n in range(len(stages))] if builds else []
        steps += [
            step(f"do.{n}", action.value.lower(), wave, [f"build.{n}"] if builds else [])
            for n, wave in enumerate(stages)
        ]
        self.run = Run(
            id="d",
            environment_id="e",
            action=action,
            status=machine.WORDS[action].waiting,
            steps=steps,
            status_at=START,
            created_at=START,
            started_at=START,
            max_builds=limit,
            max_deploys=limit,
            engine_known=known,
        )
        self.advance()

    def advance(self) -> None:
        before = {one.id for one in self.run.steps if one.state is StepState.PENDING}
        stopped = self.gave_up or self.run.failed() is not None
        for one in progress.advance(self.run, self.now):
            assert not stopped, "released after a failure or a cancel"
            assert one.id in before
            assert one.id not in self.released, "released twice"
            for other in self.run.steps:
                if other.wave < one.wave or other.id in one.depends_on:
                    assert other.state in STEP_FINE, "released before what it needs"
            self.released.append(one.id)
            self.fence += 1
            one.task_id, one.fence = f"task {one.id}", self.fence
            self.deliveries[one.id] = 0
        self.run.orders.clear()

    def tasks(self) -> list[Step]:
        return [one for one in self.run.steps if one.id in self.released]

    def report(self, one: Step, delivery: int, state: TaskState, **fields: Any) -> None:
        key = (one.id, delivery)
        self.sequences[key] = self.sequences.get(key, 0) + 1
        known: dict[str, Any] = {"fence": one.fence, "sequence": self.sequences[key]} | fields
        self.flying.append(
            Report(
                cluster_id="c",
                engine_id="engine",
                task_id=one.task_id,
                step_id=one.id,
                deployment_id="d",
                service_id=one.service_id,
                delivery=delivery,
                state=state,
                message="m",
                at=self.now,
                **known,
            )
        )

    @precondition(lambda self: self.released)
    @rule(data=st.data(), at_once=st.booleans())
    def an_engine_takes_a_task(self, data: st.DataObject, at_once: bool) -> None:
        one = data.draw(st.sampled_from([one for one in self.tasks() if not one.ended] or self.tasks()))
        self.deliveries[one.id] += 1
        self.report(one, self.deliveries[one.id], TaskState.STARTED)
        if at_once:
            self.arrives(self.flying.pop())

    @precondition(lambda self: any(self.deliveries.values()))
    @rule(
        data=st.data(),
        state=st.sampled_from([TaskState.PROGRESS, TaskState.SUCCEEDED, *RESULTS]),
        at_once=st.booleans(),
    )
    def an_engine_reports(self, data: st.DataObject, state: TaskState, at_once: bool) -> None:
        """Also an engine that lost its lease long ago."""
        taken = [one for one in self.tasks() if self.deliveries[one.id]]
        one = data.draw(st.sampled_from([one for one in taken if not one.ended] or taken))
        self.report(one, data.draw(st.integers(1, self.deliveries[one.id])), state)
        if at_once:
            self.arrives(self.flying.pop())

    @precondition(lambda self: self.released)
    @rule(data=st.data(), state=st.sampled_from(list(TaskState)))
    def somebody_reports_under_an_old_fence(self, data: st.DataObject, state: TaskState) -> None:
        one = data.draw(st.sampled_from(self.tasks()))
        self.report(one, 9, state, fence=one.fence - 1)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), keep=st.booleans())
    def a_report_arrives(self, data: st.DataObject, keep: bool) -> None:
        report = data.draw(st.sampled_from(self.flying))
        if not keep:
            self.flying.remove(report)
        self.arrives(report)

    def arrives(self, report: Report) -> None:
        one = self.run.of_task(report.task_id)
        assert one is not None
        stale = one.ended or report.fence != one.fence or report.delivery < one.delivery
        if self.run.ended_at is not None:
            return
        news = progress.apply(self.run, report, self.now)
        assert not (stale and news), "old news had an effect"
        if news:
            assert not progress.apply(self.run, report, self.now), "the same report twice had two effects"
            self.advance()

    @rule(forced=st.booleans())
    def somebody_cancels(self, forced: bool) -> None:
        if self.run.ended_at is None and progress.cancel(self.run, forced, "canceled by Ada", self.now):
            self.gave_up = True
            self.advance()

    @rule(seconds=st.sampled_from([1, 20, 40, 130, 700, 4000]), alive=st.booleans())
    def time_passes(self, seconds: int, alive: bool) -> None:
        self.now += timedelta(seconds=seconds)
        if alive:
            self.seen_at = self.now
            self.run.engine_known = True
        self.look()

    def look(self) -> None:
        if self.run.ended_at is None:
            deadlines.look(self.run, self.now, self.seen_at, "local")
            self.advance()

    @invariant()
    def what_ended_stays_ended(self) -> None:
        if not hasattr(self, "run"):
            return
        for one in self.run.steps:
            assert self.ended.get(one.id, one.state) is one.state
            if one.ended:
                assert one.ended_at is not None
                self.ended[one.id] = one.state
        if self.run.failed() is not None:
            self.gave_up = True

    @invariant()
    def it_has_ended_when_all_steps_have_and_only_then(self) -> None:
        if not hasattr(self, "run"):
            return
        over = all(one.state in STEP_ENDED for one in self.run.steps)
        assert over == (self.run.ended_at is not None)
        assert over == (machine.STATES[self.run.status].phase is Phase.ENDED)
        assert over == (self.run.due_at is None)

    @invariant()
    def the_limits_hold(self) -> None:
        if hasattr(self, "run"):
            active = [one.kind == "build" for one in self.run.active()]
            assert active.count(True) <= self.run.max_builds
            assert active.count(False) <= self.run.max_deploys

    @invariant()
    def what_it_says_is_true(self) -> None:
        if not hasattr(self, "run") or self.run.ended_at is None:
            return
        failed = self.run.failed()
        if self.run.status in machine.DONE:
            assert all(one.state in STEP_FINE for one in self.run.steps)
        elif self.run.status is State.CANCELED:
            assert self.run.cancel
        elif failed is not None:
            assert failed.service_name in self.run.reason

    def teardown(self) -> None:
        """Left to the clock alone it ends."""
        if not hasattr(self, "run"):
            return
        for _ in range(2000):
            if self.run.ended_at is not None:
                return
            assert self.run.due_at is not None
            self.now = max(self.run.due_at, self.now + timedelta(seconds=1))
            self.look()
        raise AssertionError(f"still {self.run.status} after {self.now - START}")


TestEngines = Engines.TestCase
TestEngines.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
