"""Pushes: which services follow, and what is deployed of it. A delivery takes effect once."""

from collections import defaultdict
from dataclasses import replace

import structlog

from slipway_contracts.git import Push
from slipway_core.app import Actor, Core, Work
from slipway_core.handlers import deployments, heads
from slipway_core.machine import Action
from slipway_core.planner import Request, Wish
from slipway_core.problems import DeploymentsFrozen
from slipway_core.pushes import BRANCH, Decision, decide, is_unexpected, repository_key
from slipway_core.restrictions import allows
from slipway_core.stores.git_events import Follower, Link

log = structlog.get_logger()


async def pushed(app: Core, push: Push) -> None:
    """A branch moved: note where it stands, and deploy the services that follow it by themselves."""
    async with app.reading() as reading:
        link = await reading.git_events.link(push.link_id)
        if link is None:
            log.info("push by a link that is gone", link_id=push.link_id)
            return
        url = link.clone_url or push.clone_url
        repository = repository_key(url)
        head = await reading.git_events.head(link.organization_id, repository, push.ref)
    newest = await heads.ask(app, url, push.ref) if is_unexpected(push, head) else ""
    async with app.work(Actor(name=push.pusher or "push", origin="GIT")) as work:
        await work.git_events.lock_repository(link.organization_id, repository)
        if await work.git_events.accept(push, link.organization_id, repository, work.now):
            await _decided(app, work, push, link, repository, newest)


async def _decided(app: Core, work: Work, push: Push, link: Link, repository: str, newest: str) -> None:
    head = await work.git_events.head(link.organization_id, repository, push.ref)
    older = await work.git_events.is_older(link.organization_id, repository, push)
    decision = decide(push, head, older, newest)
    await _note(work, push, link, repository, decision)
    deployment_ids: list[str] = []
    if decision.deploys:
        followers = await _followers(work, push, link, repository)
        touched = await _touched(work, push, followers)
        deployment_ids, frozen = await _deploy(app, work, push, touched, decision.commit)
        if not followers:
            decision = replace(decision, name="not_followed", detail=f"no service follows {push.ref} of {repository}")
        elif not touched:
            decision = replace(decision, detail="followed, but it touches nothing that the services are restricted to")
        elif frozen and not deployment_ids:
            decision = replace(decision, detail=f"followed, but {frozen[0]}")
        elif not deployment_ids:
            decision = replace(decision, detail="followed, but deployed by hand, or stopped")
        else:
            decision = replace(decision, name="deployed")
    await work.git_events.decide(push, decision.name, decision.detail, deployment_ids)
    log.info(
        "push decided",
        repository=repository,
        ref=push.ref,
        commit=decision.commit or push.after,
        decision=decision.name,
        detail=decision.detail,
        deployment_ids=deployment_ids,
    )


async def _note(work: Work, push: Push, link: Link, repository: str, decision: Decision) -> None:
    """Where the ref stands now, and what the commit says."""
    organization_id = link.organization_id
    if push.head is not None:
        await work.git_events.add_commit(organization_id, repository, push.head, push.received_at)
    if decision.name == "deleted":
        await work.git_events.drop_head(organization_id, repository, push.ref)
    elif decision.moves_head:
        await work.git_events.move_head(organization_id, repository, push.ref, decision.commit, work.now)


async def _followers(work: Work, push: Push, link: Link, repository: str) -> list[Follower]:
    branch = push.ref.removeprefix(BRANCH)
    return [
        service
        for service in await work.git_events.followers(link.organization_id)
        if service.branch == branch and repository_key(service.url) == repository
    ]


async def _touched(work: Work, push: Push, followers: list[Follower]) -> list[Follower]:
    """Those whose restrictions to paths the push meets."""
    restrictions = await work.restrictions.of_services([service.id for service in followers])
    return [
        service
        for service in followers
        if allows(push.paths, [one for one in restrictions if one.service_id == service.id])
    ]


async def _deploy(
    app: Core, work: Work, push: Push, followers: list[Follower], commit: str
) -> tuple[list[str], list[str]]:
    """Ask for a deployment in every environment of those that are deployed by themselves. A stopped one stays so.

    The deployments, and why there are none where a freeze is in force.
    """
    wanted: dict[str, dict[str, Wish]] = defaultdict(dict)
    for service in followers:
        if service.auto_deploy and not service.stopped:
            wanted[service.environment_id][service.id] = Wish(commit=commit)
    found: list[str] = []
    frozen: list[str] = []
    for environment_id in sorted(wanted):
        ground = await deployments.locked(work, environment_id)
        request = Request(action=Action.DEPLOY, wishes=wanted[environment_id])
        try:
            run = await deployments.ask(app, work, ground, request, "push", push.pusher)
        except DeploymentsFrozen as fault:
            frozen.append(fault.detail)
        else:
            found.append(run.id)
    return found, frozen
