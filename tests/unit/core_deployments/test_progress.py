"""Single reports, orders and limits, each with the words that a user sees."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slipway_contracts.tasks import Report, TaskState
from slipway_core import deadlines, machine, progress
from slipway_core.machine import Action, State, StepState
from slipway_core.progress import Run, Step

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def deployment(action: Action = Action.DEPLOY, kinds: tuple[str, ...] = ("build", "deploy")) -> Run:
    steps = [
        Step(
            id=kind,
            deployment_id="d",
            service_id="web",
            service_name="web",
            service_kind="APPLICATION",
            kind=kind,
            wave=wave,
            stage="stage",
        )
        for wave, kind in enumerate(kinds)
    ]
    run = Run(
        id="d",
        environment_id="e",
        action=action,
        status=machine.WORDS[action].waiting,
        steps=steps,
        status_at=NOW,
        started_at=NOW,
    )
    send(run, NOW)
    return run


def send(run: Run, now: datetime) -> None:
    for step in progress.advance(run, now):
        step.task_id, step.fence = f"task-{step.id}", 7


def report(run: Run, step: str, state: TaskState, *, at: datetime = NOW, **fields: Any) -> bool:
    known: dict[str, Any] = {"fence": 7, "delivery": 1, "sequence": 1} | fields
    taken = progress.apply(
        run,
        Report(
            cluster_id="c",
            engine_id="e1",
            task_id=f"task-{step}",
            step_id=step,
            deployment_id="d",
            service_id="web",
            state=state,
            at=at,
            **known,
        ),
        at,
    )
    if taken:
        send(run, at)
    return taken


def later(**parts: float) -> datetime:
    return NOW + timedelta(**parts)


def state(run: Run, id: str) -> StepState:
    return next(step.state for step in run.steps if step.id == id)


def test_a_deployment_goes_through_its_states() -> None:
    run = deployment()
    assert run.status is State.WAITING_RUNNING
    report(run, "build", TaskState.STARTED)
    assert run.status is State.BUILDING
    report(run, "build", TaskState.SUCCEEDED, sequence=2, artifact="release-1")
    assert (run.status, state(run, "deploy")) == (State.BUILDING, StepState.READY)
    report(run, "deploy", TaskState.STARTED)
    assert run.status is State.DEPLOYING
    report(run, "deploy", TaskState.SUCCEEDED, sequence=2)
    assert (run.status, run.ended_at, run.due_at, run.reason) == (State.DEPLOYED, NOW, None, "")


def test_a_success_that_overtakes_its_start_counts() -> None:
    run = deployment()
    assert report(run, "build", TaskState.SUCCEEDED, sequence=3)
    assert not report(run, "build", TaskState.STARTED)
    assert state(run, "build") is StepState.SUCCEEDED


def test_progress_that_arrives_late_does_not_go_back() -> None:
    run = deployment()
    report(run, "build", TaskState.PROGRESS, sequence=5, percent=80)
    assert not report(run, "build", TaskState.PROGRESS, sequence=4, percent=60)
    assert run.steps[0].percent == 80


def test_an_engine_that_lost_its_lease_is_not_believed_any_more() -> None:
    run = deployment()
    report(run, "build", TaskState.STARTED, delivery=2)
    assert not report(run, "build", TaskState.SUCCEEDED, delivery=1, sequence=9)
    assert not report(run, "build", TaskState.FAILED, delivery=1, sequence=9)
    assert state(run, "build") is StepState.RUNNING


def test_an_old_fence_has_no_effect() -> None:
    run = deployment()
    assert not report(run, "build", TaskState.FAILED, fence=6)
    assert state(run, "build") is StepState.READY


def test_a_failure_says_what_failed_and_stops_what_has_not_begun() -> None:
    run = deployment()
    report(run, "build", TaskState.FAILED, code="build.failed", message="pip ended with 1", details="no such package")
    assert run.status is State.BUILD_ERROR
    assert run.reason == "web could not be built: pip ended with 1"
    assert (run.steps[0].code, run.steps[0].details) == ("build.failed", "no such package")
    assert (run.steps[1].state, run.steps[1].message) == (StepState.CANCELED, "not begun: web failed before")


def test_others_that_have_begun_finish_before_a_failed_deployment_ends() -> None:
    run = deployment(Action.STOP, ("stop",))
    second = Step(
        id="other",
        deployment_id="d",
        service_id="db",
        service_name="db",
        service_kind="",
        kind="stop",
        wave=0,
        stage="s",
    )
    run.steps.append(second)
    send(run, NOW)
    report(run, "stop", TaskState.FAILED, message="it would not die")
    assert (run.status, run.ended_at) == (State.WAITING_STOPPING, None)
    report(run, "other", TaskState.SUCCEEDED)
    assert (run.status, run.reason) == (State.STOP_ERROR, "web could not be stopped: it would not die")


def test_too_many_lost_engines_end_a_step_and_the_last_one_is_told() -> None:
    run = deployment()
    for delivery in range(1, machine.MAX_DELIVERIES + 1):
        assert report(run, "build", TaskState.STARTED, delivery=delivery)
    assert state(run, "build") is StepState.RUNNING
    report(run, "build", TaskState.STARTED, delivery=machine.MAX_DELIVERIES + 1)
    assert (state(run, "build"), run.steps[0].code) == (StepState.FAILED, "engine.lost")
    assert [step.id for step in run.orders] == ["build"]


def test_the_last_engines_result_counts_even_after_many_were_lost() -> None:
    run = deployment()
    report(run, "build", TaskState.SUCCEEDED, delivery=machine.MAX_DELIVERIES + 1)
    assert state(run, "build") is StepState.SUCCEEDED


def test_a_cancel_is_acknowledged_by_the_engine() -> None:
    run = deployment()
    report(run, "build", TaskState.STARTED)
    assert progress.cancel(run, False, "canceled by Ada", NOW)
    send(run, NOW)
    assert (run.status, [step.id for step in run.orders]) == (State.CANCELING, ["build"])
    assert not progress.cancel(run, False, "canceled by Ada", NOW)
    report(run, "build", TaskState.CANCELED, sequence=2)
    assert (run.status, run.reason) == (State.CANCELED, "canceled by Ada")


def test_an_engine_that_does_not_acknowledge_is_forced_and_then_given_up() -> None:
    run = deployment()
    report(run, "build", TaskState.STARTED)
    progress.cancel(run, False, "canceled by Ada", NOW)
    send(run, NOW)
    run.orders.clear()
    deadlines.look(run, later(seconds=31), later(seconds=30), "local")
    assert [(step.id, step.cancel) for step in run.orders] == [("build", "forced")]
    deadlines.look(run, later(seconds=62), later(seconds=60), "local")
    send(run, later(seconds=62))
    assert run.status is State.CANCELED
    assert "did not acknowledge" in run.steps[0].message


def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    run = deployment(Action.STOP, ("stop",))
    report(run, "stop", TaskState.STARTED)
    progress.cancel(run, False, "canceled by Ada", NOW)
    send(run, NOW)
    report(run, "stop", TaskState.SUCCEEDED, sequence=2)
    assert run.status is State.STOPPED


def test_a_silent_cluster_is_named_and_then_unavailable_and_then_an_error() -> None:
    run = deployment()
    deadlines.look(run, later(seconds=50), NOW, "local")
    assert (run.status, run.reason) == (State.WAITING_RUNNING, "no engine of cluster local has reported for 1 min")
    deadlines.look(run, later(minutes=2), NOW, "local")
    assert (run.status, run.reason) == (State.UNAVAILABLE, "no engine of cluster local has reported for 2 min")
    deadlines.look(run, later(minutes=63), NOW, "local")
    send(run, later(minutes=63))
    assert run.status in (State.DEPLOYMENT_ERROR, State.BUILD_ERROR)
    assert "engine" in run.reason


def test_a_cluster_that_comes_back_goes_on() -> None:
    run = deployment()
    deadlines.look(run, later(minutes=3), NOW, "local")
    assert run.status is State.UNAVAILABLE
    deadlines.look(run, later(minutes=4), later(minutes=4), "local")
    assert run.status is State.WAITING_RUNNING
    assert "waits for a free engine" in run.reason
    report(run, "build", TaskState.STARTED, at=later(minutes=4))
    assert (run.status, run.reason) == (State.BUILDING, "")


def test_a_cluster_whose_engine_never_came_says_so_and_gets_nothing() -> None:
    run = deployment()
    run.engine_known = False
    for step in run.steps:
        step.state, step.task_id = StepState.PENDING, ""
    assert progress.advance(run, NOW) == []
    deadlines.look(run, later(minutes=3), None, "local")
    assert (run.status, run.reason) == (State.UNAVAILABLE, "no engine of cluster local has ever reported")


def test_a_step_that_takes_too_long_fails_and_its_engine_is_told() -> None:
    run = deployment()
    report(run, "build", TaskState.STARTED)
    deadlines.look(run, later(minutes=11), later(minutes=11), "local")
    assert (run.steps[0].code, [step.id for step in run.orders]) == ("step.timed_out", ["build"])


def test_an_engine_that_refuses_is_waited_for_unless_nobody_goes_on() -> None:
    run = deployment()
    report(run, "build", TaskState.REFUSED)
    assert state(run, "build") is StepState.READY
    report(run, "build", TaskState.STARTED, delivery=2)
    deadlines.look(run, later(minutes=2), later(minutes=2), "local")
    assert state(run, "build") is StepState.RUNNING
    report(run, "build", TaskState.REFUSED, delivery=3)
    deadlines.look(run, later(minutes=2), later(minutes=2), "local")
    assert (state(run, "build"), run.steps[0].code) == (StepState.FAILED, "task.refused")


def test_nothing_to_do_ends_at_once_and_says_so() -> None:
    run = deployment(kinds=())
    assert (run.status, run.reason) == (State.DEPLOYED, progress.NOTHING)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((StepState.PENDING, StepState.PENDING), State.WAITING_RUNNING),
        ((StepState.RUNNING, StepState.PENDING), State.BUILDING),
        ((StepState.SUCCEEDED, StepState.PENDING), State.WAITING_RUNNING),
        ((StepState.SUCCEEDED, StepState.RUNNING), State.DEPLOYING),
        ((StepState.SUCCEEDED, StepState.SUCCEEDED), State.DEPLOYED),
        ((StepState.FAILED, StepState.CANCELED), State.BUILD_ERROR),
        ((StepState.SUCCEEDED, StepState.FAILED), State.DEPLOYMENT_ERROR),
        ((StepState.CANCELED, StepState.CANCELED), State.CANCELED),
        ((StepState.SKIPPED, StepState.SKIPPED), None),
    ],
)
def test_what_a_service_shows(states: tuple[StepState, StepState], expected: State | None) -> None:
    run = deployment()
    for step, known in zip(run.steps, states, strict=True):
        step.state = known
    assert progress.service_state(run, "web") is expected
