"""`slipway up` starts, stops and comes back as a person expects of a program."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import aiohttp
import psutil
import pytest

from slipway_testing import applications
from slipway_testing.platform import REPOSITORY, Platform, platform, until


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process whose command line or working directory names this home."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(home) in " ".join(process.cmdline()) or process.cwd().startswith(str(home)):
                found.append(process)
        except psutil.Error:
            continue
    return found


async def in_foreground(home: Path, port: int, *, ignore_sigint: bool = False) -> asyncio.subprocess.Process:
    def interrupts() -> None:
        # However the tests themselves were started: ignored signals are inherited.
        signal.signal(signal.SIGINT, signal.SIG_IGN if ignore_sigint else signal.default_int_handler)

    return await asyncio.create_subprocess_exec(
        str(REPOSITORY / "slipway"),
        *("up", "--no-demo", "--no-console", "--port", str(port)),
        env=os.environ | {"SLIPWAY_HOME": str(home)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        preexec_fn=interrupts,
    )


async def serving(port: int) -> None:
    async with aiohttp.ClientSession() as session:

        async def answers() -> bool:
            try:
                async with session.get(f"http://127.0.0.1:{port}/api/openapi.json") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(answers, 120, "the API")


async def all_run(running: Platform) -> bool:
    processes = (await running.status())["processes"]
    return bool(processes) and all(process["state"] == "RUNNING" for process in processes.values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_everything_workloads_too(tmp_path: Path, number: signal.Signals) -> None:
    running = Platform(tmp_path / "home")
    # A shell that starts it in the background would ignore SIGINT; SIGTERM must still work then.
    process = await in_foreground(running.home, running.port, ignore_sigint=number == signal.SIGTERM)
    try:
        await serving(running.port)
        async with aiohttp.ClientSession() as running.session:
            await until(lambda: all_run(running), 60, "all services")
            await running.login()
            environment = await running.project("signal")
            web = await environment.application("web", applications.web("x"), tmp_path / "work")
            assert (await web.deployed(await web.push()))["status"] == "DEPLOYED"
        assert processes_of(running.home)
        process.send_signal(number)
        await asyncio.wait_for(process.wait(), 60)
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
    assert [process.cmdline() for process in processes_of(running.home)] == []


async def test_up_again_keeps_the_data_and_serves_what_was_deployed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with platform(home, "--no-demo", "--no-console") as running:
        environment = await running.project("kept")
        web = await environment.application("web", applications.web("kept"), tmp_path / "work")
        assert (await web.deployed(await web.push()))["status"] == "DEPLOYED"
        await running.down()
        assert [process.cmdline() for process in processes_of(home)] == []
        await running.up("--no-demo", "--no-console")

        async def served() -> bool:
            return await web.page() == (200, "kept")

        await until(served, 30, "the page after the restart")
        web.write(applications.web("changed"))
        assert (await web.deployed(await web.push()))["status"] == "DEPLOYED"
        assert await web.page() == (200, "changed")


async def test_a_taken_port_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = await Platform(tmp_path / "home", port=port).cli(
            "up", "--detach", "--port", str(port), "--no-demo", "--no-console", check=False
        )
    assert refused.code != 0
    assert str(port) in refused.err
    assert "--port" in refused.err
    assert "Traceback" not in refused.out + refused.err


async def test_a_home_that_can_not_be_written_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    refused = await Platform(tmp_path / "file" / "home").cli("up", "--detach", "--no-demo", check=False)
    assert refused.code != 0
    assert str(tmp_path / "file") in refused.err
    assert "Traceback" not in refused.out + refused.err


async def test_two_platforms_run_side_by_side(slipway: Platform, tmp_path: Path) -> None:
    async with platform(tmp_path / "other", "--no-demo", "--no-console") as other:
        environment = await other.project("beside")
        web = await environment.application("web", applications.web("other"), tmp_path / "work")
        assert (await web.deployed(await web.push()))["status"] == "DEPLOYED"
        assert await web.page() == (200, "other")
        names = {
            project["name"]
            for project in (await slipway.api("GET", f"/organization/{slipway.organization_id}/project"))["results"]
        }
        assert "beside" not in names


async def test_a_backup_brings_the_whole_platform_back_elsewhere(tmp_path: Path) -> None:
    archive = tmp_path / "backup.slipway"
    async with platform(tmp_path / "first", "--no-demo", "--no-console") as first:
        environment = await first.project("saved")
        web = await environment.application("web", applications.web("saved"), tmp_path / "work")
        await first.api("POST", f"/application/{web.id}/secret", {"key": "PASSWORD", "value": "tr0ub4dor&3"})
        assert (await web.deployed(await web.push()))["status"] == "DEPLOYED"
        await first.cli("backup", str(archive))
        key = (await first.status())["recovery_key_file"]
        recovery_key = Path(key).read_text().strip()
    assert b"tr0ub4dor" not in archive.read_bytes()

    second = Platform(tmp_path / "second")
    without = await second.cli("restore", str(archive), check=False)
    assert without.code != 0
    assert "key" in without.err
    await second.cli("restore", str(archive), "--key-file", str(write(tmp_path / "key", recovery_key)))
    async with platform(tmp_path / "second", "--no-demo", "--no-console") as restored:
        found = await restored.api("GET", f"/application/{web.id}")
        assert found["name"] == "web"
        await web.rewire(restored)
        assert await web.page() == (200, "saved")
        web.write(applications.web("after the restore"))
        assert (await web.deployed(await web.push()))["status"] == "DEPLOYED"
        assert await web.page("/env?name=PASSWORD") == (200, "tr0ub4dor&3")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path
