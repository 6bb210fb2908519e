"""New images: what a CI system or a registry tells of, and which services take it."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial

import structlog
from msgspec import UNSET

from slipway_contracts.access import Permission
from slipway_contracts.git import ImagePush
from slipway_core import images, service_rules
from slipway_core.api import answers, bodies
from slipway_core.app import Actor, Core, Work, found
from slipway_core.callers import actor_of
from slipway_core.handlers import deployments, services
from slipway_core.handlers.pictures import picture
from slipway_core.handlers.statuses import status
from slipway_core.machine import Action
from slipway_core.planner import Request, Wish
from slipway_core.problems import wrong
from slipway_core.stores.images import ImageUser
from slipway_core.stores.services import Service
from slipway_errors import Conflict, Forbidden, NotFound
from slipway_http import Call

log = structlog.get_logger()
DIGEST = "sha256:"
AutoDeploy = bodies.OrganizationContainerAutoDeployRequest | bodies.OrganizationJobAutoDeployRequest


class NotFollowed(Conflict):
    """No service takes new images by itself."""

    code = "image.not_followed"


# Told by a CI system


async def deploy(app: Core, call: Call[AutoDeploy], kind: str) -> answers.Status:
    """Deploy a tag in every service of a kind that comes from this image and deploys by itself.

    The answer is the status of the first of them; those that are at this tag already are left alone.
    """
    image, tag = named(call.body)
    async with app.work(actor_of(call)) as work:
        users = await users_of(work, call.place.organization_id, (kind,), image)
        mine = _allowed(call, users, image)
        chosen = [one for one in mine if one.auto_deploy and not one.stopped]
        if not chosen:
            raise NotFollowed(
                f"{len(mine)} services use {image}, none of which deploys by itself: switch auto_deploy on there, "
                "start those that are stopped, or deploy each.",
                services=[one.id for one in mine][:100],
            )
        await _roll_out(app, work, [one for one in chosen if one.tag != tag], tag, "image")
        one = await picture(app, work, chosen[0].environment_id)
        service = next(service for service in one.services if service.id == chosen[0].id)
        return status(one, service)


def named(body: AutoDeploy | bodies.OrganizationContainerPreviewRequest) -> tuple[str, str]:
    """Image and tag of a request; refused when they are none."""
    errors = []
    image = "" if body.image_name is UNSET else body.image_name
    tag = "" if body.tag is UNSET else body.tag
    if len(image) > 255 or not service_rules.IMAGE.fullmatch(images.split(image)[1]):
        errors.append(("$.image_name", "must be the name of an image, without its tag"))
    if not service_rules.TAG.fullmatch(tag):
        errors.append(("$.tag", "must be the tag of an image"))
    if errors:
        raise wrong(*errors)
    return image, tag


async def users_of(work: Work, organization_id: str, kinds: Iterable[str], image: str) -> list[ImageUser]:
    """The services of an organization that come from an image."""
    found_users = await work.images.users(organization_id, kinds, image.rpartition("/")[2])
    return [one for one in found_users if images.is_same(one.image_name, one.registry_url, image)]


def _allowed(call: Call[AutoDeploy], users: list[ImageUser], image: str) -> list[ImageUser]:
    """Those that the caller may deploy. Who sees some but may deploy none is told so."""
    may: Callable[[Permission, ImageUser], bool] = partial(_may, call)
    seen = [one for one in users if may(Permission.READ, one)]
    if not seen:
        raise NotFound(f"No service here comes from the image {image}.")
    mine = [one for one in seen if may(Permission.DEPLOY, one)]
    if not mine:
        raise Forbidden("This needs the permission `deploy` where the image is used.")
    return mine


def _may(call: Call[AutoDeploy], permission: Permission, one: ImageUser) -> bool:
    return call.caller.may(permission, services.place_in(call.place, one.project_id, one.mode))


# Told by a registry


async def pushed(app: Core, push: ImagePush) -> None:
    """A registry took an image: services that deploy by themselves take a moved tag, or a newer version."""
    tag = push.tag or push.digest.removeprefix(DIGEST)[:12]
    async with app.work(Actor(name=push.pusher or push.provider, origin="GIT")) as work:
        link = await work.git_events.link(push.link_id)
        if link is None:
            log.info("image by a link that is gone", link_id=push.link_id)
            return
        if not await work.git_events.accept_image(push, link.organization_id, work.now):
            return
        users = await users_of(work, link.organization_id, ("CONTAINER", "JOB"), push.image)
        chosen = [
            one
            for one in users
            if one.auto_deploy and not one.stopped and push.tag and images.follows(one.tag, push.tag)
        ]
        runs = await _roll_out(app, work, chosen, push.tag, "image", moved=True) if chosen else []
        decision, detail = _decision(push, users, chosen)
        await work.git_events.decide(push, decision, detail, runs)
    log.info("image decided", image=push.image, tag=tag, decision=decision, detail=detail, deployment_ids=runs)


def _decision(push: ImagePush, users: list[ImageUser], chosen: list[ImageUser]) -> tuple[str, str]:
    if chosen:
        return "deployed", ""
    if not users:
        return "not_followed", f"no service comes from {push.image}"
    if not push.tag:
        return "not_followed", "it was pushed without a tag"
    if not any(images.follows(one.tag, push.tag) for one in users):
        return "not_followed", f"{push.tag} is neither the tag of a service nor a newer version of it"
    return "followed", "followed, but deployed by hand, or stopped"


async def _roll_out(
    app: Core, work: Work, users: list[ImageUser], tag: str, trigger: str, moved: bool = False
) -> list[str]:
    """Put the tag into each service, and ask for a deployment of each environment. `moved`: the tag may be the same."""
    by_environment: dict[str, list[ImageUser]] = defaultdict(list)
    for one in users:
        by_environment[one.environment_id].append(one)
    runs = []
    for environment_id in sorted(by_environment):
        ground = await deployments.locked(work, environment_id)
        for one in by_environment[environment_id]:
            await retag(work, one.id, tag)
        wishes = {one.id: Wish() for one in by_environment[environment_id]}
        request = Request(action=Action.DEPLOY, wishes=wishes, redeploy=moved)
        runs.append((await deployments.ask(app, work, ground, request, trigger)).id)
    return runs


async def retag(work: Work, service_id: str, tag: str) -> Service:
    """Have a service come from another tag of its image."""
    before = found(await work.services.get(service_id, lock=True))
    config = dict(before.config)
    if before.kind == "JOB":
        source = config["source"]
        config["source"] = source | {"image": source["image"] | {"tag": tag}}
    else:
        config["tag"] = tag
    if config == before.config:
        return before
    after = await work.services.update(before.id, before.name, config, before.auto_deploy)
    place = found(await work.places.locate("service", service_id))
    await services.say(work, place, "updated", before, after)
    return after
