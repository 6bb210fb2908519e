"""A root file system of one's own: ids that are nobody's here, and the port of the release instead of a fixed one."""

import os
import subprocess
from pathlib import Path

import pytest

from slipway_testing.waiting import eventually
from slipway_workloads import Bind, ImageRoot, processes, sandbox_works
from slipway_workloads.enclosure import first_id, image_argv, range_for, tool_argv

PYTHON = "/usr/bin/python3"
LISTEN = "import socket, time; s = socket.create_server(('', 80)); print('up', flush=True); time.sleep(60)"
pytestmark = pytest.mark.skipif(not sandbox_works(), reason="this machine allows no sandbox")


def test_a_tool_is_its_own_root_and_writes_only_what_it_was_given(tmp_path: Path) -> None:
    ids = range_for("acme")
    folder = tmp_path / "out"
    folder.mkdir()
    if ids.several:
        os.chown(folder, first_id("acme"), first_id("acme"))
    program = "echo > /out/made; id -u; test -e /home || echo alone"
    argv = tool_argv(ids, ["/bin/sh", "-c", program], [Bind(host=str(folder), inside="/out", writable=True)])
    done = subprocess.run(argv, env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True, timeout=30)
    assert done.stdout.decode().split() == ["0", "alone"]
    assert (folder / "made").stat().st_uid == first_id("acme")


@pytest.mark.skipif(not os.access(PYTHON, os.X_OK), reason="the system has no Python that can be seen inside")
async def test_a_fixed_port_becomes_the_one_of_the_release_on_loopback(free_port: int) -> None:
    ids = range_for("acme")
    image = ImageRoot(root="/", uids=ids.uids, gids=ids.gids, ports={80: free_port})
    argv = image_argv(image, [PYTHON, "-I", "-S", "-c", LISTEN])
    program = subprocess.Popen(argv, env={}, stdout=subprocess.PIPE)  # noqa: ASYNC220
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == b"up\n"
        own = await eventually(lambda: processes.listening_ports(processes.descendants(program.pid)))
        assert own == [free_port]
    finally:
        program.kill()
        program.wait(10)
        program.stdout.close()


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
