"""The clock over a running deployment: what has taken too long ends, and silence is said. Pure."""

from datetime import datetime, timedelta

from slipway_core import machine, progress
from slipway_core.machine import State, StepState
from slipway_core.progress import Run, Step


def look(run: Run, now: datetime, seen_at: datetime | None, cluster: str) -> None:
    """What has taken too long ends, or is said. `seen_at`: when an engine of the cluster was last heard of."""
    for step in run.active():
        deadline = step.deadline_at()
        if deadline is not None and deadline <= now:
            _step_overdue(run, step, now)
    _say_silence(run, now, seen_at, cluster)
    if _state_overdue(run, now):
        _run_overdue(run, now)


def _step_overdue(run: Run, step: Step, now: datetime) -> None:
    if step.cancel == progress.CANCEL_SAFE:
        return progress.order(run, step, progress.CANCEL_FORCED, now)
    if step.cancel == progress.CANCEL_FORCED:
        step.message = "canceled; its engine did not acknowledge in time"
        return step.move(StepState.CANCELED, now)
    if step.refused_at is not None:
        progress.mark_failed(step, "task.refused", "the cluster has seen a newer order for this service already", now)
    elif step.state is StepState.READY:
        progress.mark_failed(
            step, "step.not_taken", f"no engine took it within {machine.READY_SECONDS / 60:g} minutes", now
        )
    else:
        progress.mark_failed(step, "step.timed_out", f"it was not done within {step.limit_seconds / 60:g} minutes", now)
    return run.orders.append(step)


def _say_silence(run: Run, now: datetime, seen_at: datetime | None, cluster: str) -> None:
    if run.cancel or run.failed() is not None or not (run.active() or not run.engine_known):
        return
    if seen_at is not None and (now - seen_at).total_seconds() <= machine.ENGINE_SILENT_SECONDS:
        if run.status is State.UNAVAILABLE:
            run.move(machine.WORDS[run.action].waiting, now)
        return run.say(f"{machine.STATES[run.status].reason} {cluster}" if run.status in machine.WAITING else "")
    run.say(_silence(now, seen_at, cluster))
    silent_since = max(seen_at or progress.EPOCH, run.status_at or progress.EPOCH)
    if run.status in machine.WAITING and (now - silent_since).total_seconds() >= machine.UNAVAILABLE_AFTER_SECONDS:
        run.move(State.UNAVAILABLE, now)


def _silence(now: datetime, seen_at: datetime | None, cluster: str) -> str:
    if seen_at is None:
        return f"no engine of cluster {cluster} has ever reported"
    minutes = max(1, int((now - seen_at).total_seconds() // 60))
    return f"no engine of cluster {cluster} has reported for {minutes} min"


def _state_overdue(run: Run, now: datetime) -> bool:
    limit = machine.STATES[run.status].limit_seconds
    return limit is not None and run.status_at is not None and run.status_at + timedelta(seconds=limit) <= now


def _run_overdue(run: Run, now: datetime) -> None:
    """The whole deployment stayed in one state for too long: what it waits for fails, or its cancel is over."""
    limit = machine.STATES[run.status].limit_seconds or 0.0
    why = run.reason or f"{run.status} lasted more than {limit / 60:g} minutes"
    waited_for = run.active() or [step for step in run.steps if step.state is StepState.PENDING][:1]
    for step in waited_for:
        if run.cancel:
            step.move(StepState.CANCELED, now)
        else:
            progress.mark_failed(step, "deployment.timed_out", why, now)
        if step.task_id:
            progress.order(run, step, progress.CANCEL_FORCED, now)
