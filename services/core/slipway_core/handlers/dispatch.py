"""Steps become tasks: fenced, sealed for the cluster's engines, and sent with the transaction that releases them.

Variables are resolved when the step goes out, and leave this module only sealed.
"""

from datetime import timedelta

import msgspec

from slipway_contracts.access import GIT_AUDIENCE
from slipway_contracts.base import uuid7
from slipway_contracts.specs import ServiceSpec, TaskSecrets, TaskVariable
from slipway_contracts.tasks import ORDERED, TASK, Order, Task, TaskKind
from slipway_core import machine, rollbacks
from slipway_core.app import Core, Work
from slipway_core.handlers import outside, snapshots
from slipway_core.handlers.effective import effective
from slipway_core.handlers.registry_logins import registry_login
from slipway_core.planner import Wish
from slipway_core.problems import ServiceGone
from slipway_core.progress import CANCEL_FORCED, Run, Step
from slipway_core.stores.deployments import Ground
from slipway_core.variables import Effective
from slipway_security import jwt, sealing

NEED_VARIABLES = frozenset({TaskKind.BUILD, TaskKind.DEPLOY})
GIT_USER = "slipway"
GIT_TOKEN_SPARE_SECONDS = 600.0


async def send(app: Core, work: Work, ground: Ground, run: Run, step: Step) -> None:
    """Send a released step to its cluster. A Fault says why it can't go out."""
    planned = await work.steps.planned(step.id)
    fence = await work.steps.next_fence(step.service_id)
    if planned is None or fence is None or ground.public_key is None:
        raise ServiceGone(f"{step.service_name} was deleted meanwhile.")
    step.task_id, step.fence, step.changed = uuid7(), fence, True
    wish = run.request.wishes.get(step.service_id, Wish())
    secrets = await _secrets(app, work, ground, planned.spec, step, wish)
    bound_to = f"{ground.cluster_id}:{step.task_id}"
    task = Task(
        id=step.task_id,
        kind=TaskKind(step.kind),
        fence=fence,
        organization_id=run.organization_id,
        project_id=run.project_id,
        environment_id=run.environment_id,
        service_id=step.service_id,
        cluster_id=ground.cluster_id,
        deployment_id=run.id,
        step_id=step.id,
        service=planned.spec,
        artifact=_artifact(run, step),
        event=step.event,
        sealed_secrets=sealing.seal(ground.public_key, msgspec.json.encode(secrets), bound_to),
        deadline_at=work.now + timedelta(seconds=machine.READY_SECONDS + step.limit_seconds),
        created_at=work.now,
    )
    await work.outbox.add(
        TASK, task, id=task.id, aggregate=f"service.{step.service_id}.tasks", cluster_id=ground.cluster_id
    )


def _artifact(run: Run, step: Step) -> str:
    """What the step's build made, or what was known when it was planned."""
    made = [other.artifact for other in run.steps if other.id in step.depends_on and other.artifact]
    if made:
        step.artifact = made[0]
    return step.artifact


async def _secrets(app: Core, work: Work, ground: Ground, spec: ServiceSpec, step: Step, wish: Wish) -> TaskSecrets:
    if step.kind not in NEED_VARIABLES and not step.event:
        return TaskSecrets()
    resolved = await _variables(app, work, ground, spec, step, wish)
    variables = [
        TaskVariable(key=one.key, value=one.value, secret=one.is_secret, mount_path=one.mount_path) for one in resolved
    ]
    if step.kind == TaskKind.BUILD and spec.image is not None:
        registry = await registry_login(app, work, ground.organization_id, spec.image)
        return TaskSecrets(variables=variables, registry=registry)
    if step.kind != TaskKind.BUILD or spec.git is None:
        return TaskSecrets(variables=variables)
    repository = built_in_repository(app.settings.public_url, spec.git.url)
    if not repository:
        service = await work.services.get(step.service_id)
        if service is None:
            return TaskSecrets(variables=variables)
        user, token = await outside.git_login(app, work, ground.organization_id, service, spec.git.url)
        return TaskSecrets(variables=variables, git_username=user, git_password=token)
    password = jwt.issue(
        app.signing_key,
        f"engine:{ground.cluster_id}",
        GIT_AUDIENCE,
        machine.READY_SECONDS + step.limit_seconds + GIT_TOKEN_SPARE_SECONDS,
        repository=repository,
    )
    return TaskSecrets(variables=variables, git_username=GIT_USER, git_password=password)


async def _variables(
    app: Core, work: Work, ground: Ground, spec: ServiceSpec, step: Step, wish: Wish
) -> list[Effective]:
    """What a service gets now, or what a release that is gone back to ran with; kept with what is put into place."""
    found = await effective(app, work, ground, spec, building=step.kind == TaskKind.BUILD)
    if wish.release_id:
        then = (await snapshots.read(app, work, [wish.release_id])).get(wish.release_id)
        found = found if then is None else rollbacks.variables(then, found, wish.old_secrets)
    if step.kind == TaskKind.DEPLOY:
        await snapshots.keep(app, work, ground.organization_id, step.id, found)
    return found


def built_in_repository(public_url: str, url: str) -> str:
    """`<project>/<service>` when the URL is one of the built-in remote, else empty."""
    prefix = public_url.rstrip("/") + "/git/"
    return url.removeprefix(prefix).removesuffix(".git") if url.startswith(prefix) else ""


async def order(work: Work, run: Run) -> None:
    """Tell engines about the tasks that must end."""
    for step in run.orders:
        if not step.task_id:
            continue
        forced = step.cancel == CANCEL_FORCED or step.ended
        message = Order(task_id=step.task_id, cancel=True, forced=forced, reason=run.reason, at=work.now)
        await work.outbox.add(
            ORDERED,
            message,
            id=uuid7(),
            aggregate=f"service.{step.service_id}.tasks",
            cluster_id=run.cluster_id,
            task_id=step.task_id,
        )
    run.orders.clear()
