"""Steps of deployments, each with its task: one row, changed by every report of it that counts."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from slipway_contracts.specs import ServiceSpec
from slipway_contracts.tasks import StepMetric
from slipway_core.machine import StepState
from slipway_core.planner import PlannedStep
from slipway_core.progress import Step
from slipway_core.stores import rows
from slipway_postgres import Connection

OF = """
    SELECT id, deployment_id, service_id, service_name, service_kind, kind, wave, stage, depends_on, state, message,
    code, details, percent, commit, artifact, task_id, fence, delivery, sequence, cancel, cancel_at, refused_at,
    limit_seconds, ready_at, started_at, ended_at, metrics, estimated_seconds, event
    FROM deployment_steps WHERE deployment_id = ANY($1::uuid[]) ORDER BY deployment_id, position
"""
PLANNED = "SELECT spec, variables FROM deployment_steps WHERE id = $1"
ADD = """
    INSERT INTO deployment_steps (id, deployment_id, position, service_id, service_name, service_kind, kind, wave,
        stage, depends_on, state, message, code, commit, artifact, spec, variables, limit_seconds, started_at, ended_at,
        estimated_seconds, event)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
"""
SAVE = """
    UPDATE deployment_steps SET state = $2, message = $3, code = $4, details = $5, percent = $6, artifact = $7,
        task_id = $8, fence = $9, delivery = $10, sequence = $11, cancel = $12, cancel_at = $13, refused_at = $14,
        ready_at = $15, started_at = $16, ended_at = $17, metrics = $18
    WHERE id = $1
"""
KEEP_SNAPSHOT = "UPDATE deployment_steps SET snapshot_key_id = $2, snapshot = $3 WHERE id = $1"
NEXT_FENCE = "UPDATE services SET fence = fence + 1 WHERE id = $1 RETURNING fence"

LEAP = 1_000
LEAP_FENCE = "UPDATE services SET fence = fence + $2 WHERE id = $1"


class Planned(msgspec.Struct, frozen=True):
    """What a step works from, as it was when it was planned."""

    spec: ServiceSpec
    variables: dict[str, str]


def _step(record: Any) -> Step:
    fields = dict(record)
    for name in ("id", "deployment_id", "service_id", "task_id"):
        fields[name] = "" if fields[name] is None else str(fields[name])
    fields["state"] = StepState(fields["state"])
    fields["metrics"] = msgspec.json.decode(fields["metrics"], type=list[StepMetric])
    return Step(**fields)


class Steps:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of(self, deployment_ids: Iterable[str]) -> dict[str, list[Step]]:
        """deployment id → its steps in order."""
        found: dict[str, list[Step]] = defaultdict(list)
        for row in await self._connection.fetch(OF, list(deployment_ids)):
            found[str(row["deployment_id"])].append(_step(row))
        return found

    async def planned(self, step_id: str) -> Planned | None:
        row = await self._connection.fetchrow(PLANNED, step_id)
        if row is None or row["spec"] is None:
            return None
        return Planned(
            msgspec.json.decode(row["spec"], type=ServiceSpec),
            msgspec.json.decode(row["variables"], type=dict[str, str]),
        )

    async def add(self, steps: Iterable[tuple[Step, PlannedStep | None]]) -> None:
        """The steps of a deployment, in order, each with what was planned for it."""
        await self._connection.executemany(
            ADD, [_new_row(step, planned, position) for position, (step, planned) in enumerate(steps)]
        )

    async def save(self, steps: Iterable[Step]) -> None:
        """Write those that changed."""
        changed = [step for step in steps if step.changed]
        if changed:
            await self._connection.executemany(SAVE, [_saved_row(step) for step in changed])
        for step in changed:
            step.changed = False

    async def keep_snapshot(self, step_id: str, key_id: str, snapshot: bytes) -> None:
        """The variables that a step goes out with, encrypted."""
        await self._connection.execute(KEEP_SNAPSHOT, step_id, key_id, snapshot)

    async def next_fence(self, service_id: str) -> int | None:
        """A fence that no task of the service had before. None: there is no such service any more."""
        fence: int | None = await self._connection.fetchval(NEXT_FENCE, service_id)
        return fence

    async def leap_fence(self, service_id: str) -> None:
        """Go far ahead of any fence that a cluster may have seen."""
        await self._connection.execute(LEAP_FENCE, service_id, LEAP)


def _new_row(step: Step, planned: PlannedStep | None, position: int) -> tuple[Any, ...]:
    spec = None if planned is None or planned.spec is None else rows.to_json(planned.spec)
    variables = rows.to_json(planned.variables if planned is not None else {})
    return (
        step.id,
        step.deployment_id,
        position,
        step.service_id or None,
        step.service_name,
        step.service_kind,
        step.kind,
        step.wave,
        step.stage,
        step.depends_on,
        step.state,
        step.message,
        step.code,
        step.commit,
        step.artifact,
        spec,
        variables,
        step.limit_seconds,
        step.started_at,
        step.ended_at,
        step.estimated_seconds,
        step.event,
    )


def _saved_row(step: Step) -> tuple[Any, ...]:
    return (
        step.id,
        step.state,
        step.message,
        step.code,
        step.details,
        step.percent,
        step.artifact,
        step.task_id or None,
        step.fence,
        step.delivery,
        step.sequence,
        step.cancel,
        step.cancel_at,
        step.refused_at,
        step.ready_at,
        step.started_at,
        step.ended_at,
        rows.to_json(step.metrics),
    )
