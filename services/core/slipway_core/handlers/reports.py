"""What engines report of their tasks: each report takes effect once, many in one transaction."""

from collections import defaultdict
from collections.abc import Sequence

import structlog

from slipway_contracts.tasks import ClusterReport, Report
from slipway_core import progress
from slipway_core.app import Core, Work
from slipway_core.gathering import Gathered
from slipway_core.handlers import deployments
from slipway_core.progress import Run

log = structlog.get_logger()


async def handle(app: Core, reports: Sequence[Report]) -> None:
    """Take reports in, in their order. The same one again, an old one, or one of another cluster changes nothing."""
    by_task: dict[str, list[Report]] = defaultdict(list)
    for report in reports:
        by_task[report.task_id].append(report)
    async with app.work() as work:
        await work.deployments.lock(await work.deployments.environments_of_tasks(by_task))
        runs = await work.deployments.open_of_tasks(by_task)
        steps = await work.steps.of(run.id for run in runs)
        for run in sorted(runs, key=lambda run: run.id):
            run.steps = steps.get(run.id, [])
            await _apply(app, work, run, by_task)


async def _apply(app: Core, work: Work, run: Run, by_task: dict[str, list[Report]]) -> None:
    news = False
    for step in run.steps:
        for report in by_task.get(step.task_id, []):
            if report.cluster_id != run.cluster_id:
                log.warning("report of another cluster", task_id=report.task_id, cluster_id=report.cluster_id)
                continue
            news |= progress.apply(run, report, work.now)
    if not news:
        return
    ground = await work.deployments.ground(run.environment_id)
    if ground is not None:
        await deployments.proceed(app, work, ground, run)


gathered: Gathered[Core, Report] = Gathered(handle)


async def reported(app: Core, message: ClusterReport, cluster_id: str) -> None:
    """One message of a cluster. `cluster_id` comes from the subject, for which the server vouches."""
    if message.report is None:
        return
    if message.report.cluster_id != cluster_id:
        log.warning("report under another name", cluster_id=cluster_id, said=message.report.cluster_id)
        return
    await gathered(app, message.report)
