"""PostgreSQL from its wheel: passwords for everybody, a database per service, nothing outside its directory."""

import os
import socket
from pathlib import Path

import asyncpg
import pytest

from slipway_embedded import PostgresServer
from slipway_embedded.problems import PortTaken, WrongDataVersion


async def value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.fixture
def closed_directory(tmp_path: Path) -> Path:
    """A long path with spaces, below a directory that only we may enter."""
    closed = tmp_path / "only ours"
    closed.mkdir(mode=0o700)
    directory = closed / ("a long name " * 8).strip() / "postgres"
    directory.parent.mkdir()
    return directory


async def test_it_starts_below_a_closed_directory_and_changes_no_mode_above(closed_directory: Path) -> None:
    above = {parent: parent.stat().st_mode for parent in closed_directory.parents}
    async with PostgresServer(closed_directory, durable=False) as server:
        assert await value(server.url(), "SELECT 40 + 2") == 42
        assert await value(server.url(), "SHOW unix_socket_directories") == ""
        assert await value(server.url(), "SHOW listen_addresses") == "127.0.0.1"
        assert await value(server.url(), "SHOW password_encryption") == "scram-sha-256"
    assert {parent: parent.stat().st_mode for parent in closed_directory.parents} == above
    assert closed_directory.stat().st_mode & 0o077 == 0


async def test_nobody_gets_in_without_the_right_password(postgres_server: PostgresServer) -> None:
    await postgres_server.create_service("alpha")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await value(postgres_server.url("alpha", "alpha", "guess"), "SELECT 1")
    rows = await value(
        postgres_server.url(), "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules WHERE error IS NULL"
    )
    assert rows == "scram-sha-256"


async def test_a_service_reaches_its_own_database_alone(postgres_server: PostgresServer) -> None:
    url = await postgres_server.create_service("alpha")
    await postgres_server.create_service("beta")
    assert await value(url, "SELECT current_user || ' ' || current_database()") == "alpha alpha"
    for other in ("beta", "postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await value(postgres_server.url(other, "alpha"), "SELECT 1")


async def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    async with PostgresServer(tmp_path / "postgres") as server:
        url = await server.create_service("alpha")
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE kept (number integer); INSERT INTO kept VALUES (7)")
        await server.kill()
        connection.terminate()
        await server.start()
        assert await value(url, "SELECT number FROM kept") == 7


async def test_a_pid_file_of_a_crash_that_names_a_stranger_is_no_obstacle(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "postgres", durable=False)
    async with server:
        pass
    (server.data / "postmaster.pid").write_text(f"{os.getppid()}\n{server.data}\n0\n{server.port}\n\n127.0.0.1\n\n\n")
    async with server:
        assert await value(server.url(), "SELECT 1") == 1


async def test_data_of_another_major_version_is_refused_in_a_sentence(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "postgres", durable=False)
    await server.prepare()
    (server.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(WrongDataVersion, match=r"PostgreSQL 12.*backup"):
        await server.start()


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)):
            await PostgresServer(tmp_path / "postgres", port=port, durable=False).start()


async def test_it_is_small_when_nobody_uses_it(postgres_server: PostgresServer) -> None:
    running = await value(
        postgres_server.url(), "SELECT count(*) FROM pg_stat_activity WHERE backend_type <> 'client backend'"
    )
    assert isinstance(running, int)
    assert running <= 6
