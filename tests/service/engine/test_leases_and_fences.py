"""Engines die, sleep, lose the bus and come twice: each task takes effect once, and the newest stays."""

import asyncio
import os
import signal
from datetime import timedelta

from slipway_contracts.specs import ServiceSpec
from slipway_contracts.tasks import LEASE_SECONDS, TaskKind, TaskState
from slipway_testing import applications
from slipway_testing.waiting import eventually

SLOW = {**applications.web("slow"), "Procfile": 'build: python -c "import time; time.sleep(4)"\nweb: python app.py\n'}


def slow(seconds: float, text: str) -> dict[str, str]:
    build = f'build: python -c "import time; time.sleep({seconds})"\n'
    return {**applications.web(text), "Procfile": f"{build}web: python app.py\n"}


async def building(machine, task) -> None:
    """Wait until the task's build command runs."""
    await eventually(lambda: any("Running the build command" in line for line in machine.logs), 20)


async def test_an_engine_killed_in_the_middle_of_a_build_is_followed_by_another_one(machine, repository) -> None:
    task = machine.task(TaskKind.BUILD, machine.service(repository, repository.commit(slow(3, "x"))))
    await machine.send(task)
    await building(machine, task)
    machine.engines[0].kill()
    await machine.start_engine()
    report = await machine.final(task, LEASE_SECONDS + 40)
    assert (report.state, report.delivery) == (TaskState.SUCCEEDED, 2), report
    assert list(machine.layout.builds_dir.iterdir()) == []


async def test_an_engine_that_is_told_to_stop_hands_its_task_on_at_once(machine, repository) -> None:
    task = machine.task(TaskKind.BUILD, machine.service(repository, repository.commit(slow(12, "x"))))
    await machine.send(task)
    await building(machine, task)
    second = await machine.start_engine(stop_seconds=4)
    machine.engines[0].terminate()
    await eventually(lambda: machine.engines[0].returncode == 0, 20)
    report = await machine.final(task, LEASE_SECONDS)
    assert (report.state, report.engine_id) == (TaskState.SUCCEEDED, machine.hellos[-1].instance_id)
    assert second.returncode is None


async def test_an_engine_that_sleeps_through_its_lease_changes_nothing_when_it_wakes(machine, repository) -> None:
    service = machine.service(repository, repository.commit(slow(2, "first")))
    task = machine.task(TaskKind.BUILD, service)
    await machine.send(task)
    await building(machine, task)
    frozen = machine.engines[0]
    os.kill(frozen.pid, signal.SIGSTOP)
    await machine.start_engine()
    report = await machine.final(task, LEASE_SECONDS + 40)
    assert report.delivery == 2
    deployed = await machine.run(TaskKind.DEPLOY, service, artifact=report.artifact)
    assert deployed.state is TaskState.SUCCEEDED
    known = len(machine.reports)
    os.kill(frozen.pid, signal.SIGCONT)
    await eventually(lambda: any(one.state is TaskState.REFUSED for one in machine.reports[known:]), 20)
    refused = next(one for one in machine.reports[known:] if one.state is TaskState.REFUSED)
    assert (refused.task_id, refused.delivery) == (task.id, 1)
    assert await machine.page(service) == (200, "first")
    # The one that woke is sound: it takes tasks again.
    machine.engines[1].terminate()
    assert (await machine.run(TaskKind.RESTART, service)).state is TaskState.SUCCEEDED


async def test_an_engine_frozen_before_the_switch_can_not_switch_back(machine, repository) -> None:
    """The old deploy wakes with its new process ready; the upstream stays at the newer release."""
    files = {**applications.web("old"), "Procfile": "web: sleep 4; exec python app.py\n"}
    service = machine.service(repository, repository.commit(files), start_timeout_seconds=30)
    built = await machine.run(TaskKind.BUILD, service)
    newer = machine.service(repository, repository.commit(applications.web("newer")), id=service.id)
    newer_built = await machine.run(TaskKind.BUILD, newer)
    old = machine.task(TaskKind.DEPLOY, service, artifact=built.artifact)
    await machine.send(old)
    await eventually(lambda: any("Starting release" in line for line in machine.logs), 20)
    os.kill(machine.engines[0].pid, signal.SIGSTOP)
    await machine.start_engine()
    assert (await machine.run(TaskKind.DEPLOY, newer, artifact=newer_built.artifact)).state is TaskState.SUCCEEDED
    os.kill(machine.engines[0].pid, signal.SIGCONT)
    report = await machine.final(old, 30)
    assert report.state is TaskState.REFUSED
    assert await machine.page(service) == (200, "newer")
    # What the old one began is ended; whether once or, delivered again, twice, only the newer one runs.
    await eventually(lambda: set(machine.releases(service).values()) == {"failed", "running"}, 20)
    assert list(machine.releases(service).values()).count("running") == 1


async def test_a_task_older_than_the_services_fence_is_refused(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("one")))
    old = machine.task(TaskKind.BUILD, service)
    assert (await machine.ship(service)).state is TaskState.SUCCEEDED
    await machine.send(old)
    report = await machine.final(old)
    assert (report.state, report.code) == (TaskState.REFUSED, "task.fenced")


async def test_a_task_that_comes_again_after_its_end_is_answered_and_not_done_again(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("one")))
    await machine.ship(service)
    restart = machine.task(TaskKind.RESTART, service)
    await machine.send(restart)
    await machine.final(restart)
    release = machine.meta(service).current_release
    await machine.send(restart)

    async def all_done() -> bool:
        return (await machine.core.api("STREAM.INFO.TASKS"))["state"]["messages"] == 0

    await eventually(all_done)
    assert machine.meta(service).current_release == release
    assert {one.state for one in machine.reports if one.task_id == restart.id} == {
        TaskState.STARTED,
        TaskState.PROGRESS,
        TaskState.SUCCEEDED,
    }


async def test_a_task_past_its_deadline_is_not_begun(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("one")))
    task = machine.task(TaskKind.BUILD, service)
    report = await machine.run(TaskKind.BUILD, service, deadline_at=task.created_at)
    assert (report.state, report.code) == (TaskState.FAILED, "task.expired")


async def test_a_task_that_reaches_its_deadline_is_ended(machine, repository) -> None:
    service = machine.service(repository, repository.commit(slow(60, "x")))
    task = machine.task(TaskKind.BUILD, service)
    report = await machine.run(TaskKind.BUILD, service, deadline_at=task.created_at + timedelta(seconds=3))
    assert (report.state, report.code) == (TaskState.FAILED, "task.deadline")


async def test_cancel_ends_a_build_and_says_who(machine, repository) -> None:
    task = machine.task(TaskKind.BUILD, machine.service(repository, repository.commit(slow(60, "x"))))
    await machine.send(task)
    await building(machine, task)
    await machine.order(task)
    report = await machine.final(task, 10)
    assert (report.state, report.message) == (TaskState.CANCELED, "Canceled by Ada.")


async def test_cancel_ends_a_deploy_and_the_old_version_stays(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("old")))
    await machine.ship(service)
    hanging = machine.service(
        repository, repository.commit(applications.NEVER_LISTENS), id=service.id, start_timeout_seconds=60
    )
    built = await machine.run(TaskKind.BUILD, hanging)
    task = machine.task(TaskKind.DEPLOY, hanging, artifact=built.artifact)
    await machine.send(task)
    await eventually(lambda: len(list(machine.supervisor.programs.iterdir())) == 2)
    await machine.order(task, forced=True)
    assert (await machine.final(task, 10)).state is TaskState.CANCELED
    assert await machine.page(service) == (200, "old")
    assert len(list(machine.supervisor.programs.iterdir())) == 1


async def test_an_order_given_before_the_task_began_is_obeyed(machine, repository) -> None:
    task = machine.task(TaskKind.BUILD, machine.service(repository, repository.commit(slow(60, "x"))))
    await machine.order(task)
    await machine.send(task)
    assert (await machine.final(task, 10)).state is TaskState.CANCELED


async def test_an_order_given_while_the_bus_was_away_is_obeyed_after_it(own_machine, repository) -> None:
    machine = own_machine
    task = machine.task(TaskKind.BUILD, machine.service(repository, repository.commit(slow(60, "x"))))
    await machine.send(task)
    await building(machine, task)
    os.kill(machine.engines[0].pid, signal.SIGSTOP)
    await machine.order(task)
    await machine.nats.server.kill()
    await machine.nats.server.start()
    os.kill(machine.engines[0].pid, signal.SIGCONT)
    await eventually(lambda: machine.core.connected, 20)
    assert (await machine.final(task, 30)).state is TaskState.CANCELED


async def test_what_is_done_while_the_bus_is_away_is_reported_when_it_is_back(own_machine, repository) -> None:
    machine = own_machine
    service = machine.service(repository, repository.commit(slow(3, "alone")))
    task = machine.task(TaskKind.BUILD, service)
    await machine.send(task)
    await building(machine, task)
    await machine.nats.server.kill()
    finished = machine.layout.reports_dir / "finished" / f"{task.id}.json"
    await eventually(finished.exists, 20)
    await machine.nats.server.start()
    report = await machine.final(task, 40)
    assert report.state is TaskState.SUCCEEDED
    sequences = [one.sequence for one in machine.reports if one.task_id == task.id and one.delivery == report.delivery]
    assert sequences == sorted(sequences)
    assert (await machine.run(TaskKind.DEPLOY, service, artifact=report.artifact)).state is TaskState.SUCCEEDED


async def test_reports_of_a_dead_engine_are_sent_by_the_next_one(own_machine, repository) -> None:
    machine = own_machine
    task = machine.task(TaskKind.BUILD, machine.service(repository, repository.commit(slow(2, "x"))))
    await machine.send(task)
    await building(machine, task)
    await machine.nats.server.kill()
    await eventually((machine.layout.reports_dir / "finished" / f"{task.id}.json").exists, 20)
    machine.engines[0].kill()
    await machine.nats.server.start()
    await eventually(lambda: machine.core.connected, 20)
    await machine.start_engine()
    report = await machine.final(task, 20)
    assert (report.state, report.delivery) == (TaskState.SUCCEEDED, 1)


async def test_an_engine_says_hello_with_its_key_and_what_it_can(machine) -> None:
    hello = machine.hellos[-1]
    assert (hello.sender, len(hello.public_key), hello.cluster_id) == ("engine", 32, machine.cluster_id)
    assert {"local", "build", "sandbox"} <= set(hello.capabilities)
    assert (machine.directory / "engine.key").stat().st_mode & 0o777 == 0o600


async def test_an_unreadable_task_stops_nobody(machine, repository) -> None:
    await machine.core.publish_raw(f"tasks.{machine.cluster_id}", b'{"id": 3}')
    service = machine.service(repository, repository.commit(applications.web("one")))
    assert (await machine.run(TaskKind.BUILD, service)).state is TaskState.SUCCEEDED


async def test_builds_run_side_by_side(machine, repository) -> None:
    one: ServiceSpec = machine.service(repository, repository.commit(slow(3, "a")))
    two: ServiceSpec = machine.service(repository, repository.commit(slow(3, "b")))
    async with asyncio.timeout(20):
        tasks = [machine.task(TaskKind.BUILD, service) for service in (one, two)]
        for task in tasks:
            await machine.send(task)
        reports = [await machine.final(task) for task in tasks]
    spans = [(next(o.at for o in machine.reports if o.task_id == r.task_id), r.at) for r in reports]
    assert max(start for start, _ in spans) < min(end for _, end in spans)
