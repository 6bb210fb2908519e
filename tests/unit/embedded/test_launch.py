"""The launcher: it becomes the program, gives it its environment, and ends it with its parent."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from slipway_embedded.processes import LAUNCHER

PYTHON = [sys.executable, "-I", "-S"]


def launch(*arguments: str) -> list[str]:
    return [*PYTHON, str(LAUNCHER), *arguments]


def test_the_program_sees_the_environment_of_the_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "environment").write_text(json.dumps({"ONLY": "this"}))
    program = [*PYTHON, "-c", "import os, json; print(json.dumps(dict(os.environ)))"]
    done = subprocess.run(
        launch("--environment", str(tmp_path / "environment"), "--", *program),
        env={"SECRET": "of the caller"},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    seen = json.loads(done.stdout)
    assert seen.pop("ONLY") == "this"
    assert "SECRET" not in seen


PARENT = """
import subprocess, sys, time
subprocess.Popen(sys.argv[1:])
time.sleep(60)
"""


def test_the_program_gets_the_signal_when_its_parent_is_killed() -> None:
    program = [*PYTHON, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]
    argv = launch("--die-with-parent", str(int(signal.SIGTERM)), "--", *program)
    parent = subprocess.Popen([*PYTHON, "-c", PARENT, *argv], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert ends(child)


def ends(pid: int) -> bool:
    import time

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
@pytest.mark.parametrize("namespaces", [True, False])
def test_root_becomes_somebody_else_and_still_reaches_its_own_directory(tmp_path: Path, namespaces: bool) -> None:
    own = tmp_path / "closed" / "own"
    own.mkdir(parents=True)
    own.parent.chmod(0o700)
    (own / "file").write_text("mine")
    refuse = "launch.enter_user_namespace = lambda uid: False; " if not namespaces else ""
    load = f"import sys; sys.path.insert(0, {str(LAUNCHER.parent)!r}); import launch"
    script = f"{load}; {refuse}launch.main(sys.argv[1:])"
    look = f"import os; print(os.geteuid(), open({str(own / 'file')!r}).read())"
    argv = ["--unprivileged", "--own", str(own), "--", *PYTHON, "-c", look]
    done = subprocess.run([*PYTHON, "-c", script, *argv], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    uid, text = done.stdout.split()
    assert int(uid) != 0
    assert text == "mine"
    assert own.parent.stat().st_mode & 0o777 == 0o700
