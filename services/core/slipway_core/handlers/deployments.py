"""Deployments move here: asked for, queued, started, carried on, ended. All of it under the environment's lock.

Every function takes a unit of work whose transaction holds that lock; what changed is written, told as an event and
sent to engines when it commits.
"""

import re
from datetime import timedelta
from typing import Any

import structlog

from slipway_contracts.base import uuid7
from slipway_contracts.events import CHANGED, Event
from slipway_core import machine, progress, queueing
from slipway_core.app import Core, Work
from slipway_core.handlers import dispatch, effects, freezing, planning
from slipway_core.machine import Action, State, StepState
from slipway_core.planner import Request
from slipway_core.problems import wrong
from slipway_core.progress import APPROVED, WAITING, Run, Step
from slipway_core.stores.approvals import ApprovalPolicy
from slipway_core.stores.audit import AuditEvent
from slipway_core.stores.deployments import Ground
from slipway_core.views import full, small, view
from slipway_errors import Fault, NotFound

log = structlog.get_logger()
COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
NEED_APPROVAL = frozenset({Action.DEPLOY, Action.DELETE})
MAX_BUILDS = "max_parallel_builds"
MAX_DEPLOYS = "max_parallel_deploys"


async def locked(work: Work, environment_id: str) -> Ground:
    """Take the environment's lock. NotFound when there is none."""
    await work.deployments.lock([environment_id])
    ground = await work.deployments.ground(environment_id)
    if ground is None:
        raise NotFound("There is no such environment.")
    return ground


async def check(work: Work, ground: Ground, request: Request) -> None:
    """Every named service is one of the environment, every commit looks like one."""
    if not request.wishes:
        return
    known = {service.id for service in await work.services.of_environment(ground.environment_id)}
    errors = [(f"$.{id}", "is no service of this environment") for id in request.wishes if id not in known]
    for id, wish in request.wishes.items():
        if wish.commit and not COMMIT.fullmatch(wish.commit):
            errors.append((f"$.{id}.git_commit_id", "a commit is 7 to 64 hexadecimal digits"))
    if errors:
        raise wrong(*errors)


async def ask(app: Core, work: Work, ground: Ground, request: Request, trigger: str, triggered_by: str = "") -> Run:
    """Take a request in: it joins a waiting one, or waits for its turn, or starts at once.

    DeploymentsFrozen when a freeze is in force; timetables are as they were agreed before, and go on.
    """
    if trigger != "schedule":
        await freezing.refuse_frozen(work, ground, request)
    waiting = [run for run in await work.deployments.open(ground.environment_id) if run.started_at is None]
    queue = [
        queueing.Waiting(
            id=run.id,
            request=run.request,
            trigger=run.trigger,
            principal_id=run.principal_id,
            closed=run.approval == APPROVED,
        )
        for run in waiting
    ]
    joined = queueing.joins(queue, request, trigger, work.actor.id)
    if joined is not None:
        run = next(run for run in waiting if run.id == joined.id)
        run.request = queueing.joined(run.request, request)
        run.commits = wished_commits(run.request)
        await save(work, run, "queued")
    else:
        run = _new(work, ground, request, trigger, triggered_by)
        await _ask_for_approval(work, run)
        await work.deployments.add(run)
        await tell(work, run, "queued")
    await _audit(work, run, request)
    await start_next(app, work, ground)
    return await reloaded(work, run.id) or run


def _new(work: Work, ground: Ground, request: Request, trigger: str, triggered_by: str) -> Run:
    status = first_status(request)
    limit_seconds = machine.STATES[status].limit_seconds or 0.0
    return Run(
        id=uuid7(),
        organization_id=ground.organization_id,
        project_id=ground.project_id,
        environment_id=ground.environment_id,
        cluster_id=ground.cluster_id,
        action=request.action,
        status=status,
        trigger=trigger,
        principal_id=work.actor.id,
        triggered_by=triggered_by or work.actor.name,
        origin=work.actor.origin,
        request=request,
        commits=wished_commits(request),
        status_at=work.now,
        created_at=work.now,
        due_at=work.now + timedelta(seconds=limit_seconds),
    )


async def _ask_for_approval(work: Work, run: Run) -> None:
    """In an environment that wants it, what changes or removes something waits until somebody agrees."""
    if run.action not in NEED_APPROVAL or run.trigger == "schedule":
        return
    policy = await work.approval_policies.get(run.environment_id)
    if policy.required:
        run.approval, run.approval_until = WAITING, work.now + timedelta(seconds=policy.expires_after_seconds)
        run.due_at = run.approval_until
        run.reason = f"waits for approval by {who_may_approve(policy)}, until {run.approval_until:%Y-%m-%d %H:%M} UTC"


def who_may_approve(policy: ApprovalPolicy) -> str:
    """In words."""
    who = "somebody who may manage the environment"
    return who if policy.allow_own else who + ", other than who asked"


def first_status(request: Request) -> State:
    return machine.WORDS[request.action].queued


def wished_commits(request: Request) -> dict[str, str]:
    return {service_id: wish.commit for service_id, wish in request.wishes.items() if wish.commit}


async def reloaded(work: Work, id: str) -> Run | None:
    """A deployment with its steps."""
    run = await work.deployments.get(id)
    if run is not None:
        run.steps = (await work.steps.of([id])).get(id, [])
    return run


async def start_next(app: Core, work: Work, ground: Ground) -> None:
    """Start what waits longest, if nothing runs; tell the others what they wait for."""
    open_runs = await work.deployments.open(ground.environment_id)
    running = next((run for run in open_runs if run.started_at is not None), None)
    # What nobody has agreed to yet holds nothing up.
    waiting = [run for run in open_runs if run.started_at is None and run.approval in ("", APPROVED)]
    while running is None and waiting:
        run = waiting.pop(0)
        if run.trigger != "schedule" and (why := await freezing.in_force(work, ground, run.request)):
            await _drop(work, run, why)
            continue
        if not await _start(app, work, ground, run):
            return
        running = run if run.ended_at is None else None
    for position, run in enumerate(waiting, start=1):
        assert running is not None
        reason = f"waits for deployment {running.number}, position {position}"
        if run.reason != reason:
            run.reason = reason
            await save(work, run, "queued")


async def _start(app: Core, work: Work, ground: Ground, run: Run) -> bool:
    """Plan a deployment and release its first steps. False: the environment is gone with it."""
    made = await planning.plan(app, work, ground, run)
    run.cluster_id, run.started_at, run.reason = ground.cluster_id, work.now, ""
    run.commits = run.commits | made.commits
    run.move(machine.WORDS[run.action].waiting, work.now)
    steps = await planning.steps(work, run, made)
    run.steps = [step for step, _ in steps]
    await work.steps.add(steps)
    return await proceed(app, work, ground, run, "started")


def settle(run: Run, ground: Ground) -> None:
    """What the cluster allows."""
    run.engine_known = ground.public_key is not None
    run.max_builds = _limit(ground, MAX_BUILDS, run.max_builds)
    run.max_deploys = _limit(ground, MAX_DEPLOYS, run.max_deploys)


def _limit(ground: Ground, name: str, default: int) -> int:
    value = ground.cluster_config.get(name)
    return value if isinstance(value, int) and value > 0 else default


async def proceed(app: Core, work: Work, ground: Ground, run: Run, verb: str = "progressed") -> bool:
    """Carry a running deployment on after something changed. False: the environment is gone with it."""
    settle(run, ground)
    while released := progress.advance(run, work.now):
        if not await _send_all(app, work, ground, run, released):
            break
    changed = [step for step in run.steps if step.changed or verb == "started"]
    await work.steps.save(run.steps)
    await effects.of_services(work, run, {step.service_id for step in changed} - {""})
    await effects.of_steps(work, [step for step in changed if step.ended])
    await dispatch.order(work, run)
    await save(work, run, verb if run.ended_at is None else "ended")
    if run.ended_at is None:
        return True
    log.info("deployment ended", deployment_id=run.id, status=run.status, reason=run.reason)
    if run.request.keep:
        await _uninstalled(work, run)
    elif await effects.of_end(work, run):
        await _drop_waiting(work, run)
        return False
    if verb != "started":
        # One that ends as it starts is followed by the loop that started it.
        await start_next(app, work, ground)
    return True


async def _uninstalled(work: Work, run: Run) -> None:
    """Their clusters hold nothing of these services any more; here they stay."""
    for step in run.steps:
        if step.service_id and step.state is StepState.SUCCEEDED:
            await work.releases.uninstalled(step.service_id)


async def _drop_waiting(work: Work, run: Run) -> None:
    """The environment goes away now, and what waited for it."""
    for other in await work.deployments.open(run.environment_id):
        await _drop(work, other, "its environment was deleted")
    await effects.remove_environment(work, run.environment_id)


async def _send_all(app: Core, work: Work, ground: Ground, run: Run, released: list[Step]) -> bool:
    """Send released steps. True: some could not go out and have failed, so there is more to do."""
    again = False
    for step in released:
        try:
            async with work.connection.transaction():
                await dispatch.send(app, work, ground, run, step)
        except Fault as fault:
            progress.fail(run, step, fault.code, fault.detail, work.now)
            again = True
        except Exception:
            log.exception("step not sent", step_id=step.id)
            progress.fail(run, step, "internal", "Slipway could not prepare it: its log says why", work.now)
            again = True
    return again


async def stop(app: Core, work: Work, ground: Ground, run: Run, forced: bool, why: str) -> None:
    """Cancel a deployment: one that waits ends at once, one that runs ends when its engines acknowledge."""
    if run.ended_at is not None:
        return
    if run.started_at is None:
        await _drop(work, run, why)
        await start_next(app, work, ground)
    elif progress.cancel(run, forced, why, work.now):
        await proceed(app, work, ground, run)


async def _drop(work: Work, run: Run, why: str) -> None:
    """End one that has not begun."""
    run.move(State.CANCELED, work.now)
    run.reason, run.ended_at, run.due_at = why, work.now, None
    await save(work, run, "ended")


async def save(work: Work, run: Run, verb: str) -> None:
    """Write it and tell it."""
    await work.deployments.save(run)
    await tell(work, run, verb)


async def tell(work: Work, run: Run, verb: str) -> None:
    """The event that consoles, command lines and gateways follow."""
    event = Event(
        id=uuid7(),
        organization_id=run.organization_id,
        project_id=run.project_id,
        environment_id=run.environment_id,
        deployment_id=run.id,
        entity="deployment",
        verb=verb,
        entity_id=run.id,
        version=run.version,
        actor=run.triggered_by,
        origin=run.origin,
        body=small(full(view(run, work.now))),
        at=work.now,
    )
    await work.outbox.add(
        CHANGED,
        event,
        id=event.id,
        aggregate=f"deployment.{run.id}",
        organization_id=run.organization_id,
        entity="deployment",
        verb=verb,
    )


async def _audit(work: Work, run: Run, request: Request) -> None:
    what = "REDEPLOY" if request.redeploy else "UNINSTALL" if request.keep else request.action.value
    only = next(iter(request.wishes)) if len(request.wishes) == 1 and not request.everything else None
    after = {"deployment_id": run.id, "trigger": run.trigger, "commits": wished_commits(request)}
    if request.override:
        after["freeze_overridden"] = request.override
    await audit(work, run, f"TRIGGER_{what}", only, after)


async def audit(work: Work, run: Run, event_type: str, service_id: str | None, after: dict[str, Any]) -> None:
    """Who asked for it, from where."""
    kind, id = ("service", service_id) if service_id else ("environment", run.environment_id)
    assert id is not None
    place = await work.places.locate(kind, id)
    service = await work.services.get(service_id) if service_id else None
    actor = work.actor
    await work.audit.add(
        AuditEvent(
            id=uuid7(),
            organization_id=run.organization_id,
            project_id=run.project_id,
            environment_id=run.environment_id,
            service_id=service_id,
            event_type=event_type,
            target_type=service.kind if service is not None else "ENVIRONMENT",
            target_id=id,
            target_name=place.name if place is not None else "",
            origin=actor.origin,
            actor=run.triggered_by or actor.name,
            actor_id=actor.id,
            address=actor.address,
            user_agent=actor.user_agent,
            request_id=actor.request_id,
            after=after,
            at=work.now,
        )
    )
