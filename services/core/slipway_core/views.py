"""Deployments as events and our own routes show them. Pure."""

from typing import Any

import msgspec

from slipway_contracts.events import DeploymentView, StepView
from slipway_core import machine
from slipway_core.machine import Phase
from slipway_core.progress import Run, Step

MAX_EVENT_BYTES = 512 * 1024
TAIL_CHARACTERS = 200


def view(run: Run) -> DeploymentView:
    """The whole deployment, with its steps."""
    assert run.created_at is not None
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
        steps=[_step(step) for step in run.steps],
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
    )


def _standing_reason(run: Run) -> str:
    rule = machine.STATES[run.status]
    return rule.reason if rule.phase is Phase.QUEUED or run.status in machine.WAITING else ""


def _step(step: Step) -> StepView:
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
        percent=step.percent,
        depends_on=step.depends_on,
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
