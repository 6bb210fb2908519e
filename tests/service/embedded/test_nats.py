"""nats-server from its wheel: accounts from a file, data that survives a kill."""

import os
from pathlib import Path

import psutil
import pytest

from slipway_bus import connect
from slipway_bus.accounts import OPERATOR, AccountsFile
from slipway_embedded import NatsServer
from slipway_embedded.problems import ServerFailed
from slipway_errors import Unavailable


async def test_messages_survive_a_kill_and_the_port_stays(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "a bus")
    passwords = AccountsFile(server.accounts_file).ensure()
    async with server, connect(server.url, name="test", user=OPERATOR, password=passwords[OPERATOR]) as bus:
        await bus.api("STREAM.CREATE.KEPT", {"name": "KEPT", "subjects": ["kept"], "storage": "file"})
        await bus.publish_raw("kept", b"something")
        port = server.port
        await server.kill()
        await server.start()
        assert server.port == port
        await bus.wait_connected(10)
        assert (await bus.api("STREAM.INFO.KEPT"))["state"]["messages"] == 1
    assert (tmp_path / "a bus" / "nats.conf").stat().st_mode & 0o077 == 0


async def test_it_listens_on_loopback_alone(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "bus")
    AccountsFile(server.accounts_file).ensure()
    async with server:
        connections = psutil.Process(int(server.pid_file.read_text())).net_connections("inet")
        listening = {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}


async def test_nobody_gets_in_without_a_password(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "bus")
    AccountsFile(server.accounts_file).ensure()
    async with server:
        with pytest.raises(Unavailable):
            async with connect(server.url, name="stranger", timeout_seconds=2):
                pass


async def test_a_reload_of_a_stopped_server_says_so(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="not running"):
        NatsServer(tmp_path / "bus").reload()


async def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """Its launcher asks the kernel for that, before it becomes the server."""
    async with NatsServer(tmp_path / "bus") as server:
        assert "nats-server" in os.readlink(f"/proc/{server.pid}/exe")
        assert "--die-with-parent" in server.command().argv
