"""From a task to a page that answers, and to the next version of it."""

import asyncio

from slipway_contracts.specs import TaskSecrets, TaskVariable
from slipway_contracts.tasks import TaskKind, TaskState
from slipway_testing import applications
from slipway_testing.waiting import eventually


async def test_a_commit_is_built_started_and_answers_and_the_next_one_takes_over(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("one")))
    report = await machine.ship(service, {"GREETING": "hello"})
    assert report.state is TaskState.SUCCEEDED, report
    assert await machine.page(service) == (200, "one")
    assert await machine.page(service, "/env?name=GREETING") == (200, "hello")
    assert {metric.name for metric in report.metrics} == {"DEPLOYMENT"}

    newer = machine.service(repository, repository.commit(applications.web("two")), id=service.id)
    assert (await machine.ship(newer)).state is TaskState.SUCCEEDED
    assert await machine.page(service) == (200, "two")
    await eventually(lambda: sorted(machine.releases(service).values()) == ["running", "stopped"], 20)


async def test_a_static_site_is_served_without_its_hidden_files(machine, repository) -> None:
    files = {**applications.static("hi"), ".env": "SECRET=1", "404.html": "nothing here", ".well-known/x": "known"}
    service = machine.service(repository, repository.commit(files))
    assert (await machine.ship(service)).state is TaskState.SUCCEEDED
    status, text = await machine.page(service)
    assert status == 200
    assert "<p>hi</p>" in text
    assert await machine.page(service, "/.env") == (404, "nothing here")
    assert await machine.page(service, "/.git/config") == (404, "nothing here")
    assert await machine.page(service, "/.well-known/x") == (200, "known")


async def test_the_same_tree_is_not_built_twice(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("one")))
    first = await machine.run(TaskKind.BUILD, service)
    again = machine.service(repository, repository.save(), id=service.id)
    second = await machine.run(TaskKind.BUILD, again)
    assert (first.artifact, first.state) == (second.artifact, TaskState.SUCCEEDED)
    assert second.message == "Built before: nothing changed."


async def test_secrets_are_in_the_program_and_in_no_log_nor_report(machine, repository) -> None:
    files = {
        "Procfile": "build: echo building with $TOKEN\nweb: echo the token is $TOKEN; exec python app.py\n",
        "app.py": applications.web("one")["app.py"],
    }
    service = machine.service(repository, repository.commit(files))
    secrets = TaskSecrets(variables=[TaskVariable(key="TOKEN", value="s3cret-value", secret=True)])
    built = await machine.run(TaskKind.BUILD, service, secrets)
    assert built.state is TaskState.SUCCEEDED, built
    assert (await machine.run(TaskKind.DEPLOY, service, secrets, artifact=built.artifact)).state is TaskState.SUCCEEDED
    assert await machine.page(service, "/env?name=TOKEN") == (200, "s3cret-value")
    await eventually(lambda: "building with ***" in machine.logs)
    assert not any("s3cret" in line for line in machine.logs)
    assert not any("s3cret" in str(report) for report in machine.reports)
    commands = await asyncio.to_thread(all_command_lines)
    assert not any("s3cret" in line for line in commands)


def all_command_lines() -> list[str]:
    import psutil

    return [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]


async def test_stop_start_restart_and_delete(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("one")))
    await machine.ship(service, {"GREETING": "hello"})
    assert (await machine.run(TaskKind.STOP, service)).state is TaskState.SUCCEEDED
    assert (await machine.page(service))[0] == 502
    assert machine.meta(service).desired == "stopped"
    assert (await machine.run(TaskKind.START, service)).state is TaskState.SUCCEEDED
    assert await machine.page(service, "/env?name=GREETING") == (200, "hello")
    before = machine.meta(service).current_release
    assert (await machine.run(TaskKind.START, service)).message == "It runs already."
    assert (await machine.run(TaskKind.RESTART, service)).state is TaskState.SUCCEEDED
    assert machine.meta(service).current_release != before
    assert await machine.page(service) == (200, "one")
    assert (await machine.run(TaskKind.DELETE, service)).state is TaskState.SUCCEEDED
    assert (await machine.page(service))[0] == 404
    assert not machine.layout.service(service.id).root.exists()
    assert list(machine.supervisor.programs.iterdir()) == []


async def test_a_file_variable_is_mounted_where_the_service_wants_it(machine, repository) -> None:
    files = applications.script(
        """
        import os, http.server
        text = open("/etc/app/config.ini").read()
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200); self.end_headers(); self.wfile.write(text.encode())
        http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
        """
    )
    service = machine.service(repository, repository.commit(files))
    secrets = TaskSecrets(variables=[TaskVariable(key="CONFIG", value="[a]\nb=1", mount_path="/etc/app/config.ini")])
    built = await machine.run(TaskKind.BUILD, service, secrets)
    report = await machine.run(TaskKind.DEPLOY, service, secrets, artifact=built.artifact)
    assert report.state is TaskState.SUCCEEDED, report
    assert await machine.page(service) == (200, "[a]\nb=1")
