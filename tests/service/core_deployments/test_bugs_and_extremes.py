"""What goes wrong inside one deployment stays inside it; what is very large still fits the bus."""

from typing import Any

from slipway_contracts.tasks import TaskState
from slipway_core.handlers import deployments
from slipway_core.machine import Action
from slipway_core.planner import Request, Wish
from slipway_testing.waiting import eventually

A, B, NONE = "a" * 40, "b" * 40, "0" * 40


async def test_a_configuration_that_cannot_be_planned_ends_its_deployment_and_the_next_goes_on(
    control: Any, engine: Any, pushed: Any
) -> None:
    web = await control.application("web")
    await pushed(control.push("web", NONE, A))
    first = await engine.take()
    await control.act("web", "redeploy")
    await control.act("web", "stop")
    async with control.app.pool.acquire() as connection:
        broken = await connection.fetchval("UPDATE services SET config = config - 'ports' RETURNING config")
        await connection.execute("UPDATE services SET config = jsonb_set(config, '{ports}', '[{}]')")
    await first.done()
    await (await engine.take()).done()

    async def over() -> list[dict[str, Any]] | None:
        found = await control.deployments()
        return found if all(one["ended_at"] for one in found) else None

    stop, redeploy, _ = await eventually(over)
    assert broken
    assert (redeploy["status"], redeploy["steps"][0]["state"]) == ("DEPLOYMENT_ERROR", "FAILED")
    assert "could not plan deployment 2" in redeploy["reason"]
    assert stop["status"] == "STOP_ERROR"
    assert web


async def test_a_service_deleted_while_its_step_waits_fails_that_step_alone(control: Any, engine: Any) -> None:
    web = await control.application("web")
    other = await control.application("other")
    async with control.app.work() as work:
        ground = await deployments.locked(work, control.environment_id)
        wishes = {id: Wish(commit=A) for id in (web, other)}
        await deployments.ask(control.app, work, ground, Request(action=Action.DEPLOY, wishes=wishes), "manual")
    async with control.app.pool.acquire() as connection:
        await connection.execute("DELETE FROM services WHERE id = $1", other)
    for _ in range(2):
        await (await engine.take()).done()
    await (await engine.take()).done()
    deployment = await control.ended()
    assert deployment["status"] == "DEPLOYMENT_ERROR"
    assert deployment["reason"] == "other could not be deployed: other was deleted meanwhile."
    assert (await control.status("web"))["state"] == "DEPLOYED"


async def test_long_details_of_many_steps_still_fit_into_an_event(control: Any, engine: Any) -> None:
    ids = [await control.application(f"app{number}") for number in range(40)]
    async with control.app.work() as work:
        await work.clusters.update(control.cluster_id, "local", {"max_parallel_builds": 40})
        ground = await deployments.locked(work, control.environment_id)
        wishes = {id: Wish(commit=A) for id in ids}
        await deployments.ask(control.app, work, ground, Request(action=Action.DEPLOY, wishes=wishes), "manual")
    taken = [await engine.take() for _ in ids]
    for one in taken:
        await one.say(TaskState.FAILED, message="no", details="x" * 16_000)
    view = await control.heard("ended")
    assert view.status == "BUILD_ERROR"
    assert {len(step.details) for step in view.steps if step.state == "FAILED"} == {200}
    deployment = await control.ended()
    assert {len(step["details"]) for step in deployment["steps"] if step["state"] == "FAILED"} == {16_000}


async def test_a_cluster_that_knows_newer_fences_than_core_is_caught_up_with(
    control: Any, engine: Any, pushed: Any
) -> None:
    """Core's database came back from a backup; the cluster did not."""
    await control.application("web")
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    await build.say(TaskState.REFUSED, message="a newer fence")

    async def noted() -> bool:
        async with control.app.pool.acquire() as connection:
            return bool(await connection.fetchval("SELECT count(refused_at) FROM deployment_steps"))

    await eventually(noted)
    async with control.app.pool.acquire() as connection:
        await connection.execute(
            "UPDATE deployment_steps SET refused_at = refused_at - interval '2 minutes' WHERE refused_at IS NOT NULL"
        )
        await connection.execute("UPDATE deployments SET due_at = now()")
    assert (await control.ended())["status"] == "BUILD_ERROR"
    await control.act("web", "redeploy")
    assert (await engine.take()).task.fence > build.task.fence + 900
