"""The life of a process, in real processes: an orderly end, a dead loop, workers that share a port."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from slipway_service import Life
from slipway_service.workers import YOUNG_SECONDS
from slipway_testing import eventually, free_port

PROGRAM = '''
"""A service for tests."""
import asyncio, os
from contextlib import asynccontextmanager
import msgspec, structlog
from aiohttp import web
from slipway_service import Life, run
from slipway_errors import Invalid

log = structlog.get_logger()

class Settings(msgspec.Struct, frozen=True, kw_only=True):
    how: str = "well"
    port: int = 0
    workers: int = 1
    stop_seconds: float = 1.0

@asynccontextmanager
async def resource(name):
    log.info("open", name=name)
    try:
        yield name
    finally:
        log.info("close", name=name)

async def loop(life, how):
    if how == "dies":
        await asyncio.sleep(0.05)
        raise LookupError("the loop")
    if how == "hangs":
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                log.info("cancelled")
                raise
    await life.stopping.wait()
    log.info("loop ends")

async def serve(settings, life):
    if settings.how == "refuses":
        raise Invalid("The key is missing: make one.")
    if settings.how == "breaks":
        raise RuntimeError("a bug")
    await life.enter(resource("first"))
    await life.enter(resource("second"))
    async def told():
        log.info("told")
    life.on_stop(told)
    life.spawn(loop(life, settings.how), "loop")
    if settings.port:
        async def answer(reader, writer):
            writer.write(str(os.getpid()).encode())
            writer.close()
        server = await asyncio.start_server(answer, "127.0.0.1", settings.port, reuse_port=life.shares_port)
        await life.enter(server)

run(serve, Settings)
'''


@asynccontextmanager
async def running(tmp_path: Path, **settings: object) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {"PATH": os.environ["PATH"]} | {f"SLIPWAY_{k.upper()}": str(v) for k, v in settings.items()}
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(tmp_path / "program.py"), env=environment, stderr=file
        )
    try:
        yield process, log
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def events(log: Path) -> list[str]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [f"{line['event']} {line['name']}" if "name" in line else line["event"] for line in lines]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order(tmp_path: Path, how: signal.Signals) -> None:
    async with running(tmp_path) as (process, log):
        await eventually(lambda: "ready" in events(log))
        process.send_signal(how)
        assert await asyncio.wait_for(process.wait(), 5) == 0
    said = events(log)
    assert said[:3] == ["open first", "open second", "ready"]
    assert set(said[3:5]) == {"told", "loop ends"}
    assert said[5:] == ["close second", "close first", "stopped"]


async def test_a_dead_loop_ends_the_process(tmp_path: Path) -> None:
    async with running(tmp_path, how="dies") as (process, log):
        assert await asyncio.wait_for(process.wait(), 5) == 1
    assert "loop died" in events(log)
    assert events(log)[-3:] == ["close second", "close first", "stopped"]


async def test_a_loop_that_hangs_is_cut_off_at_the_limit(tmp_path: Path) -> None:
    async with running(tmp_path, how="hangs") as (process, log):
        await eventually(lambda: "ready" in events(log))
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 5) == 0
    assert "loop cut off" in events(log)
    assert "cancelled" in events(log)


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, how="hangs", stop_seconds=60) as (process, log):
        await eventually(lambda: "ready" in events(log))
        process.terminate()
        await eventually(lambda: "told" in events(log))
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 5) == -signal.SIGTERM


@pytest.mark.parametrize(("how", "code"), [("refuses", 2), ("breaks", 1)])
async def test_a_start_that_fails_says_why(tmp_path: Path, how: str, code: int) -> None:
    async with running(tmp_path, how=how) as (process, log):
        assert await asyncio.wait_for(process.wait(), 5) == code
    last = json.loads(log.read_text().splitlines()[-1])
    assert last.get("detail") == "The key is missing: make one." or "a bug" in last["exception"]


async def ask(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return (await asyncio.wait_for(reader.read(), 5)).decode()
    finally:
        writer.close()


async def served_by(port: int, count: int) -> set[str]:
    return {await ask(port) for _ in range(count)}


async def test_workers_share_the_port_and_a_killed_one_comes_back(tmp_path: Path) -> None:
    port = free_port()
    async with running(tmp_path, workers=2, port=port) as (process, log):
        await eventually(lambda: events(log).count("ready") == 2)
        old_enough_at = asyncio.get_running_loop().time() + YOUNG_SECONDS
        pids = await eventually_two(port)
        assert str(process.pid) not in pids
        # Younger than five seconds, a dying worker would end them all: the fault would be in the start.
        victim = psutil.Process(int(min(pids)))
        await eventually(lambda: asyncio.get_running_loop().time() > old_enough_at)
        victim.kill()
        await eventually(lambda: events(log).count("ready") == 3)
        assert min(pids) not in await eventually_two(port)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert events(log).count("stopped") == 2


async def eventually_two(port: int) -> set[str]:
    async def two() -> set[str]:
        pids = await served_by(port, 20)
        return pids if len(pids) == 2 else set()

    return await eventually(two)


async def test_workers_end_with_their_parent_however_it_ends(tmp_path: Path) -> None:
    async with running(tmp_path, workers=2) as (process, log):
        await eventually(lambda: events(log).count("ready") == 2)
        workers = psutil.Process(process.pid).children()
        process.kill()
        await process.wait()
        await eventually(lambda: not any(worker.is_running() for worker in workers))


async def test_workers_that_die_young_end_everything(tmp_path: Path) -> None:
    async with running(tmp_path, workers=2, how="breaks") as (process, _):
        assert await asyncio.wait_for(process.wait(), 10) == 1


async def test_a_resource_that_fails_to_close_does_not_keep_the_others_open() -> None:
    closed = []

    @asynccontextmanager
    async def resource(name: str) -> AsyncIterator[None]:
        try:
            yield
        finally:
            closed.append(name)
            if name == "second":
                raise OSError(name)

    async def serve(life: Life) -> None:
        await life.enter(resource("first"))
        await life.enter(resource("second"))
        life.stopping.set()

    life = Life(1)
    await life.live(serve)
    assert closed == ["second", "first"]
    assert life.failed
