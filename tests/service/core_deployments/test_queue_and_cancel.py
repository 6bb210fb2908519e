"""One deployment at a time in an environment; those that wait say for what; cancels are acknowledged or enforced."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from slipway_contracts.base import uuid7
from slipway_contracts.schedules import FIRED, Fired
from slipway_contracts.tasks import ORDERED, Order, TaskState
from slipway_core.handlers import overdue
from slipway_testing.waiting import eventually

A, B, NONE = "a" * 40, "b" * 40, "0" * 40


async def deployed(control: Any, engine: Any, pushed: Any, name: str) -> str:
    """A service that runs commit A; its id."""
    id = str(await control.application(name))
    await pushed(control.push(name, NONE, A))
    await (await engine.take()).done()
    await (await engine.take()).done()

    async def shown() -> bool:
        return bool((await control.status(name))["state"] == "DEPLOYED")

    await eventually(shown)
    return id


async def orders(control: Any) -> list[Order]:
    found = []
    async for stored in control.app.bus.history(ORDERED, cluster_id=control.cluster_id):
        found.append(stored.message)
    return found


async def test_later_requests_wait_and_say_for_what(control: Any, engine: Any, pushed: Any) -> None:
    await deployed(control, engine, pushed, "web")
    await control.act("web", "redeploy")
    await control.act("web", "stop")
    await control.act("web", "restart-service")
    running, stop, restart = reversed((await control.deployments())[:3])
    assert running["started_at"]
    assert (stop["status"], stop["reason"]) == ("STOP_QUEUED", f"waits for deployment {running['number']}, position 1")
    assert (restart["status"], restart["reason"]) == (
        "RESTART_QUEUED",
        f"waits for deployment {running['number']}, position 2",
    )
    queue = await control.call("GET", f"/environment/{control.environment_id}/deploymentQueue")
    assert [one["identifier"]["deployment_request_id"] for one in queue["results"]] == [stop["id"], restart["id"]]
    assert [one["trigger_action"] for one in queue["results"]] == ["STOP", "RESTART"]
    of_service = await control.call("GET", f"/service/{control.services['web']}/deploymentQueue")
    assert len(of_service["results"]) == 2
    assert (await control.status("web"))["deployment_requests_count"] == 2
    for kind in ("deploy", "stop"):
        assert (await (await engine.take()).done()).kind == kind
    assert (await control.ended(restart["id"]))["reason"] == "nothing to do: everything is as asked for already"


async def test_the_same_persons_same_action_merges_and_anothers_waits_for_itself(
    control: Any, engine: Any, pushed: Any
) -> None:
    await deployed(control, engine, pushed, "web")
    await control.application("api")
    await control.act("web", "redeploy")
    environment = f"/environment/{control.environment_id}"
    stop = {"application_ids": [control.services["web"]]}
    await control.call("POST", f"{environment}/service/stop", stop)
    await control.call("POST", f"{environment}/service/stop", {"application_ids": [control.services["api"]]})
    await control.call("POST", f"{environment}/service/stop", stop, role="admin")
    waiting = [one for one in await control.deployments() if one["status"] == "STOP_QUEUED"]
    assert [one["triggered_by"].split("-")[0] for one in waiting] == ["admin", "owner"]


async def test_a_waiting_deployment_is_cancelled_by_its_id_and_the_others_move_up(
    control: Any, engine: Any, pushed: Any
) -> None:
    await deployed(control, engine, pushed, "web")
    await control.act("web", "redeploy")
    await control.act("web", "stop")
    await control.act("web", "restart-service")
    stop = (await control.deployments())[1]
    await control.call("POST", f"/deploymentQueue/{stop['id']}/cancelDeployment", {}, expect=202)
    restart, stop = (await control.deployments())[:2]
    assert (stop["status"], stop["ended_at"] is not None) == ("CANCELED", True)
    assert stop["reason"].startswith("canceled by owner")
    assert restart["reason"].endswith("position 1")
    refused = await control.call("POST", f"/deployment/{stop['id']}/cancel", {}, expect=409)
    assert refused["code"] == "deployment.nothing_to_cancel"


async def test_a_running_deployment_is_cancelled_when_its_engine_acknowledges(
    control: Any, engine: Any, pushed: Any
) -> None:
    await control.application("web")
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    await build.say(TaskState.STARTED)
    id = (await control.deployments())[0]["id"]
    answer = await control.call("POST", f"/environment/{control.environment_id}/cancelDeployment", expect=202)
    assert answer["state"] == "CANCELING"

    async def ordered() -> bool:
        return [(one.task_id, one.forced) for one in await orders(control)] == [(build.task.id, False)]

    await eventually(ordered)
    assert (await control.deployments())[0]["status"] == "CANCELING"
    await control.call("POST", f"/deployment/{id}/cancel", {"force_cancel": True}, expect=202)

    async def forced() -> bool:
        return [one.forced for one in await orders(control)] == [True]

    await eventually(forced)
    await build.say(TaskState.CANCELED)
    await build.delivery.ack()
    deployment = await control.ended()
    assert deployment["status"] == "CANCELED"
    assert [step["state"] for step in deployment["steps"]] == ["SUCCEEDED", "CANCELED", "CANCELED"]
    await control.call("POST", f"/environment/{control.environment_id}/cancelDeployment", expect=409)


async def test_a_cancel_that_nobody_acknowledges_ends_by_the_clock(control: Any, engine: Any, pushed: Any) -> None:
    await control.application("web")
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    await build.say(TaskState.STARTED)
    await control.call("POST", f"/environment/{control.environment_id}/cancelDeployment", expect=202)
    for seconds in (31, 62):
        await at(control, seconds)
    deployment = await control.ended()
    assert deployment["status"] == "CANCELED"
    assert "did not acknowledge" in deployment["steps"][1]["message"]
    await build.say(TaskState.SUCCEEDED)
    await pushed(control.push("web", A, B))
    assert (await engine.take()).task.fence == build.task.fence + 1
    assert (await control.deployments())[1]["status"] == "CANCELED"


async def at(control: Any, seconds: float) -> None:
    """Have the clock look as if that time had passed since the deployment's latest change."""
    app = control.app
    later = replace(app, clock=lambda: app.clock() + timedelta(seconds=seconds))
    await overdue.look(later)


async def test_a_silent_cluster_is_named(control: Any, pushed: Any) -> None:
    await control.application("web")
    await pushed(control.push("web", NONE, A))

    async def waits() -> bool:
        found = await control.deployments()
        return bool(found) and found[0]["status"] == "WAITING_RUNNING"

    await eventually(waits)
    await at(control, 40)
    assert (await control.deployments())[0]["reason"] == "no engine of cluster local has ever reported"
    await at(control, 160)
    assert (await control.deployments())[0]["status"] == "UNAVAILABLE"


async def test_an_engine_that_comes_late_gets_what_waited_for_it(control: Any, nats: Any, pushed: Any) -> None:
    await control.application("web")
    await pushed(control.push("web", NONE, A))

    async def waits() -> bool:
        return bool(await control.deployments())

    await eventually(waits)
    credentials = await nats.issue(control.cluster_id)
    async with nats.bus_with(credentials.engine_user, credentials.engine_password) as bus:
        engine = control.engine_on(bus)
        await engine.hello()

        async def known() -> bool:
            async with control.app.reading() as work:
                cluster = await work.clusters.get(control.cluster_id)
                return cluster is not None and cluster.public_key is not None

        await eventually(known)
        await at(control, 6)
        assert (await engine.take()).secrets().git_username == "slipway"


async def test_a_timetable_stops_and_starts_once_per_time(control: Any, engine: Any, pushed: Any, bus_as: Any) -> None:
    await deployed(control, engine, pushed, "web")
    scheduler = await bus_as("scheduler")

    def due(kind: str, hour: int) -> Fired:
        return Fired(
            schedule_id="s1",
            kind=kind,
            organization_id=control.organization_id,
            environment_id=control.environment_id,
            nominal_at=control.app.clock().replace(hour=hour, minute=0, second=0, microsecond=0),
            fired_at=control.app.clock(),
            reason="weekdays 8 to 18",
        )

    stop = due("environment-stop", 18)
    for _ in range(3):
        await scheduler.publish(FIRED, stop, kind=stop.kind)
    assert (await (await engine.take()).done()).kind == "stop"
    deployment = await control.ended()
    assert (deployment["status"], deployment["trigger"], deployment["triggered_by"]) == (
        "STOPPED",
        "schedule",
        "weekdays 8 to 18",
    )
    await scheduler.publish(FIRED, stop, kind=stop.kind)
    await scheduler.publish(FIRED, due("environment-start", 8), kind="environment-start")
    assert (await (await engine.take()).done()).kind == "start"

    async def started() -> bool:
        return [one["action"] for one in await control.deployments()] == ["START", "STOP", "DEPLOY"]

    await eventually(started)
    assert (await control.ended())["status"] == "DEPLOYED"
    await scheduler.publish(FIRED, due("environment-start", 9), kind="environment-start")
    foreign = due("environment-stop", 10)
    foreign = msgspec.structs.replace(foreign, organization_id=uuid7())
    await scheduler.publish(FIRED, foreign, kind=foreign.kind)

    async def handled() -> bool:
        async with control.app.pool.acquire() as connection:
            return bool(await connection.fetchval("SELECT count(*) FROM firings") >= 3)

    await eventually(handled)
    assert len(await control.deployments()) == 3
    assert await engine.nothing()


async def test_reports_doubled_late_and_in_any_order_change_nothing(control: Any, engine: Any, pushed: Any) -> None:
    await control.application("web")
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    await build.say(TaskState.SUCCEEDED, sequence=3, artifact="made")
    for state, sequence in ((TaskState.STARTED, 1), (TaskState.FAILED, 2), (TaskState.SUCCEEDED, 3)):
        await build.say(state, sequence=sequence)
    await build.say(TaskState.FAILED, fence=0, sequence=9)
    deploy = await engine.take()
    assert deploy.task.artifact == "made"
    await build.say(TaskState.FAILED, delivery=7, sequence=1)
    await deploy.done()
    deployment = await control.ended()
    assert (deployment["status"], deployment["steps"][1]["state"]) == ("DEPLOYED", "SUCCEEDED")


async def test_a_report_for_another_clusters_task_changes_nothing(
    control: Any, engine: Any, nats: Any, pushed: Any
) -> None:
    await control.application("web")
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    async with control.app.work() as work:
        other = uuid7()
        await work.clusters.add(other, control.organization_id, "other", "LOCAL", {})
    credentials = await nats.issue(other)
    async with nats.bus_with(credentials.engine_user, credentials.engine_password) as bus:
        foreign = control.engine_on(bus, other)
        build.engine = foreign
        await build.say(TaskState.FAILED)
        await build.say(TaskState.FAILED, cluster_id=other)
    build.engine = engine
    await build.done()
    await (await engine.take()).done()
    assert (await control.ended())["status"] == "DEPLOYED"


async def test_many_environments_move_at_once(control: Any, engine: Any, pushed: Any) -> None:
    """Reports of many deployments in one batch; each gets its own outcome."""
    names = [f"app{number}" for number in range(6)]
    for name in names:
        await control.application(name)
    await asyncio.gather(*(pushed(control.push(name, NONE, A)) for name in names))
    left = 2 * len(names)
    while left:
        await (await engine.take()).done()
        left -= 1

    async def over() -> bool:
        found = await control.deployments()
        return all(one["status"] == "DEPLOYED" for one in found) and bool(found)

    await eventually(over)
    assert {name: (await control.status(name))["state"] for name in names} == dict.fromkeys(names, "DEPLOYED")


async def test_what_waited_too_long_is_cancelled_and_the_rest_goes_on(control: Any, engine: Any, pushed: Any) -> None:
    await deployed(control, engine, pushed, "web")
    await control.act("web", "redeploy")
    await control.act("web", "stop")
    await control.act("web", "restart-service")
    stop = (await control.deployments())[1]
    async with control.app.pool.acquire() as connection:
        await connection.execute("UPDATE deployments SET due_at = now() WHERE id = $1", stop["id"])
    await overdue.look(control.app)
    ended = await control.ended(stop["id"])
    assert (ended["status"], ended["reason"][:29]) == ("CANCELED", "it waited for more than 24 h:")
    assert (await control.deployments())[0]["reason"].endswith("position 1")
    assert (await (await engine.take()).done()).kind == "deploy"
    assert (await (await engine.take()).done()).kind == "restart"
