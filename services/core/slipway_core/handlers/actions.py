"""What people and their tools ask for: deploy, redeploy, restart, stop, uninstall, delete, cancel."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from slipway_core.api import answers, bodies
from slipway_core.api.forms import Body, Text
from slipway_core.app import Core, Work, found
from slipway_core.callers import actor_of, id_in
from slipway_core.handlers import deployments, freezing, heads, statuses
from slipway_core.machine import Action
from slipway_core.planner import Request, Wish
from slipway_core.problems import NothingToCancel
from slipway_core.progress import Run
from slipway_core.stores.deployments import Ground
from slipway_core.views import full, view
from slipway_http import Call


class Cancel(Body, frozen=True, kw_only=True):
    """How to cancel."""

    force_cancel: bool | UnsetType = UNSET


class DeployService(Body, frozen=True, kw_only=True):
    """Which commit; none is the newest of the branch."""

    git_commit_id: Text | UnsetType = UNSET


async def ask(app: Core, call: Call[Any], request: Request, trigger: str = "manual") -> Run:
    """Take in what the caller asks for at the route's environment."""
    async with app.reading() as work:
        ground = found(await work.deployments.ground(call.place.environment_id), "environment")
        await deployments.check(work, ground, request)
    request = msgspec.structs.replace(request, override=freezing.override_of(call))
    asked = await heads.newest(app, ground, request)
    async with app.work(actor_of(call)) as work:
        ground = await deployments.locked(work, call.place.environment_id)
        await heads.note(work, ground.organization_id, asked)
        return await deployments.ask(app, work, ground, request, trigger)


def one(call: Call[Any], action: Action, wish: Wish | None = None, redeploy: bool = False) -> Request:
    """A request for the route's service."""
    return Request(action=action, wishes={call.place.service_id: wish or Wish()}, redeploy=redeploy)


# One service


async def deploy_service(app: Core, call: Call[DeployService] | Call[bodies.JobDeployRequest]) -> answers.Status:
    """Deploy a commit of a service, or the newest of its branch."""
    commit = call.body.git_commit_id
    await ask(app, call, one(call, Action.DEPLOY, Wish(commit="" if commit is UNSET else commit.strip().lower())))
    return await statuses.of_service(app, call)


async def deploy_service_as_configured(app: Core, call: Call[Any]) -> answers.Status:
    """Deploy a service as it is configured."""
    await ask(app, call, one(call, Action.DEPLOY))
    return await statuses.of_service(app, call)


async def redeploy_service(app: Core, call: Call[Any]) -> answers.Status:
    """Deploy a service again, also when nothing changed."""
    await ask(app, call, one(call, Action.DEPLOY, redeploy=True))
    return await statuses.of_service(app, call)


async def restart_service(app: Core, call: Call[Any]) -> answers.Status:
    """Restart a service with what is deployed."""
    await ask(app, call, one(call, Action.RESTART))
    return await statuses.of_service(app, call)


async def stop_service(app: Core, call: Call[Any]) -> answers.Status:
    """Stop a service; its configuration and what was built stay."""
    await ask(app, call, one(call, Action.STOP))
    return await statuses.of_service(app, call)


async def delete_service(app: Core, call: Call[Any]) -> None:
    """Delete a service: it is removed from its cluster, then from here."""
    await ask(app, call, one(call, Action.DELETE))


async def uninstall_service(app: Core, call: Call[Any]) -> answers.Status:
    """Take a service off its cluster; its configuration stays."""
    request = one(call, Action.DELETE)
    await ask(app, call, msgspec.structs.replace(request, keep=True))
    return await statuses.of_service(app, call)


# An environment


async def deploy_environment(app: Core, call: Call[Any]) -> statuses.EnvironmentAsked:
    """Deploy everything in an environment that changed."""
    await ask(app, call, Request(action=Action.DEPLOY, everything=True))
    return await statuses.asked(app, call)


async def redeploy_environment(app: Core, call: Call[Any]) -> answers.EnvironmentStatus:
    """Deploy everything in an environment again."""
    await ask(app, call, Request(action=Action.DEPLOY, everything=True, redeploy=True))
    return await statuses.of_environment(app, call)


async def stop_environment(app: Core, call: Call[Any]) -> answers.EnvironmentStatus:
    """Stop everything in an environment."""
    await ask(app, call, Request(action=Action.STOP, everything=True))
    return await statuses.of_environment(app, call)


async def delete_environment(app: Core, call: Call[Any]) -> None:
    """Delete an environment with all its services."""
    await ask(app, call, Request(action=Action.DELETE, everything=True, delete_environment=True))


async def deploy_services(app: Core, call: Call[bodies.DeployAllRequest]) -> answers.EnvironmentStatus:
    """Deploy the named services, each at its commit."""
    await ask(app, call, Request(action=Action.DEPLOY, wishes=_wishes(call.body)))
    return await statuses.of_environment(app, call)


def _wishes(body: bodies.DeployAllRequest) -> dict[str, Wish]:
    wishes: dict[str, Wish] = {}
    for application in _listed(body.applications):
        wishes[application.application_id.lower()] = _wish(application.git_commit_id)
    for item in [*_listed(body.containers), *_listed(body.jobs), *_listed(body.helms)]:
        if item.id is not UNSET:
            wishes[item.id.lower()] = _wish(getattr(item, "git_commit_id", UNSET))
    for id in _listed(body.databases):
        wishes[id.lower()] = Wish()
    return wishes


def _wish(commit: str | UnsetType | None) -> Wish:
    """Without a commit the deployed version stays."""
    return Wish(commit=commit.strip().lower()) if isinstance(commit, str) and commit else Wish(keep_commit=True)


def _listed(items: Any) -> Any:
    return [] if items is UNSET or items is None else items


async def restart_services(app: Core, call: Call[bodies.RebootServicesRequest]) -> statuses.EnvironmentAsked:
    """Restart the named services."""
    await ask(app, call, Request(action=Action.RESTART, wishes=_named(call.body)))
    return await statuses.asked(app, call)


async def stop_services(app: Core, call: Call[bodies.EnvironmentServiceIdsAllRequest]) -> None:
    """Stop the named services."""
    await ask(app, call, Request(action=Action.STOP, wishes=_named(call.body)))


async def delete_services(app: Core, call: Call[bodies.EnvironmentServiceIdsAllRequest]) -> None:
    """Delete the named services."""
    await ask(app, call, Request(action=Action.DELETE, wishes=_named(call.body)))


def _named(body: msgspec.Struct) -> dict[str, Wish]:
    """All ids in a body that lists them by kind."""
    lists: Iterable[Any] = (_listed(getattr(body, name)) for name in body.__struct_fields__)
    return {id.lower(): Wish() for ids in lists for id in ids}


async def uninstall_environment(app: Core, call: Call[Any]) -> answers.UninstallEnvironmentAnswer:
    """Take everything in an environment off its cluster; its configuration stays."""
    await ask(app, call, Request(action=Action.DELETE, everything=True, keep=True))
    return answers.UninstallEnvironmentAnswer()


async def uninstall_services(app: Core, call: Call[bodies.EnvironmentServiceIdsAllRequest]) -> None:
    """Take the named services off their cluster; their configuration stays."""
    await ask(app, call, Request(action=Action.DELETE, wishes=_named(call.body), keep=True))


# Deployments


async def cancel_environment(
    app: Core, call: Call[bodies.CancelEnvironmentDeploymentBody]
) -> answers.EnvironmentStatus:
    """Cancel the deployment that runs in an environment."""
    async with app.work(actor_of(call)) as work:
        ground = await deployments.locked(work, call.place.environment_id)
        running = [run for run in await work.deployments.open(ground.environment_id) if run.started_at is not None]
        if not running:
            raise NothingToCancel("No deployment runs in this environment.")
        await _cancel(app, work, ground, running[0].id, call.body.force_cancel is True, call.caller.name)
    return await statuses.of_environment(app, call)


async def cancel_deployment(app: Core, call: Call[Cancel]) -> dict[str, Any]:
    """Cancel one deployment, whether it waits or runs; a second time with `force_cancel`, by force."""
    async with app.work(actor_of(call)) as work:
        ground = await deployments.locked(work, call.place.environment_id)
        id = id_in(call, "deploymentId")
        run = await _cancel(app, work, ground, id, call.body.force_cancel is True, call.caller.name)
        return full(view(run, work.now))


async def cancel_request(app: Core, call: Call[bodies.CancelDeploymentRequestBody]) -> None:
    """Cancel a deployment in the queue by its id."""
    async with app.work(actor_of(call)) as work:
        ground = await deployments.locked(work, call.place.environment_id)
        await _cancel(app, work, ground, id_in(call, "deploymentRequestId"), False, call.caller.name)


async def _cancel(app: Core, work: Work, ground: Ground, id: str, forced: bool, who: str) -> Run:
    run = found(await deployments.reloaded(work, id), "deployment")
    if run.ended_at is not None:
        raise NothingToCancel(f"Deployment {run.number} has ended already: {run.status}.")
    await deployments.stop(app, work, ground, run, forced, f"canceled by {who}" + (", by force" if forced else ""))
    await deployments.audit(work, run, "TRIGGER_CANCEL", None, {"deployment_id": run.id, "forced": forced})
    return run
