"""Databases are real servers: their data outlives every release, and goes with the service alone."""

import os
import signal
from typing import Any

import asyncpg
import msgspec
import pytest
import redis.asyncio as redis

from slipway_contracts.base import uuid7
from slipway_contracts.specs import DatabaseLogin, DatabaseSpec, ServiceKind, ServiceSpec, TaskSecrets
from slipway_contracts.tasks import Report, TaskKind, TaskState
from slipway_testing.waiting import eventually
from slipway_workloads import Launch, Status
from slipway_workloads.records import read

LOGINS = {
    "POSTGRESQL": DatabaseLogin(login="postgres", password="correct-horse", database="postgres"),
    "REDIS": DatabaseLogin(login="default", password="correct-horse", database="0"),
}
VERSIONS = {"POSTGRESQL": "18", "REDIS": "7.2"}


def database(type: str, **fields: Any) -> ServiceSpec:
    id = fields.pop("id", None) or uuid7()
    version = fields.pop("version", VERSIONS.get(type, "1"))
    known: dict[str, Any] = {"start_timeout_seconds": 30, "stop_grace_seconds": 10, "memory_mib": 256}
    return ServiceSpec(
        id=id, kind=ServiceKind.DATABASE, name="db", label=f"db-{id[-8:]}",
        database=DatabaseSpec(type=type, version=version), **(known | fields),
    )  # fmt: skip


async def act(machine: Any, kind: TaskKind, service: ServiceSpec) -> Report:
    assert service.database is not None
    secrets = TaskSecrets(database=LOGINS.get(service.database.type))
    return await machine.run(kind, service, secrets)


async def deployed(machine: Any, service: ServiceSpec) -> Report:
    report = await act(machine, TaskKind.DEPLOY, service)
    assert report.state is TaskState.SUCCEEDED, report
    return report


async def postgres(report: Report, password: str = "correct-horse") -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(
        host=report.outputs["host"], port=int(report.outputs["port"]), user="postgres", password=password, timeout=5
    )


async def valkey(report: Report) -> "redis.Redis[str]":
    return redis.Redis(host="127.0.0.1", port=int(report.outputs["port"]), password="correct-horse")


async def test_postgres_keeps_its_data_and_port_through_redeploy_stop_and_restart(machine) -> None:
    service = database("POSTGRESQL")
    first = await deployed(machine, service)
    connection = await postgres(first)
    await connection.execute("CREATE TABLE notes (text text); INSERT INTO notes VALUES ('kept')")
    assert await connection.fetchval("SHOW server_version_num") >= "180000"
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await postgres(first, password="wrong")

    again = await deployed(machine, database("POSTGRESQL", id=service.id, memory_mib=512))
    assert again.outputs == first.outputs
    assert (await act(machine, TaskKind.STOP, service)).state is TaskState.SUCCEEDED
    with pytest.raises(ConnectionRefusedError):
        await postgres(first)
    assert (await act(machine, TaskKind.START, service)).state is TaskState.SUCCEEDED
    restarted = await act(machine, TaskKind.RESTART, service)
    assert restarted.outputs == first.outputs
    connection = await postgres(restarted)
    assert await connection.fetchval("SELECT text FROM notes") == "kept"
    assert await connection.fetchval("SHOW shared_buffers") == "128MB"
    await connection.close()


async def test_it_is_enclosed_runs_as_nobody_else_and_listens_on_this_machine_alone(machine) -> None:
    service = database("POSTGRESQL")
    report = await deployed(machine, service)
    release = machine.layout.service(service.id).release(machine.meta(service).current_release)
    launch = read(release.launch, Launch)
    assert launch is not None
    assert launch.uid != 0
    connection = await postgres(report)
    assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
    assert "trust" not in str(await connection.fetch("SELECT auth_method FROM pg_hba_file_rules"))
    with pytest.raises(asyncpg.PostgresError):
        await connection.fetchval("SELECT pg_read_file($1)", str(machine.directory / "engine.key"))
    await connection.close()
    assert "correct-horse" not in " ".join(launch.argv)
    assert not (machine.layout.service(service.id).volume / "password").exists()


async def test_a_shell_beside_it_finds_it_without_being_told_anything(machine) -> None:
    from slipway_agent.shells.sessions import enclosed
    from slipway_contracts.shell import OpenShell
    from slipway_testing.platform import run

    service = database("POSTGRESQL")
    await deployed(machine, service)
    launch = read(machine.layout.service(service.id).release(machine.meta(service).current_release).launch, Launch)
    assert launch is not None
    opened = OpenShell(
        session_id="s", organization_id="o", environment_id="e", service_id=service.id, user="ada",
        command=["psql", "-Atc", "SELECT 40 + 2"],
    )  # fmt: skip
    argv, environment = enclosed(launch, opened)
    assert (await run(*argv, env=environment)).out == "42\n"
    argv, environment = enclosed(launch, msgspec.structs.replace(opened, command=["pg_dump", "-Fp"]))
    assert "PostgreSQL database dump" in (await run(*argv, env=environment)).out


async def test_redis_keeps_what_was_written_and_lets_nobody_in_without_the_password(machine) -> None:
    service = database("REDIS")
    report = await deployed(machine, service)
    client = await valkey(report)
    await client.set("greeting", "kept")
    await client.aclose()
    stranger = redis.Redis(host="127.0.0.1", port=int(report.outputs["port"]))
    with pytest.raises(redis.AuthenticationError):
        await stranger.get("greeting")
    await stranger.aclose()
    again = await deployed(machine, database("REDIS", id=service.id, memory_mib=128))
    assert again.outputs == report.outputs
    client = await valkey(again)
    assert await client.get("greeting") == b"kept"
    assert (await client.config_get("maxmemory"))["maxmemory"] == str(96 * 1024 * 1024)
    assert (await client.info("server"))["redis_version"].startswith("7.2")
    await client.aclose()


async def test_a_killed_server_comes_back_and_a_killed_engine_is_not_noticed(machine) -> None:
    service = database("POSTGRESQL")
    report = await deployed(machine, service)
    connection = await postgres(report)
    await connection.execute("CREATE TABLE notes (text text); INSERT INTO notes VALUES ('kept')")
    machine.engines[-1].kill()
    assert await connection.fetchval("SELECT text FROM notes") == "kept"
    await connection.close()
    status_file = machine.layout.service(service.id).release(machine.meta(service).current_release).status
    status = read(status_file, Status)
    assert status is not None
    os.kill(status.pid, signal.SIGKILL)

    async def answers() -> bool:
        try:
            back = await postgres(report)
        except (OSError, asyncpg.PostgresError):
            return False
        kept = await back.fetchval("SELECT text FROM notes")
        await back.close()
        return bool(kept == "kept")

    await eventually(answers, 30)
    await machine.start_engine()
    await deployed(machine, database("POSTGRESQL", id=service.id, memory_mib=300))


async def test_a_deletion_takes_the_volume_and_frees_the_port(machine) -> None:
    service = database("REDIS")
    await deployed(machine, service)
    directory = machine.layout.service(service.id)
    assert directory.volume.is_dir()
    assert (await act(machine, TaskKind.DELETE, service)).state is TaskState.SUCCEEDED
    assert not directory.volume.exists()
    assert not directory.root.exists()
    assert list(machine.supervisor.programs.iterdir()) == []


async def test_what_the_cluster_lacks_is_refused_with_what_it_has(machine) -> None:
    assert {"job", "database.POSTGRESQL.CONTAINER.18", "database.REDIS.CONTAINER.7.2"} <= set(
        machine.hellos[-1].capabilities
    )
    report = await act(machine, TaskKind.DEPLOY, database("MYSQL", version="8.4"))
    assert (report.state, report.code) == (TaskState.FAILED, "database.not_available")
    assert report.message == ("This cluster can't run MYSQL 8.4. The databases that it has: POSTGRESQL 18, REDIS 7.2.")


async def test_a_version_that_does_not_start_leaves_the_old_one_serving(machine) -> None:
    """The volume was made with another password: the new release can't let its user in."""
    service = database("POSTGRESQL")
    report = await deployed(machine, service)
    secrets = TaskSecrets(database=DatabaseLogin(login="postgres", password="another", database="postgres"))
    failed = await machine.run(TaskKind.DEPLOY, service, secrets)
    assert (failed.state, failed.code) == (TaskState.FAILED, "database.password")

    async def answers() -> bool:
        try:
            connection = await postgres(report)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    await eventually(answers, 20)
    assert sorted(machine.releases(service).values()) == ["failed", "running"]
