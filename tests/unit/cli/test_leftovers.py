"""What a killed platform left behind is ended; what merely stands in its directory is not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_cli.local.home import Home
from slipway_cli.local.leftovers import MARK, end_leftovers, processes_of

SLEEP = [sys.executable, "-I", "-S", "-c", "import time; print(flush=True); time.sleep(60)"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "a home")
    home.work.mkdir(parents=True)
    return home


@pytest.fixture
def bystander(home: Home) -> "Iterator[subprocess.Popen[bytes]]":
    """A user's own program that works in the home and names it in an argument."""
    with subprocess.Popen([*SLEEP, str(home.work / "notes.txt")], cwd=home.path, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.fixture
def ours(home: Home) -> "Iterator[subprocess.Popen[bytes]]":
    """A process of the platform that its supervisor left behind."""
    with subprocess.Popen(SLEEP, env={**os.environ, MARK: str(home.path)}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


async def test_marked_processes_end_and_a_bystander_stays(
    home: Home, ours: "subprocess.Popen[bytes]", bystander: "subprocess.Popen[bytes]"
) -> None:
    assert processes_of(home) == [ours.pid]
    assert processes_of(Home(home.path.parent / "a home two")) == []
    assert await end_leftovers(home) == 1
    assert bystander.poll() is None
