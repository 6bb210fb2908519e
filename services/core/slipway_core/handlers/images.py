"""Containers are deployed at a tag: the one asked for becomes the service's own, and the next deployment keeps it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from slipway_core.api import answers, bodies
from slipway_core.app import Core
from slipway_core.callers import actor_of
from slipway_core.handlers import actions, services, statuses
from slipway_core.machine import Action
from slipway_core.problems import wrong
from slipway_core.service_rules import TAG
from slipway_http import Call


async def deploy_container(app: Core, call: Call[bodies.ContainerDeployRequest | None]) -> answers.Status:
    """Deploy a container: at the tag that is given, or the one it has."""
    if call.body is not None:
        await retag(app, call, {call.place.service_id: call.body.image_tag})
    await actions.ask(app, call, actions.one(call, Action.DEPLOY))
    return await statuses.of_service(app, call)


async def deploy_services(app: Core, call: Call[bodies.DeployAllRequest]) -> answers.EnvironmentStatus:
    """Deploy the named services, each at its commit or tag."""
    named = [] if isinstance(call.body.containers, UnsetType) else call.body.containers
    tags = {one.id.lower(): one.image_tag for one in named if one.id is not UNSET and one.image_tag is not UNSET}
    await retag(app, call, tags)
    return await actions.deploy_services(app, call)


async def retag(app: Core, call: Call[Any], tags: Mapping[str, str]) -> None:
    """Set the tags of containers (service id → tag)."""
    errors = [("$.image_tag", "is no tag of an image") for tag in tags.values() if not TAG.fullmatch(tag)]
    if errors:
        raise wrong(*errors)
    async with app.work(actor_of(call)) as work:
        for id in sorted(tags):
            before = await work.services.get(id, lock=True)
            here = before is not None and before.environment_id == call.place.environment_id
            if before is None or not here or before.kind != "CONTAINER" or before.config["tag"] == tags[id]:
                continue
            config = before.config | {"tag": tags[id]}
            service = await work.services.update(before.id, before.name, config, before.auto_deploy)
            place = msgspec.structs.replace(call.place, service_id=service.id)
            await services.say(work, place, "updated", before, service)
