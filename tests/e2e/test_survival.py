"""Processes die under the platform: nothing is lost, nothing hangs, what runs goes on."""

import asyncio
import os
import signal
import time
from pathlib import Path

from slipway_testing import applications
from slipway_testing.platform import Environment, until

FROZEN_SECONDS = 60
SLOW_BUILD = {
    **applications.web("built slowly"),
    "requirements.txt": "",
    "Procfile": 'build: python -c "import time; time.sleep(8)"\nweb: python app.py\n',
}


async def running_step(environment: Environment, kind: str) -> dict:
    async def found() -> dict | None:
        history = await environment.platform.api("GET", f"/environment/{environment.id}/deployments")
        for deployment in history["results"]:
            for step in deployment["steps"]:
                if step["kind"].lower() == kind and step["state"] == "RUNNING":
                    return dict(step)
        return None

    return dict(await until(found, 60, f"a running {kind} step"))


async def test_an_engine_killed_in_the_middle_of_a_build_finishes_it_after_its_restart(
    environment: Environment, work: Path
) -> None:
    web = await environment.application("web", SLOW_BUILD, work)
    commit = await web.push()
    await running_step(environment, "build")
    await environment.platform.kill("engine")
    deployment = await web.deployed(commit, timeout_seconds=150)
    assert deployment["status"] == "DEPLOYED", deployment
    assert await web.page() == (200, "built slowly")


async def test_core_killed_in_the_middle_of_a_deployment_forgets_nothing(environment: Environment, work: Path) -> None:
    web = await environment.application("web", SLOW_BUILD, work)
    commit = await web.push()
    await running_step(environment, "build")
    await environment.platform.kill("core")

    async def back() -> bool:
        async with environment.platform.session.get(
            f"http://127.0.0.1:{environment.platform.port}/api/openapi.json"
        ) as a:
            return a.status == 200

    await until(back, 60, "core")
    deployment = await web.deployed(commit, timeout_seconds=150)
    assert deployment["status"] == "DEPLOYED", deployment


async def test_workloads_serve_on_while_the_whole_control_plane_is_dead(environment: Environment, work: Path) -> None:
    web = await environment.application("web", applications.web("alive"), work)
    await web.deployed(await web.push())
    for name in ("core", "engine", "agent", "webhooks", "websocket", "scheduler", "shell", "git"):
        await environment.platform.kill(name)
    assert await web.page() == (200, "alive")

    async def back() -> bool:
        status = await environment.platform.status()
        return all(process["state"] == "RUNNING" for process in status["processes"].values())

    await until(back, 60, "all processes")


async def test_servers_killed_one_after_the_other_come_back_and_a_push_goes_through(
    environment: Environment, work: Path
) -> None:
    web = await environment.application("web", applications.web("before"), work)
    await web.deployed(await web.push())
    label = await web.label()
    statuses: set[int] = set()

    async def api_answers() -> bool:
        async with environment.platform.session.get(
            f"http://127.0.0.1:{environment.platform.port}/api/application/{web.id}",
            headers={"Authorization": f"Token {environment.platform.token}"},
        ) as answer:
            statuses.add(answer.status)
            return answer.status == 200

    for name in ("nats", "postgres", "valkey"):
        await environment.platform.kill(name)
        assert await environment.platform.page(label) == (200, "before")
        await until(api_answers, 60, f"the API after {name} came back")
    assert statuses <= {200, 503}

    web.write(applications.web("after"))
    deployment = await web.deployed(await web.push(), timeout_seconds=120)
    assert deployment["status"] == "DEPLOYED", deployment
    assert await web.page() == (200, "after")


async def test_an_engine_that_sleeps_through_its_lease_is_stopped_by_its_fence(
    environment: Environment, work: Path
) -> None:
    """Freeze the engine in a build, let another engine take the task over and finish, wake the first one."""
    web = await environment.application("web", SLOW_BUILD, work)
    commit = await web.push()
    await running_step(environment, "build")
    frozen = await environment.platform.pid("engine")
    os.kill(frozen, signal.SIGSTOP)
    stopped_at = time.monotonic()
    second = await second_engine(frozen, work)
    try:
        deployment = await web.deployed(commit, timeout_seconds=180)
        assert deployment["status"] == "DEPLOYED", deployment
        web.write(applications.web("newer"))
        newer = await web.deployed(await web.push(), timeout_seconds=120)
        assert newer["status"] == "DEPLOYED", newer
        while time.monotonic() - stopped_at < FROZEN_SECONDS:
            assert await web.page() == (200, "newer")
            await asyncio.sleep(0.5)
        os.kill(frozen, signal.SIGCONT)
        # The old engine wakes in the middle of the first build; whatever it does, the newer page stays.
        for _ in range(50):
            assert await web.page() == (200, "newer")
            await asyncio.sleep(0.2)
        assert (await web.deployments())[0]["id"] == newer["id"]
    finally:
        os.kill(frozen, signal.SIGCONT)
        second.terminate()
        await asyncio.wait_for(second.wait(), 30)


async def second_engine(pid: int, work: Path) -> asyncio.subprocess.Process:
    """Another engine of the same cluster, started with the first one's command and environment."""
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    env = dict(entry.decode().split("=", 1) for entry in environ if b"=" in entry)
    argv = [part.decode() for part in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") if part]
    with (work / "second-engine.log").open("wb") as log:
        return await asyncio.create_subprocess_exec(*argv, env=env, stdout=log, stderr=log)
