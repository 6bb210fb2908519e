"""Jobs run to their end, once per task; what they leave behind goes to core alone."""

from typing import Any

import msgspec

from slipway_contracts.specs import JobCommand, JobOutput, JobOutputs, JobSpec, ServiceKind, ServiceSpec, TaskSecrets
from slipway_contracts.tasks import Report, TaskKind, TaskState
from slipway_security.sealing import new_keypair, open_sealed
from slipway_testing.waiting import eventually

RECORDS = """
import json, os, sys
event = sys.argv[1]
print("running", event, os.environ.get("GREETING"), flush=True)
with open("/qovery-output/qovery-output.json", "w") as file:
    outputs = {"table": {"value": "notes"}, "Token": {"value": "t0p-s3cret", "sensitive": True}, "N": {"value": 3}}
    json.dump(outputs, file)
"""
KEYS = new_keypair()


def job(machine: Any, repository: Any, source: str, events: tuple[str, ...] = ("START",), **fields: Any) -> ServiceSpec:
    commit = repository.commit({"main.py": source})
    commands = {event: JobCommand(entrypoint="python", arguments=["main.py", event]) for event in events}
    settings = {name: fields.pop(name) for name in ("max_restarts", "max_duration_seconds", "cron") if name in fields}
    service: ServiceSpec = machine.service(
        repository, commit, kind=ServiceKind.JOB, job=JobSpec(commands=commands, **settings), **fields
    )
    return service


async def built(machine: Any, service: ServiceSpec) -> str:
    report = await machine.run(TaskKind.BUILD, service)
    assert report.state is TaskState.SUCCEEDED, report
    return str(report.artifact)


async def ran(machine: Any, kind: TaskKind, service: ServiceSpec, artifact: str, event: str) -> Report:
    report: Report = await machine.run(
        kind, service, TaskSecrets(), artifact=artifact, event=event, reply_key=KEYS.public
    )
    return report


async def test_a_start_job_runs_once_and_its_outputs_reach_core_sealed(machine, repository) -> None:
    service = job(machine, repository, RECORDS)
    task = machine.task(
        TaskKind.DEPLOY, service, TaskSecrets(), artifact=await built(machine, service), event="START",
        reply_key=KEYS.public,
    )  # fmt: skip
    await machine.send(task)
    report = await machine.final(task)
    assert (report.state, report.message) == (TaskState.SUCCEEDED, "The job completed.")
    assert b"t0p-s3cret" not in msgspec.json.encode(report)
    opened = open_sealed(KEYS.private, report.sealed_outputs, f"{task.cluster_id}:{task.id}")
    assert msgspec.json.decode(opened, type=JobOutputs).outputs == {
        "TABLE": JobOutput(value="notes"), "TOKEN": JobOutput(value="t0p-s3cret", sensitive=True),
        "N": JobOutput(value="3"),
    }  # fmt: skip
    log = machine.layout.service(service.id).release(machine.meta(service).current_release).current_log.read_text()
    assert log.count("running START") == 1
    assert machine.releases(service) == {machine.meta(service).current_release: "completed"}
    assert list(machine.supervisor.programs.iterdir()) == []


async def test_a_job_that_fails_says_how_often_it_was_tried_and_what_it_said_last(machine, repository) -> None:
    source = "import sys; print('no such table: notes', file=sys.stderr); sys.exit(7)"
    service = job(machine, repository, source, max_restarts=1)
    report = await ran(machine, TaskKind.DEPLOY, service, await built(machine, service), "START")
    assert (report.state, report.code) == (TaskState.FAILED, "job.failed")
    assert report.message == "The job failed: it exited with code 7 (attempt 2)."
    assert "no such table: notes" in report.details
    assert sorted(machine.releases(service).values()) == ["failed"]
    cleaned = await machine.run(TaskKind.CLEAN, service)
    assert cleaned.state is TaskState.SUCCEEDED, cleaned
    assert machine.releases(service) == {}


async def test_a_job_that_takes_too_long_is_ended(machine, repository) -> None:
    source = "import time; print('begun', flush=True); time.sleep(600)"
    service = job(machine, repository, source, max_duration_seconds=1)
    report = await ran(machine, TaskKind.DEPLOY, service, await built(machine, service), "START")
    assert report.message == "The job failed: it took longer than the 1 s that it may."


async def test_an_engine_that_is_killed_in_a_run_is_followed_by_one_that_waits_for_its_end(machine, repository) -> None:
    source = (
        "import os, time\n"
        "print('begun', flush=True)\n"
        "while not os.path.exists('/qovery-output/go'): time.sleep(0.05)\n"
        "print('done', flush=True)\n"
    )
    service = job(machine, repository, source)
    artifact = await built(machine, service)
    task = machine.task(TaskKind.DEPLOY, service, TaskSecrets(), artifact=artifact, event="START")
    await machine.send(task)

    def release() -> Any:
        meta = machine.meta(service)
        known = meta is not None and bool(meta.current_release)
        return machine.layout.service(service.id).release(meta.current_release) if known else None

    def begun() -> bool:
        return bool(release() and release().current_log.exists() and "begun" in release().current_log.read_text())

    await eventually(begun, 30)
    machine.engines[-1].kill()
    await machine.start_engine()
    log = release().current_log
    (release().root / "output" / "go").touch()
    report = await machine.final(task, 90)
    assert report.state is TaskState.SUCCEEDED, report
    assert (report.delivery, log.read_text().count("begun"), log.read_text().count("done")) == (2, 1, 1)


async def test_stop_and_delete_run_their_commands_before_anything_goes(machine, repository) -> None:
    service = job(machine, repository, RECORDS, ("START", "STOP", "DELETE"))
    artifact = await built(machine, service)
    for kind, event in ((TaskKind.DEPLOY, "START"), (TaskKind.STOP, "STOP"), (TaskKind.DELETE, "DELETE")):
        assert (await ran(machine, kind, service, artifact, event)).state is TaskState.SUCCEEDED
    await eventually(lambda: sum("Running the job" in line for line in machine.logs) == 3)
    assert not machine.layout.service(service.id).root.exists()


async def test_a_cron_job_that_is_deployed_waits_and_each_run_is_a_task_of_its_own(machine, repository) -> None:
    service = job(machine, repository, RECORDS, ("CRON",), cron="* * * * *")
    artifact = await built(machine, service)
    ready = await ran(machine, TaskKind.DEPLOY, service, artifact, "")
    assert (ready.message, machine.releases(service)) == ("Ready to run.", {})
    for _ in range(2):
        assert (await ran(machine, TaskKind.RUN, service, artifact, "CRON")).state is TaskState.SUCCEEDED
    assert list(machine.releases(service).values()) == ["completed", "completed"]


async def test_a_deployment_in_the_middle_of_a_run_leaves_it_alone_and_a_stop_ends_it(machine, repository) -> None:
    source = "import time; print('begun', flush=True); time.sleep(600)"
    service = job(machine, repository, source, ("CRON",), cron="* * * * *")
    artifact = await built(machine, service)
    await ran(machine, TaskKind.DEPLOY, service, artifact, "")
    task = machine.task(TaskKind.RUN, service, TaskSecrets(), artifact=artifact, event="CRON")
    await machine.send(task)
    await eventually(lambda: list(machine.releases(service).values()) == ["running"], 20)
    assert (await ran(machine, TaskKind.DEPLOY, service, artifact, "")).state is TaskState.SUCCEEDED
    assert list(machine.releases(service).values()) == ["running"]
    assert (await ran(machine, TaskKind.STOP, service, artifact, "")).state is TaskState.SUCCEEDED
    report = await machine.final(task)
    assert (report.state, report.message) == (TaskState.CANCELED, "The job was stopped.")


async def test_a_canceled_run_is_ended(machine, repository) -> None:
    service = job(machine, repository, "import time; print('begun', flush=True); time.sleep(600)")
    task = machine.task(TaskKind.DEPLOY, service, TaskSecrets(), artifact=await built(machine, service), event="START")
    await machine.send(task)
    await eventually(lambda: list(machine.releases(service).values()) == ["running"], 20)
    await machine.order(task)
    assert (await machine.final(task)).state is TaskState.CANCELED
    assert list(machine.supervisor.programs.iterdir()) == []


async def test_an_output_that_leads_elsewhere_is_not_followed(machine, repository) -> None:
    source = "import os; os.symlink('/etc/hostname', '/qovery-output/qovery-output.json')"
    service = job(machine, repository, source)
    report = await ran(machine, TaskKind.DEPLOY, service, await built(machine, service), "START")
    assert (report.state, report.code) == (TaskState.FAILED, "job.output")
