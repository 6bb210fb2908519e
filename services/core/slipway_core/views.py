"""Deployments as events and our own routes show them. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from slipway_contracts.events import DeploymentView, StepView
from slipway_core import estimates, machine
from slipway_core.machine import Phase
from slipway_core.progress import Run, Step

MAX_EVENT_BYTES = 512 * 1024
TAIL_CHARACTERS = 200


def view(run: Run, now: datetime) -> DeploymentView:
    """The whole deployment, with its steps, and what is likely left of it."""
    assert run.created_at is not None
    under_way = run.started_at is not None and run.ended_at is None
    rest = estimates.of_run(run, now) if under_way else None
    return DeploymentView(
        id=run.id,
        number=run.number,
        organization_id=run.organization_id,
        project_id=run.project_id,
        environment_id=run.environment_id,
        action=run.action,
        status=run.status,
        reason=run.reason or _standing_reason(run),
        trigger=run.trigger,
        triggered_by=run.triggered_by,
        commits=run.commits,
        steps=[_step(step, now) for step in run.steps],
        notes=run.request.notes,
        approval=run.approval,
        approval_until=run.approval_until,
        approval_by=run.approval_by,
        approval_comment=run.approval_comment,
        percent=estimates.percent_of_run(run, now),
        remaining_seconds=rounded(rest.total_seconds) if rest is not None and rest.complete else None,
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
    )


def _standing_reason(run: Run) -> str:
    rule = machine.STATES[run.status]
    return rule.reason if rule.phase is Phase.QUEUED or run.status in machine.WAITING else ""


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _step(step: Step, now: datetime) -> StepView:
    return StepView(
        id=step.id,
        service_id=step.service_id,
        service_name=step.service_name,
        kind=step.kind,
        stage=step.stage,
        state=step.state,
        message=step.message or machine.STEP_STATES[step.state].reason,
        code=step.code,
        details=step.details,
        percent=estimates.percent(step, now),
        estimated_seconds=rounded(step.estimated_seconds),
        remaining_seconds=rounded(estimates.remaining_seconds(step, now)),
        depends_on=step.depends_on,
        ready_at=step.ready_at,
        started_at=step.started_at,
        ended_at=step.ended_at,
    )


def small(body: dict[str, Any]) -> dict[str, Any]:
    """The same, without what a very large deployment has too much of for one message: it can be asked for."""
    if len(msgspec.json.encode(body)) <= MAX_EVENT_BYTES:
        return body
    steps = [step | {"details": step["details"][-TAIL_CHARACTERS:], "depends_on": []} for step in body["steps"]]
    return body | {"steps": steps}


def full(value: msgspec.Struct) -> dict[str, Any]:
    """Every field by name, also those at their defaults: what is read by people's programs has no holes."""
    return {name: _full(getattr(value, name)) for name in value.__struct_fields__}


def _full(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return full(value)
    if isinstance(value, list):
        return [_full(item) for item in value]
    return msgspec.to_builtins(value)
