"""What runs, what it uses and why it stopped, as the control plane sees it."""

import os
import shutil
import signal
from typing import Any

import msgspec

from slipway_contracts.live import MEASURED, STATED, MetricSample, ServiceState
from slipway_contracts.tasks import REPORTED
from slipway_testing import eventually
from slipway_workloads import ServiceMeta, Status
from slipway_workloads.records import read, write

Machine = Any


async def state(machine: Machine, release: Any) -> ServiceState | None:
    ids = {"cluster_id": machine.cluster, "environment_id": machine.environment, "service_id": release.service.id}
    stored = await machine.core.last(STATED, **ids)
    return stored.message if stored else None


async def told(machine: Machine, release: Any, word: str, timeout_seconds: float = 20) -> ServiceState:
    async def is_so() -> ServiceState | None:
        found = await state(machine, release)
        return found if found is not None and found.state == word else None

    found = await eventually(is_so, timeout_seconds)
    assert found is not None
    return found


async def test_a_running_service_an_ending_one_and_one_that_is_gone(machine: Machine) -> None:
    release = machine.service()
    shim = machine.run(release, "/bin/sh", "-c", "exec sleep 1000")
    machine.start_agent(states_seconds="0.2")
    running = await told(machine, release, "RUNNING")
    process = running.processes[0]
    assert (process.name, process.commit, process.deployment_id) == ("web-20260101-1", "c1", "d1")
    assert process.started_at is not None
    status = read(release.status, Status)
    os.kill(status.pid, signal.SIGKILL)
    failed = await told(machine, release, "ERROR")
    assert "SIGKILL" in failed.processes[0].reason
    assert "started again" in failed.reason
    again = await told(machine, release, "RUNNING")
    assert again.processes[0].restarts == 1
    meta = read(release.service.meta, ServiceMeta)
    write(release.service.meta, msgspec.structs.replace(meta, desired="stopped"))
    shim.terminate()
    await told(machine, release, "STOPPED")
    shim.wait(10)
    machine.stop_agent()
    shutil.rmtree(release.service.root)
    machine.start_agent()

    async def deleted() -> bool:
        found = await state(machine, release)
        return found is not None and found.deleted

    assert await eventually(deleted, 20)


async def test_a_killed_shim_is_seen(machine: Machine) -> None:
    release = machine.service()
    shim = machine.run(release, "/bin/sh", "-c", "exec sleep 1000")
    machine.start_agent(states_seconds="0.2")
    await told(machine, release, "RUNNING")
    program = read(release.status, Status).pid
    shim.kill()
    shim.wait(5)
    os.kill(program, signal.SIGKILL)
    assert "watches over it" in (await told(machine, release, "ERROR")).reason


async def test_an_unchanged_state_is_told_once(machine: Machine) -> None:
    release = machine.service()
    machine.run(release, "/bin/sh", "-c", "exec sleep 1000")
    machine.start_agent(states_seconds="0.1", hello_seconds="0.5")
    await told(machine, release, "RUNNING")
    first = await state(machine, release)

    async def hellos() -> bool:
        return len([one async for one in machine.core.history(REPORTED) if one.message.hello]) >= 4

    await eventually(hellos, 20)
    last = await state(machine, release)
    assert last == first


async def test_cpu_and_memory_of_all_processes_are_measured(machine: Machine) -> None:
    release = machine.service()
    machine.run(release, "/bin/sh", "-c", "(while :; do :; done) & (while :; do :; done) & wait")
    machine.start_agent(metrics_seconds="1.0")

    async def measured() -> MetricSample | None:
        samples = [stored.message async for stored in machine.core.history(MEASURED)]
        return samples[-1] if len(samples) > 1 else None

    sample = await eventually(measured, 20)
    assert sample is not None
    process = sample.processes[0]
    assert process.cpu_milli > 200
    assert process.memory_bytes > 100_000
    assert (sample.cpu_limit_milli, sample.memory_limit_bytes) == (500, 512 * 1024 * 1024)
    machine.programs[0].kill()
    machine.programs[0].wait(5)
    import psutil

    for child in psutil.process_iter(["cmdline"]):
        if child.info["cmdline"] and "while :; do :; done" in " ".join(child.info["cmdline"]):
            child.kill()


async def test_the_agent_says_hello(machine: Machine) -> None:
    machine.start_agent(hello_seconds="0.5")

    async def heard() -> Any:
        return [one.message.hello async for one in machine.core.history(REPORTED)]

    hello = (await eventually(heard, 20))[0]
    assert (hello.sender, hello.cluster_id) == ("agent", machine.cluster)
    assert "exec" in hello.capabilities
    assert machine.stop_agent() == 0
