"""Many cores side by side: the same report, request or push at several of them has its effect once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from slipway_contracts.tasks import TaskState
from slipway_core.handlers import deployments, git_events, overdue, reports
from slipway_core.machine import Action
from slipway_core.planner import Request, Wish
from slipway_testing.waiting import eventually

A, B, NONE = "a" * 40, "b" * 40, "0" * 40


@pytest.fixture
async def cores(control: Any) -> list[Any]:
    """Three more cores on the same database and bus."""
    return [replace(control.app) for _ in range(3)]


async def test_the_same_reports_at_several_cores_release_the_next_step_once(
    control: Any, engine: Any, pushed: Any, cores: list[Any]
) -> None:
    await control.application("web")
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    told = [build.report(state, artifact="made") for state in (TaskState.STARTED, TaskState.SUCCEEDED)]
    await asyncio.gather(*(reports.handle(core, told) for core in cores for _ in range(3)))
    await build.delivery.ack()
    deploy = await engine.take()
    assert (deploy.task.fence, deploy.task.artifact) == (2, "made")
    assert await engine.nothing()
    await deploy.done()
    assert (await control.ended())["status"] == "DEPLOYED"


async def test_many_requests_at_once_make_one_running_deployment(control: Any, engine: Any, cores: list[Any]) -> None:
    ids = [await control.application(f"app{number}") for number in range(4)]

    async def ask(core: Any, id: str) -> None:
        async with core.work() as work:
            ground = await deployments.locked(work, control.environment_id)
            request = Request(action=Action.DEPLOY, wishes={id: Wish(commit=A)})
            await deployments.ask(core, work, ground, request, "push")

    await asyncio.gather(*(ask(core, id) for core in cores for id in ids))
    found = await control.deployments()
    assert [one["number"] for one in found] == [2, 1]
    assert [bool(one["started_at"]) for one in found] == [False, True]
    assert set(found[0]["commits"]) | set(found[1]["commits"]) == set(ids)


async def test_one_push_at_several_cores_deploys_once(control: Any, engine: Any, cores: list[Any]) -> None:
    await control.application("web")
    push = control.push("web", NONE, A)
    await asyncio.gather(*(git_events.pushed(core, push) for core in cores for _ in range(3)))
    assert len(await control.deployments()) == 1
    await (await engine.take()).done()
    assert (await engine.take()).task.kind == "deploy"


async def test_pushes_that_arrive_in_any_order_end_on_the_newest(control: Any, engine: Any, cores: list[Any]) -> None:
    web = await control.application("web")
    commits = [f"{number:040x}" for number in range(1, 9)]
    pushes = [control.push("web", before, after) for before, after in zip([NONE, *commits], commits, strict=False)]
    await git_events.pushed(cores[0], pushes[0])
    for push in reversed(pushes[1:]):
        await git_events.pushed(cores[0], push)
    newest = {one["commits"][web] for one in await control.deployments() if not one["started_at"]}
    assert newest == {commits[-1]}


async def test_many_clocks_look_at_a_deployment_once(control: Any, engine: Any, pushed: Any, cores: list[Any]) -> None:
    await control.application("web")
    await pushed(control.push("web", NONE, A))
    build = await engine.take()
    await build.say(TaskState.STARTED)

    async def running() -> bool:
        return bool((await control.deployments())[0]["status"] == "BUILDING")

    await eventually(running)
    later = [replace(core, clock=lambda: control.app.clock() + timedelta(hours=1)) for core in cores]
    await asyncio.gather(*(overdue.look(core) for core in later for _ in range(3)))
    deployment = await control.ended()
    assert (deployment["status"], deployment["steps"][1]["code"]) == ("BUILD_ERROR", "step.timed_out")
    ended = [verb for verb, _ in control.views if verb == "ended"]
    assert len(ended) <= 1
