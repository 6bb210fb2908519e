"""What ended steps and deployments leave behind: the release in place, the state shown, rows that are gone."""

from slipway_contracts.base import uuid7
from slipway_contracts.tasks import TaskKind
from slipway_core.app import Work
from slipway_core.machine import Action, State, StepState
from slipway_core.progress import Run, Step, service_state

ARTIFACT_GONE = "deploy.artifact_missing"
"""The engine no longer has what was built."""
REFUSED = "task.refused"
"""The cluster knows a newer fence than we do: our database was restored from a backup."""


async def of_steps(work: Work, ended: list[Step]) -> None:
    """Steps that have just ended."""
    await work.durations.note(_durations(ended))
    for step in ended:
        if step.state is StepState.SUCCEEDED:
            await _succeeded(work, step)
        elif step.code == ARTIFACT_GONE:
            await work.releases.forget_artifact(step.service_id, step.artifact)
        elif step.code == REFUSED:
            await work.steps.leap_fence(step.service_id)


def _durations(ended: list[Step]) -> list[tuple[str, str, float]]:
    """How long the good ones took, for the guesses to come."""
    return [
        (step.service_id, step.kind, (step.ended_at - step.started_at).total_seconds())
        for step in ended
        if step.state is StepState.SUCCEEDED and step.service_id and step.started_at and step.ended_at
    ]


async def _succeeded(work: Work, step: Step) -> None:
    match step.kind:
        case TaskKind.DEPLOY:
            await work.releases.put(uuid7(), step.service_id, step.id, work.now)
        case TaskKind.START | TaskKind.RESTART:
            await work.releases.running(step.service_id, True)
        case TaskKind.STOP:
            await work.releases.running(step.service_id, False)


async def of_services(work: Work, run: Run, service_ids: set[str]) -> None:
    """What the public API says of these services now."""
    for service_id in service_ids:
        state = service_state(run, service_id)
        if state is not None:
            await work.releases.state(service_id, state, run.id, work.now)


async def of_end(work: Work, run: Run) -> bool:
    """Remove the services that a DELETE was for and that no engine holds any more. True: the environment can go too."""
    if run.action is not Action.DELETE:
        return False
    gone = {step.service_id for step in run.steps if step.state in (StepState.SUCCEEDED, StepState.SKIPPED)}
    for service_id in sorted(gone - {""}):
        await remove_service(work, service_id)
    if run.status is not State.DELETED or not run.request.delete_environment:
        return False
    return not await work.environments.used_by(run.environment_id)


async def remove_service(work: Work, service_id: str) -> None:
    """Remove a service that no engine holds any more, and say so."""
    service = await work.services.get(service_id, lock=True)
    place = await work.places.locate("service", service_id)
    if service is None or place is None:
        return
    link = await work.git_links.of_service(service_id)
    if link is not None:
        await work.git_links.hand_over(service_id)
        await work.copies.add("git-links", [link.id])
    await work.services.delete(service_id)
    await work.changed("service", "deleted", place, id=service_id, name=service.name, target=service.kind)


async def remove_environment(work: Work, environment_id: str) -> None:
    """Remove an environment without services, and say so."""
    environment = await work.environments.get(environment_id)
    place = await work.places.locate("environment", environment_id)
    if environment is None or place is None:
        return
    await work.environments.delete(environment_id)
    await work.changed("environment", "deleted", place, id=environment.id, name=environment.name)
