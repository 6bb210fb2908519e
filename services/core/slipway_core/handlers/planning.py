"""The plan of a deployment that begins, and its steps as rows."""

from datetime import datetime

import structlog

from slipway_contracts.base import uuid7
from slipway_contracts.tasks import TaskKind
from slipway_core import estimates, machine, planner, specifications
from slipway_core.app import Core, Work
from slipway_core.handlers.situations import situation
from slipway_core.machine import StepState
from slipway_core.planner import PRE_CHECK, Plan, PlannedStep, Problem, Skipped
from slipway_core.progress import Run, Step
from slipway_core.stores.deployments import Ground
from slipway_errors import Fault

PRE_CHECK_FAILED = "precheck.failed"
log = structlog.get_logger()


async def plan(app: Core, work: Work, ground: Ground, run: Run) -> Plan:
    """The plan. One that can't be made must not stop the end of the one before: it is a problem of its own."""
    try:
        # A savepoint: what fails inside is undone alone.
        async with work.connection.transaction():
            return planner.plan(await situation(app, work, ground, run.request), run.request)
    except Fault as fault:
        why = fault.detail
    except Exception:
        log.exception("plan failed", deployment_id=run.id)
        why = f"Slipway could not plan deployment {run.number}: its log says why"
    return Plan((), (), (Problem("", "", "", why),))


async def steps(work: Work, run: Run, made: Plan) -> list[tuple[Step, PlannedStep | None]]:
    """The plan's steps as rows: first the pre-check, made just now, then what is to be done, then the rest."""
    durations = await work.durations.of_services({step.service_id for step in made.steps})
    now = work.now
    ids = {planned.key: uuid7() for planned in made.steps}
    rows: list[tuple[Step, PlannedStep | None]] = [(_pre_check(run, made, now), None)]
    rows.extend((_step(run, planned, ids, durations), planned) for planned in made.steps)
    rows.extend((_settled(run, one, StepState.SKIPPED, now), None) for one in made.skipped)
    rows.extend((_settled(run, one, StepState.FAILED, now), None) for one in made.problems if one.service_id)
    return rows


def _settled(run: Run, one: Skipped | Problem, state: StepState, now: datetime) -> Step:
    """A step that was decided by planning: nothing to do, or nothing that can be done."""
    return Step(
        id=uuid7(),
        deployment_id=run.id,
        service_id=one.service_id,
        service_name=one.service_name,
        service_kind="",
        kind=run.action.value.lower(),
        wave=planner.FIRST_STAGE_WAVE,
        stage=one.stage,
        state=state,
        code=PRE_CHECK_FAILED if state is StepState.FAILED else "",
        message=one.why,
        ended_at=now,
    )


def _pre_check(run: Run, made: Plan, now: datetime) -> Step:
    failed = bool(made.problems)
    return Step(
        id=uuid7(),
        deployment_id=run.id,
        service_id="",
        service_name="",
        service_kind="",
        kind=PRE_CHECK,
        wave=planner.PRE_CHECK_WAVE,
        stage=planner.PRE_CHECK_STAGE,
        state=StepState.FAILED if failed else StepState.SUCCEEDED,
        code=PRE_CHECK_FAILED if failed else "",
        message="; ".join(problem.why for problem in made.problems),
        started_at=now,
        ended_at=now,
    )


def _step(run: Run, planned: PlannedStep, ids: dict[str, str], durations: estimates.Durations) -> Step:
    spec = planned.spec
    assert spec is not None
    limit_seconds = machine.STEP_SECONDS[planned.kind] + spec.start_timeout_seconds + spec.stop_grace_seconds
    if planned.kind == TaskKind.BUILD:
        limit_seconds = specifications.build_limit_seconds(spec) or limit_seconds
    if planned.event:
        limit_seconds += specifications.run_limit_seconds(spec)
    return Step(
        id=ids[planned.key],
        deployment_id=run.id,
        service_id=planned.service_id,
        service_name=planned.service_name,
        service_kind=spec.kind,
        kind=planned.kind,
        wave=planned.wave,
        stage=planned.stage,
        depends_on=[ids[key] for key in planned.depends_on],
        commit=spec.git.commit if spec.git is not None else "",
        artifact=planned.artifact,
        limit_seconds=limit_seconds,
        event=planned.event,
        estimated_seconds=estimates.guess(durations, planned.service_id, planned.kind),
    )
