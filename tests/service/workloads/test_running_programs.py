"""Programs under the workloads' supervisor: enclosed, logged, restarted, ended."""

import asyncio
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from slipway_workloads import (
    Bind,
    Launch,
    Layout,
    ReleaseDirectory,
    Sandbox,
    Status,
    Supervisor,
    SupervisorConfig,
    processes,
    sandbox_works,
    shim_command,
    start_supervisor,
)
from slipway_workloads.records import read, write
from slipway_workloads.sandbox import identity_bind, interpreter_binds, uid_for

PYTHON = os.path.realpath(sys.executable)


async def until(condition: Callable[[], object], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        await asyncio.sleep(0.02)


class Machine:
    """A work directory with its supervisor."""

    def __init__(self, work_dir: Path, run_dir: Path) -> None:
        self.layout = Layout(work_dir)
        self.config = SupervisorConfig(self.layout, run_dir / "s.sock")
        self.supervisor = Supervisor(self.config)

    async def run(
        self, script: str, name: str = "r1", max_processes: int = 0, *, once: bool = False, **settings: object
    ) -> ReleaseDirectory:
        release = self.layout.service("service-1").release(name)
        release.source.mkdir(parents=True)
        (release.source / "app.py").write_text(script)
        sandbox = Sandbox(
            binds=[
                Bind(host=str(release.source), inside="/app", writable=True),
                *interpreter_binds(),
                *identity_bind(release.root, uid_for("service-1")),
            ],
            uid=uid_for("service-1"),
            cwd="/app",
            status_fd=3,
            max_processes=max_processes,
        )
        sandbox.own(release.source)
        command = [PYTHON, "-u", "-I", "app.py"]
        fields: dict[str, object] = {
            "argv": sandbox.argv(command),
            "command": command,
            "env": {"GREETING": "hello", "PATH": "/usr/bin:/bin"},
            "cwd": "/app",
            "binds": sandbox.binds,
            "log_directory": str(release.logs),
            "status_file": str(release.status),
            "stop_grace_seconds": 2.0,
            **settings,
        }
        write(release.launch, Launch(**fields), mode=0o600)  # type: ignore[arg-type]
        await self.supervisor.start(release.program, shim_command(release.launch), once=once)
        return release


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    work_dir = tmp_path / "work dir #1; 100%"
    work_dir.mkdir()
    machine = Machine(work_dir, tmp_path)
    process = start_supervisor(machine.config)
    try:
        await machine.supervisor.wait_ready()
        yield machine
    finally:
        process.terminate()
        process.wait(timeout=30)


def status(release: ReleaseDirectory) -> Status:
    return read(release.status, Status) or Status(state="none")


def texts(release: ReleaseDirectory) -> list[str]:
    if not release.current_log.exists():
        return []
    return [line.split(" ", 3)[3] for line in release.current_log.read_text().splitlines()]


async def test_a_program_runs_with_only_its_own_environment_and_files(machine: Machine) -> None:
    release = await machine.run(
        "import os, time\n"
        "print(sorted(os.environ)); print(os.getcwd(), os.getpid() < 10); print(os.path.exists('/etc/shadow'))\n"
        f"print(os.path.exists({str(machine.layout.work_dir)!r}))\n"
        "open('written', 'w').write('x')\n"
        "import getpass, pwd; print(pwd.getpwuid(os.getuid()).pw_name, os.getuid() != 0)\n"
        "time.sleep(60)"
    )
    await until(lambda: len(texts(release)) == 5)
    assert sandbox_works()
    environment, place, shadow, home, user = texts(release)
    assert "GREETING" in environment
    assert "HOME" not in environment
    assert place == "/app True"
    assert (shadow, home, user) == ("False", "False", "app True")
    assert (release.source / "written").read_text() == "x"
    assert stat.S_IMODE(release.launch.stat().st_mode) == 0o600


async def test_sigterm_reaches_the_program_which_may_finish(machine: Machine) -> None:
    release = await machine.run(
        "import signal, sys, time\n"
        "def end(*_):\n    print('finishing'); time.sleep(0.3); print('done'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('up')\nwhile True: time.sleep(1)"
    )
    await until(lambda: texts(release) == ["up"])
    await machine.supervisor.remove(release.program)
    assert texts(release) == ["up", "finishing", "done"]
    assert status(release).state == "exited"
    assert await machine.supervisor.program(release.program) is None


async def test_a_program_that_ignores_sigterm_is_ended_after_its_grace_with_all_its_children(machine: Machine) -> None:
    release = await machine.run(
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "for _ in range(3):\n    if os.fork() == 0: os.setsid(); break\n"
        "print('up')\nwhile True: time.sleep(1)",
        stop_grace_seconds=0.5,
    )
    await until(lambda: len(texts(release)) == 4 or len(texts(release)) == 4)
    pids = processes.descendants(status(release).pid)
    assert len(pids) == 4
    began = time.monotonic()
    await machine.supervisor.remove(release.program)
    assert time.monotonic() - began < 8
    assert not any(processes.alive(pid) for pid in pids)


async def test_a_program_that_ends_is_started_again_later_and_later_and_says_why(machine: Machine) -> None:
    release = await machine.run("import sys\nprint('boom', file=sys.stderr)\nsys.exit(3)")
    await until(lambda: status(release).starts >= 2)
    await until(lambda: status(release).state == "waiting")
    now = status(release)
    assert now.exit_code == 3
    assert now.reason == "it exited with code 3"
    assert now.restarts == now.starts - 1
    assert "slipway: the program ended: it exited with code 3" in texts(release)


async def test_a_killed_program_is_told_by_its_signal(machine: Machine) -> None:
    release = await machine.run("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    await until(lambda: status(release).signal != "")
    assert (status(release).signal, status(release).exit_code) == ("SIGSEGV", 139)


async def test_more_memory_than_allowed_ends_it_and_says_so(machine: Machine) -> None:
    release = await machine.run(
        "import time\nx = bytearray(200_000_000)\ntime.sleep(60)", memory_bytes=100 * 1024 * 1024
    )
    await until(lambda: status(release).out_of_memory)
    assert "out of memory: it used more than its 100 MiB" in status(release).reason


async def test_a_command_that_is_not_there_is_named(machine: Machine) -> None:
    release = await machine.run("", argv=["/no/such/program"])
    await until(lambda: status(release).exit_code == 127)
    assert "No such file" in status(release).reason


async def test_an_endless_line_is_cut_and_put_together_again_without_loss(machine: Machine) -> None:
    release = await machine.run("import sys, time\nsys.stdout.write('a' * 50_000 + 'z\\nnext\\n')\ntime.sleep(60)")
    await until(lambda: texts(release)[-1:] == ["next"])
    lines = [line.split(" ", 3) for line in release.current_log.read_text().splitlines()]
    assert [tag for _, _, tag, _ in lines] == ["P", "P", "P", "F", "F"]
    assert "".join(text for *_, text in lines[:4]) == "a" * 50_000 + "z"
    assert max(len(text) for *_, text in lines) == 16 * 1024


async def test_a_flood_stays_within_its_disk_and_counts_what_it_dropped(machine: Machine) -> None:
    release = await machine.run(
        "import sys, time\nline = 'x' * 99 + '\\n'\n"
        "for _ in range(3000): sys.stdout.write(line * 100)\n"
        "print('end')\ntime.sleep(2)\nprint('after')\ntime.sleep(60)",
        log_file_bytes=200_000,
        log_files=3,
        log_bytes_per_second=1_000_000,
    )
    await until(lambda: texts(release)[-1:] == ["after"], 30)
    sizes = [path.stat().st_size for path in release.logs.iterdir()]
    assert len(sizes) == 3
    assert sum(sizes) < 3 * 300_000
    assert any("lines" in text and "were dropped here" in text for text in texts(release))


async def test_nothing_is_lost_or_reordered_when_the_log_rotates(machine: Machine) -> None:
    release = await machine.run(
        "import time\nfor n in range(20000): print(n)\nprint('end')\ntime.sleep(60)",
        log_file_bytes=300_000,
        log_files=20,
        log_bytes_per_second=50_000_000,
    )
    await until(lambda: texts(release)[-1:] == ["end"])
    files = sorted(release.logs.iterdir(), key=lambda path: -int(path.suffix[1:]) if path.suffix != ".log" else 0)
    found = [line.split(" ", 3)[3] for path in files for line in path.read_text().splitlines()]
    assert found == [*map(str, range(20000)), "end"]


async def test_a_stopped_program_stays_stopped_and_can_be_started_again(machine: Machine) -> None:
    release = await machine.run("import time\nprint('up')\ntime.sleep(60)")
    await until(lambda: texts(release) == ["up"])
    await machine.supervisor.stop(release.program)
    assert "autostart=false" in (machine.config.programs / f"{release.program}.conf").read_text()
    await machine.supervisor.start(release.program, shim_command(release.launch))
    await until(lambda: texts(release).count("up") == 2)


async def test_a_killed_shim_takes_the_program_with_it_and_comes_back(machine: Machine) -> None:
    release = await machine.run("import time\nprint('up')\ntime.sleep(60)")
    await until(lambda: texts(release) == ["up"] and status(release).sandbox_pid)
    old = status(release)
    os.kill(old.shim_pid, signal.SIGKILL)
    await until(lambda: status(release).shim_pid not in (0, old.shim_pid) and status(release).sandbox_pid)
    await until(lambda: not processes.alive(old.pid))


async def test_without_their_supervisor_programs_end_and_leave_their_ports_to_the_next_one(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path, tmp_path)
    process = start_supervisor(machine.config)
    await machine.supervisor.wait_ready()
    release = await machine.run("import time\nprint('up')\ntime.sleep(60)")
    await until(lambda: texts(release) == ["up"] and status(release).sandbox_pid)
    pid = status(release).pid
    process.kill()
    process.wait(timeout=10)
    await until(lambda: not processes.alive(pid))
    await until(lambda: not processes.alive(status(release).shim_pid))


async def test_a_program_may_have_only_so_many_processes(machine: Machine) -> None:
    script = (
        "import os, time\n"
        "for count in range(200):\n"
        "    try:\n"
        "        if os.fork() == 0:\n            time.sleep(60)\n"
        "    except BlockingIOError:\n"
        "        break\n"
        "print(count, flush=True)\ntime.sleep(60)"
    )
    release = await machine.run(script, max_processes=50)
    await until(lambda: len(texts(release)) == 1)
    assert 40 < int(texts(release)[0]) < 50


async def test_listening_ports_and_living_connections_are_seen_from_outside(machine: Machine) -> None:
    release = await machine.run(
        "import socket, time\ns = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1])\n"
        "held = s.accept()\ntime.sleep(60)"
    )
    await until(lambda: len(texts(release)) == 1 and status(release).sandbox_pid)
    port = int(texts(release)[0])
    assert processes.listening_ports(processes.descendants(status(release).pid)) == [port]
    assert processes.living_connections(port) == 0
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    await until(lambda: processes.living_connections(port) == 1)
    writer.close()


async def test_a_job_that_fails_is_started_as_often_as_it_may_and_one_that_succeeds_is_over(machine: Machine) -> None:
    failing = await machine.run("print('no'); raise SystemExit(3)", once=True, attempts=2)
    await until(lambda: status(failing).over)
    assert (status(failing).state, status(failing).starts, status(failing).exit_code) == ("exited", 2, 3)
    assert status(failing).reason == "it exited with code 3"
    assert [line for line in texts(failing) if line == "no"] == ["no", "no"]
    done = await machine.run("print('yes')", "r2", once=True, attempts=2)
    await until(lambda: status(done).over)
    assert (status(done).starts, status(done).exit_code, status(done).reason) == (1, 0, "it completed")
    programs = await machine.supervisor.programs()
    assert programs[done.program]["statename"] == "EXITED"


async def test_a_job_that_takes_too_long_is_ended_and_has_failed_however_it_ends(machine: Machine) -> None:
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
        "print('begun', flush=True)\n"
        "time.sleep(60)"
    )
    release = await machine.run(script, once=True, attempts=1, attempt_seconds=1)
    await until(lambda: status(release).over)
    assert status(release).exit_code == 124
    assert status(release).reason == "it took longer than the 1 s that it may"


async def test_the_end_of_a_program_that_ends_its_own_processes_is_told_to_it_alone(machine: Machine) -> None:
    script = (
        "import os, signal, sys, time\n"
        "child = os.fork()\n"
        "def told(number, frame):\n"
        "    print('child' if not child else 'main', signal.Signals(number).name, flush=True)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGINT, told); signal.signal(signal.SIGTERM, told)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    release = await machine.run(script, stop_signal="INT", signals_main_alone=True)
    await until(lambda: texts(release).count("ready") == 2)
    await machine.supervisor.stop(release.program)
    assert [line for line in texts(release) if "SIG" in line] == ["main SIGINT"]
