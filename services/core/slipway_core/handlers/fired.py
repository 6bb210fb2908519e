"""Timetables: start and stop an environment when the scheduler says that it is due, once per nominal time."""

import structlog

from slipway_contracts.schedules import Fired
from slipway_core import planner
from slipway_core.app import Actor, Core
from slipway_core.handlers import deployments
from slipway_core.handlers.situations import situation
from slipway_core.machine import Action
from slipway_core.planner import Request

ACTIONS = {"environment-start": Action.START, "environment-stop": Action.STOP}
log = structlog.get_logger()


async def fired(app: Core, message: Fired) -> None:
    """Start or stop the environment, unless it is so already."""
    action = ACTIONS.get(message.kind)
    if action is None:
        log.info("schedule of another kind", kind=message.kind)
        return
    actor = Actor(id=message.schedule_id, name=message.reason or "timetable")
    async with app.work(actor) as work:
        await work.deployments.lock([message.environment_id])
        ground = await work.deployments.ground(message.environment_id)
        if ground is None or ground.organization_id != message.organization_id:
            log.info("schedule of an environment that is gone", environment_id=message.environment_id)
            return
        if not await work.git_events.fire(message.schedule_id, message.nominal_at, work.now):
            return
        request = Request(action=action, everything=True)
        made = planner.plan(await situation(app, work, ground, request), request)
        if made.steps:
            await deployments.ask(app, work, ground, request, "schedule")
