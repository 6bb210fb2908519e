"""A failed build or start leaves the old version serving, and says why in words."""

import os
from pathlib import Path

import pytest

from slipway_contracts.specs import Probe, TaskSecrets, TaskVariable
from slipway_contracts.tasks import TaskKind, TaskState
from slipway_security.sealing import new_keypair, seal
from slipway_testing import applications
from slipway_testing.waiting import eventually


@pytest.fixture
async def serving(machine, repository):
    """A service whose first version is up."""
    service = machine.service(repository, repository.commit(applications.web("old")))
    assert (await machine.ship(service)).state is TaskState.SUCCEEDED
    return service


def changed(machine, repository, service, files, **fields):
    return machine.service(repository, repository.commit(files), id=service.id, **fields)


async def test_a_program_that_exits_at_once(machine, repository, serving) -> None:
    report = await machine.ship(changed(machine, repository, serving, applications.EXITS_AT_ONCE))
    assert (report.state, report.code) == (TaskState.FAILED, "start.exited")
    assert report.message == "The new version ended at once: it exited with code 3."
    assert "FATAL: DATABASE_URL is not set" in report.details
    assert await machine.page(serving) == (200, "old")


async def test_a_program_that_never_listens(machine, repository, serving) -> None:
    spec = changed(machine, repository, serving, applications.NEVER_LISTENS, start_timeout_seconds=2)
    report = await machine.ship(spec)
    assert report.code == "start.never_listened"
    assert "within 2 s" in report.message
    assert "thinking about it" in report.details
    assert await machine.page(serving) == (200, "old")
    assert set(machine.releases(serving).values()) == {"running", "failed"}


async def test_a_program_that_listens_elsewhere_is_told_where(machine, repository, serving) -> None:
    files = applications.script(
        "import socket, time\ns = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1])\ntime.sleep(60)\n"
    )
    report = await machine.ship(changed(machine, repository, serving, files, start_timeout_seconds=2))
    assert report.code == "start.never_listened"
    assert f"It listens on {report.details.splitlines()[0]} instead" in report.message


async def test_a_health_check_that_answers_500(machine, repository, serving) -> None:
    files = applications.script(
        """
        import os, http.server
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_error(500, "no database")
        http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
        """
    )
    probe = Probe(type="http", path="/health")
    report = await machine.ship(changed(machine, repository, serving, files, start_timeout_seconds=2, readiness=probe))
    assert report.code == "start.unhealthy"
    assert "GET /health" in report.message
    assert "500 no database" in report.message
    assert await machine.page(serving) == (200, "old")


async def test_a_failing_build_command_is_shown_with_its_last_lines(machine, repository, serving) -> None:
    files = {**applications.web("new"), "Procfile": "build: echo compiling; exit 7\nweb: python app.py\n"}
    report = await machine.ship(changed(machine, repository, serving, files))
    assert (report.code, report.state) == ("build.failed", TaskState.FAILED)
    assert "code 7" in report.message
    assert "compiling" in report.details
    assert {(metric.name, metric.status) for metric in report.metrics} == {("GIT_CLONE", "SUCCESS"), ("BUILD", "ERROR")}


async def test_nothing_runnable_lists_what_was_looked_for(machine, repository) -> None:
    report = await machine.ship(machine.service(repository, repository.commit({"notes.txt": "hm"})))
    assert report.code == "build.no_plan"
    assert "notes.txt" in report.message
    for word in ("Procfile", "package.json", "requirements.txt", "index.html", "Dockerfile"):
        assert word in report.details


async def test_a_commit_that_is_not_there(machine, repository) -> None:
    repository.commit(applications.web("one"))
    report = await machine.ship(machine.service(repository, "0123456789abcdef0123456789abcdef01234567"))
    assert report.code == "build.clone"
    assert "01234567" in report.message


@pytest.mark.parametrize("commit", ["--upload-pack=touch pwned", "HEAD", "main; touch pwned", ""])
async def test_only_full_commit_ids_reach_git(machine, repository, commit, tmp_path: Path) -> None:
    repository.commit(applications.web("one"))
    report = await machine.ship(machine.service(repository, commit))
    assert report.code == "build.clone"
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("root_path", ["../other", "/../../etc", "link", "missing", "app.py"])
async def test_a_root_path_can_not_lead_out_of_the_repository(machine, repository, root_path) -> None:
    repository.commit(applications.web("one"))
    os.symlink("/etc", repository.directory / "link")
    report = await machine.ship(machine.service(repository, repository.save(), root_path=root_path))
    assert report.code == "build.root_path"


async def test_a_service_may_live_in_a_folder(machine, repository) -> None:
    files = {f"apps/web/{name}": text for name, text in applications.web("from a folder").items()}
    service = machine.service(repository, repository.commit(files), root_path="apps/web")
    assert (await machine.ship(service)).state is TaskState.SUCCEEDED
    assert await machine.page(service) == (200, "from a folder")


async def test_links_in_a_repository_show_nothing_of_the_machine(machine, repository, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("of the machine")
    repository.commit({"index.html": "home"})
    os.symlink(secret, repository.directory / "leak.txt")
    os.symlink("/etc/shadow", repository.directory / "shadow.txt")
    os.symlink("/etc/passwd", repository.directory / "passwd.txt")
    service = machine.service(repository, repository.save())
    assert (await machine.ship(service)).state is TaskState.SUCCEEDED
    for name in ("leak.txt", "shadow.txt"):
        assert (await machine.page(service, f"/{name}"))[0] in (403, 404)
    assert "root:" not in (await machine.page(service, "/passwd.txt"))[1]


async def test_a_manifest_that_is_a_link_is_not_read(machine, repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("web: echo of the machine\n")
    repository.commit({"notes.txt": "x"})
    os.symlink(outside, repository.directory / "Procfile")
    report = await machine.ship(machine.service(repository, repository.save()))
    assert report.code == "build.no_plan"


async def test_secrets_that_can_not_be_opened_stop_the_deployment(machine, repository, serving) -> None:
    built = await machine.run(TaskKind.BUILD, serving)
    stranger = new_keypair()
    sealed = seal(stranger.public, b"{}", "elsewhere")
    report = await machine.run(TaskKind.DEPLOY, serving, artifact=built.artifact, sealed_secrets=sealed)
    assert (report.state, report.code) == (TaskState.FAILED, "secret.undecryptable")
    assert await machine.page(serving) == (200, "old")


@pytest.mark.parametrize(
    "variable",
    [
        TaskVariable(key="A B", value="x"),
        TaskVariable(key="$(touch pwned)", value="x"),
        TaskVariable(key="", value="x"),
        TaskVariable(key="NUL", value="a\0b"),
        TaskVariable(key="HUGE", value="x" * 200_000),
        TaskVariable(key="FILE", value="x", mount_path="/etc/../usr/bin/python3"),
        TaskVariable(key="FILE", value="x", mount_path="relative"),
        TaskVariable(key="FILE", value="x", mount_path="/proc/sys/kernel/x"),
    ],
)
async def test_a_variable_that_no_program_can_be_given_is_named(machine, repository, serving, variable) -> None:
    built = await machine.run(TaskKind.BUILD, serving)
    report = await machine.run(TaskKind.DEPLOY, serving, TaskSecrets(variables=[variable]), artifact=built.artifact)
    assert (report.state, report.code) == (TaskState.FAILED, "variable.wrong")
    assert await machine.page(serving) == (200, "old")


async def test_values_with_every_sign_arrive_as_they_are(machine, repository) -> None:
    service = machine.service(repository, repository.commit(applications.web("one")))
    value = "a'b\"c $(touch pwned) `id` %s %(x)s ; # \\ ü 字"
    assert (await machine.ship(service, {"GREETING": value})).state is TaskState.SUCCEEDED
    assert await machine.page(service, "/env?name=GREETING") == (200, value)


async def test_a_program_can_not_have_code_of_its_own_loaded_outside_its_sandbox(machine, repository) -> None:
    """LD_PRELOAD would be obeyed by bubblewrap too; there it must not be set, in the program it must."""
    service = machine.service(repository, repository.commit(applications.web("one")))
    report = await machine.ship(service, {"LD_PRELOAD": "/app/evil.so"})
    assert report.state is TaskState.SUCCEEDED, report
    assert await machine.page(service, "/env?name=LD_PRELOAD") == (200, "/app/evil.so")
    release = machine.layout.service(service.id).release(machine.meta(service).current_release)
    assert '"LD_PRELOAD":"/app/evil.so"' in release.launch.read_text()
    from slipway_workloads import Launch
    from slipway_workloads.records import read

    launch = read(release.launch, Launch)
    assert "LD_PRELOAD" not in launch.env


@pytest.mark.parametrize("name", ["{env.HOME}", "a b", "", "-x", "x\n", "{file./etc/passwd}"])
async def test_a_host_name_that_caddy_would_fill_in_is_refused(machine, repository, serving, name: str) -> None:
    built = await machine.run(TaskKind.BUILD, serving)
    spec = changed(machine, repository, serving, applications.web("new"), hostnames=[name])
    report = await machine.run(TaskKind.DEPLOY, spec, artifact=built.artifact)
    assert (report.state, report.code) == (TaskState.FAILED, "route.refused")
    assert await machine.page(serving) == (200, "old")


async def test_a_dockerfile_is_refused_with_a_way_out(machine, repository) -> None:
    report = await machine.ship(machine.service(repository, repository.commit({"Dockerfile": "FROM scratch\n"})))
    assert report.code == "build.no_container_tool"
    assert "Procfile" in report.message


async def test_a_build_that_takes_too_long_is_ended_with_all_it_started(machine, repository) -> None:
    await machine.stop_engines()
    await machine.start_engine(build_timeout_seconds=1.5)
    files = {"Procfile": "build: sleep 987 & sleep 987\nweb: true\n"}
    report = await machine.ship(machine.service(repository, repository.commit(files)))
    assert report.code == "build.timeout"
    await eventually(lambda: not sleeping("987"), 10)


def sleeping(word: str) -> bool:
    import psutil

    return any(
        "sleep" in (p.info["cmdline"] or []) and word in p.info["cmdline"] for p in psutil.process_iter(["cmdline"])
    )


async def test_a_build_that_fills_the_disk_is_ended(machine, repository) -> None:
    await machine.stop_engines()
    await machine.start_engine(build_disk_bytes=20_000_000)
    files = {"Procfile": "build: head -c 200000000 /dev/zero > big; sleep 30\nweb: true\n"}
    report = await machine.ship(machine.service(repository, repository.commit(files)))
    assert report.code == "build.disk"


async def test_a_build_that_floods_its_output_is_cut_and_counted(machine, repository) -> None:
    await machine.stop_engines()
    await machine.start_engine(build_log_bytes=100_000)
    files = {
        **applications.web("up"),
        "Procfile": "build: yes slipway | head -n 300000; echo the end\nweb: python app.py\n",
    }
    service = machine.service(repository, repository.commit(files))
    assert (await machine.ship(service)).state is TaskState.SUCCEEDED
    await eventually(lambda: any("more lines were left out" in line for line in machine.logs))
    assert len([line for line in machine.logs if line == "slipway"]) < 5000


async def test_a_fork_bomb_in_a_build_leaves_the_machine_alone(machine, repository) -> None:
    files = {
        **applications.web("up"),
        "Procfile": "build: timeout 2 sh -c ':() { : | : & }; :'; true\nweb: python app.py\n",
    }
    report = await machine.ship(machine.service(repository, repository.commit(files)))
    assert report.state in (TaskState.SUCCEEDED, TaskState.FAILED)
