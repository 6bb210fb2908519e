"""Deploys under load: no request fails, and what is open goes on with the old version until it is done."""

import asyncio
import time

import aiohttp
import pytest

from slipway_contracts.tasks import TaskKind, TaskState
from slipway_testing import applications
from slipway_testing.waiting import eventually
from slipway_workloads import Status, processes
from slipway_workloads.records import read


@pytest.fixture
async def session():
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


def address(machine, service) -> tuple[str, dict[str, str]]:
    return f"http://127.0.0.1:{machine.caddy.port}", {"Host": f"{service.label}.localhost:{machine.caddy.port}"}


async def deploy(machine, repository, service, text):
    newer = machine.service(repository, repository.commit(applications.web(text)), id=service.id)
    report = await machine.ship(newer)
    assert report.state is TaskState.SUCCEEDED, report


async def test_no_request_fails_while_versions_change_and_open_connections_stay(machine, repository, session) -> None:
    service = machine.service(repository, repository.commit(applications.web("0")))
    await machine.ship(service)
    url, headers = address(machine, service)
    failures: list[str] = []
    texts: set[str] = set()
    stop = asyncio.Event()

    async def one() -> None:
        try:
            async with session.get(url, headers=headers) as answer:
                texts.add(await answer.text())
                if answer.status != 200:
                    failures.append(str(answer.status))
        except aiohttp.ClientError as error:
            failures.append(repr(error))

    async def load() -> None:
        began, sent = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(one())
                sent += 1
                await asyncio.sleep(max(0.0, began + sent / 100 - time.monotonic()))

    async def download() -> int:
        async with session.get(f"{url}/slow?seconds=8", headers=headers) as answer:
            return len(await answer.read())

    loading = asyncio.create_task(load())
    socket = await session.ws_connect(f"{url}/ws", headers=headers)
    downloading = asyncio.create_task(download())
    for number in range(1, 5):
        await deploy(machine, repository, service, str(number))
    await socket.send_str("still there")
    assert (await socket.receive(timeout=5)).data == "still there"
    assert await downloading == 800
    stop.set()
    await loading
    await socket.close()
    assert failures == []
    assert texts == {"0", "1", "2", "3", "4"}
    await eventually(lambda: sorted(set(machine.releases(service).values())) == ["running", "stopped"], 25)
    assert len(list(machine.supervisor.programs.iterdir())) == 1


async def test_draining_goes_on_after_the_engine_was_killed_and_ends_at_its_limit(machine, repository, session) -> None:
    await machine.stop_engines()
    await machine.start_engine(drain_seconds=4)
    service = machine.service(repository, repository.commit(applications.web("0")))
    await machine.ship(service)
    url, headers = address(machine, service)
    first = machine.layout.service(service.id).release(machine.meta(service).current_release)
    pid = read(first.status, Status).pid
    socket = await session.ws_connect(f"{url}/ws", headers=headers)
    await deploy(machine, repository, service, "1")
    machine.engines[-1].kill()
    await machine.engines[-1].wait()
    await machine.start_engine(drain_seconds=4)
    await socket.send_str("hello")
    assert (await socket.receive(timeout=5)).data == "hello"
    await eventually(lambda: not processes.alive(pid), 20)
    assert await machine.page(service) == (200, "1")
    await socket.close()


async def test_what_a_retired_release_knew_is_gone(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("0")))
    await machine.ship(service, {"TOKEN": "top-secret-value"})
    first = machine.layout.service(service.id).release(machine.meta(service).current_release)
    assert first.launch.stat().st_mode & 0o777 == 0o600
    await deploy(machine, repository, service, "1")
    await eventually(lambda: machine.releases(service)[first.name] == "stopped", 20)
    await eventually(lambda: not first.launch.exists() and not first.source.exists(), 10)
    assert not [path for path in first.service.root.rglob("*") if path.is_file() and b"top-secret" in path.read_bytes()]


async def test_the_last_releases_can_be_deployed_again_without_a_build(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("0")))
    built = await machine.run(TaskKind.BUILD, service)
    await machine.run(TaskKind.DEPLOY, service, artifact=built.artifact)
    await deploy(machine, repository, service, "1")
    back = await machine.run(TaskKind.DEPLOY, service, artifact=built.artifact)
    assert back.state is TaskState.SUCCEEDED
    assert await machine.page(service) == (200, "0")


async def test_a_version_that_is_no_longer_there_is_said_so(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("0")))
    for artifact in ("0" * 40, "../../etc", ""):
        report = await machine.run(TaskKind.DEPLOY, service, artifact=artifact)
        assert report.code == "deploy.artifact_missing"


async def test_a_route_survives_caddys_restart_and_new_names_are_added(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("0")))
    await machine.ship(service)
    await machine.caddy.stop()
    await machine.caddy.start()
    assert await machine.page(service) == (200, "0")
    names = [f"{service.label}.localhost", "shop.example.org"]
    renamed = machine.service(repository, repository.save(), id=service.id, hostnames=names)
    assert (await machine.ship(renamed)).state is TaskState.SUCCEEDED
    async with aiohttp.ClientSession() as session:
        url, _ = address(machine, service)
        async with session.get(url, headers={"Host": "shop.example.org"}) as answer:
            assert (answer.status, await answer.text()) == (200, "0")


async def test_a_crashed_program_is_started_again_by_itself(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("0")))
    await machine.ship(service)
    release = machine.layout.service(service.id).release(machine.meta(service).current_release)
    await machine.stop_engines()
    old = read(release.status, Status)
    import os

    for pid in processes.descendants(old.pid):
        os.kill(pid, 9)
    await eventually(lambda: (read(release.status, Status) or old).restarts == 1, 15)

    async def answers() -> bool:
        return await machine.page(service) == (200, "0")

    await eventually(answers, 15)
