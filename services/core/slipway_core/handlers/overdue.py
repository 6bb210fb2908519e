"""The clock: what has taken too long, or waits for an engine that is silent, is looked at here.

Any number of replicas may look; an environment that another one is working on is left to it.
"""

import asyncio
from datetime import timedelta

import structlog

from slipway_core import deadlines, machine, progress
from slipway_core.app import Core, Work
from slipway_core.handlers import approvals, deployments
from slipway_core.progress import WAITING, Run
from slipway_core.stores.deployments import Ground
from slipway_errors import Fault

POLL_SECONDS = 1.0
ENVIRONMENTS_PER_LOOK = 50
log = structlog.get_logger()


async def watch(app: Core, stopping: asyncio.Event) -> None:
    """Look until `stopping`; a database that is away is waited for."""
    while not stopping.is_set():
        try:
            await look(app)
        except Fault as fault:
            log.warning("clock waits", reason=fault.detail)
        try:
            await asyncio.wait_for(stopping.wait(), POLL_SECONDS)
        except TimeoutError:
            continue


async def look(app: Core) -> int:
    """Look at everything that is due; how many environments there were."""
    async with app.reading() as reading:
        due = await reading.deployments.due(reading.now, ENVIRONMENTS_PER_LOOK)
    for environment_id in dict.fromkeys(due):
        try:
            async with app.work() as work:
                if await work.deployments.try_lock(environment_id):
                    await _look_at(app, work, environment_id)
        except Fault:
            raise
        except Exception:
            log.exception("clock stumbled", environment_id=environment_id)
    return len(due)


async def _look_at(app: Core, work: Work, environment_id: str) -> None:
    ground = await work.deployments.ground(environment_id)
    if ground is None:
        return
    due = (run for run in await work.deployments.open(environment_id) if run.due_at and run.due_at <= work.now)
    # One at a time: what is done about it may start or end others. They are still due at the next look.
    run = next(due, None)
    if run is None:
        return
    if run.started_at is None:
        if run.approval == WAITING:
            await approvals.expire(app, work, ground, run)
        else:
            await deployments.stop(app, work, ground, run, False, _waited_too_long(run))
    else:
        await _look_at_running(app, work, ground, run)


def _waited_too_long(run: Run) -> str:
    limit = machine.STATES[run.status].limit_seconds or 0.0
    return f"it waited for more than {limit / machine.HOUR:g} h: {run.reason}"


async def _look_at_running(app: Core, work: Work, ground: Ground, run: Run) -> None:
    run.steps = (await work.steps.of([run.id])).get(run.id, [])
    deployments.settle(run, ground)
    deadlines.look(run, work.now, ground.engine_seen_at, ground.cluster_name)
    news = run.changed or run.orders or any(step.changed for step in run.steps)
    if news or (run.engine_known and not run.active()):
        await deployments.proceed(app, work, ground, run)
        return
    run.due_at = progress.next_look(run, work.now) or work.now + timedelta(seconds=progress.LOOK_SECONDS)
    await work.deployments.postpone(run.id, run.due_at)
