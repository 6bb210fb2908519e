"""Approvals: in environments that ask for it, a deployment waits until somebody else agrees, for a limited time."""

from datetime import timedelta
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from slipway_core.api.forms import Answer, Body, Limited
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.handlers import deployments, history
from slipway_core.problems import NothingToApprove, OwnApproval, wrong
from slipway_core.progress import APPROVED, DENIED, EXPIRED, WAITING, Run
from slipway_core.stores.approvals import ApprovalPolicy
from slipway_core.stores.deployments import Ground
from slipway_core.views import full, view
from slipway_http import Call

SHORTEST_SECONDS, LONGEST_SECONDS = 60, 86_400


class PolicyBody(Body, frozen=True, kw_only=True):
    """Whether deployments wait for an approval; what is left out stays as it is."""

    required: bool | UnsetType = UNSET
    expires_after_seconds: int | UnsetType = UNSET
    allow_own: bool | UnsetType = UNSET


class PolicyAnswer(Answer, frozen=True, kw_only=True):
    """Whether deployments wait for an approval."""

    required: bool
    expires_after_seconds: int
    allow_own: bool
    who: str
    """Who may approve, in words."""


class Verdict(Body, frozen=True, kw_only=True):
    """Why."""

    comment: Limited | UnsetType = UNSET


async def policy(app: Core, call: Call[Any]) -> PolicyAnswer:
    """Whether deployments of an environment wait for an approval."""
    async with app.reading() as work:
        return _shown(await work.approval_policies.get(call.place.environment_id))


async def edit_policy(app: Core, call: Call[PolicyBody]) -> PolicyAnswer:
    """Say whether deployments wait for an approval; what waits already is not touched."""
    given = msgspec.to_builtins(call.body)
    async with app.work(actor_of(call)) as work:
        before = await work.approval_policies.get(call.place.environment_id)
        after = msgspec.structs.replace(before, **given)
        if not SHORTEST_SECONDS <= after.expires_after_seconds <= LONGEST_SECONDS:
            raise wrong(("$.expires_after_seconds", f"must be {SHORTEST_SECONDS} to {LONGEST_SECONDS}"))
        await work.approval_policies.put(call.place.environment_id, after)
        await work.changed(
            "approval_policy",
            "updated",
            call.place,
            id=call.place.environment_id,
            name=call.place.name,
            before=msgspec.to_builtins(before),
            after=msgspec.to_builtins(after),
            target="ENVIRONMENT",
            sub_target="DEPLOYMENT_RULE",
        )
    return _shown(after)


def _shown(one: ApprovalPolicy) -> PolicyAnswer:
    return PolicyAnswer(**msgspec.to_builtins(one), who=deployments.who_may_approve(one))


async def waiting(app: Core, call: Call[Any]) -> history.DeploymentList:
    """The deployments of an environment that wait for an approval, in order."""
    async with app.reading() as work:
        runs = [run for run in await work.deployments.open(call.place.environment_id) if run.approval == WAITING]
        return history.DeploymentList(results=[full(view(run, work.now)) for run in runs])


async def approve(app: Core, call: Call[Verdict]) -> dict[str, Any]:
    """Agree to a deployment: it takes its turn."""
    async with app.work(actor_of(call)) as work:
        ground, run = await _waiting_one(work, call)
        one = await work.approval_policies.get(ground.environment_id)
        if not one.allow_own:
            _refuse_own(call, run)
        run.approval, run.approval_by, run.approval_comment = APPROVED, call.caller.name, _comment(call)
        run.reason, run.due_at = "", work.now + timedelta(seconds=LONGEST_SECONDS)
        await deployments.save(work, run, "queued")
        await _audit(work, run, "ACCEPT")
        await deployments.start_next(app, work, ground)
        run = await deployments.reloaded(work, run.id) or run
        return full(view(run, work.now))


async def deny(app: Core, call: Call[Verdict]) -> dict[str, Any]:
    """Refuse a deployment: it ends without having begun."""
    async with app.work(actor_of(call)) as work:
        ground, run = await _waiting_one(work, call)
        run.approval, run.approval_by, run.approval_comment = DENIED, call.caller.name, _comment(call)
        said = f": {run.approval_comment}" if run.approval_comment else ""
        await _audit(work, run, "TRIGGER_CANCEL")
        await deployments.stop(app, work, ground, run, False, f"denied by {call.caller.name}{said}")
        return full(view(run, work.now))


async def expire(app: Core, work: Work, ground: Ground, run: Run) -> None:
    """Nobody agreed in time."""
    run.approval = EXPIRED
    await deployments.stop(app, work, ground, run, False, "nobody approved it in time: ask for it again")


async def _waiting_one(work: Work, call: Call[Verdict]) -> tuple[Ground, Run]:
    ground = await deployments.locked(work, call.place.environment_id)
    run = found(await work.deployments.get(id_in(call, "deploymentId")), "deployment")
    if run.approval != WAITING or run.ended_at is not None:
        raise NothingToApprove(f"Deployment {run.number} waits for no approval: it is {run.status}.")
    return ground, run


def _refuse_own(call: Call[Verdict], run: Run) -> None:
    if call.caller.kind != "user":
        raise OwnApproval("A person has to approve this, not an API token: log in as yourself.")
    if call.caller.id == run.principal_id or call.caller.name == run.triggered_by:
        raise OwnApproval(f"Somebody else than {run.triggered_by} has to approve this.")


def _comment(call: Call[Verdict]) -> str:
    return "" if call.body.comment is UNSET else call.body.comment


async def _audit(work: Work, run: Run, event_type: str) -> None:
    after = {"deployment_id": run.id, "approval": run.approval, "comment": run.approval_comment}
    await deployments.audit(work, run, event_type, None, after)
