"""nats-server killed and started again under everything: nothing acknowledged is lost, nothing waits for ever."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from slipway_bus import LOADED, Subscription, connect, create_task_consumer, declare
from slipway_bus.access import follow_access
from slipway_contracts.access import ACCESS, AccessEntry
from slipway_contracts.schedules import FIRED, Fired
from slipway_contracts.tasks import REPORTED, ClusterReport, Hello
from slipway_embedded import NatsServer
from slipway_errors import Unavailable

Rig = Any
Until = Any


@pytest.fixture
async def own(rig_factory: Any, tmp_path: Path) -> AsyncIterator[Rig]:
    """A server of the test's own, with streams and cluster `one`."""
    rig = await rig_factory(tmp_path / "nats")
    try:
        async with rig.connect_as("core") as core:
            await declare(core)
        await rig.add_cluster("one")
        yield rig
    finally:
        with contextlib.suppress(Exception):
            await rig.server.stop()


def fired(id: str) -> Fired:
    now = datetime.now(UTC)
    return Fired(schedule_id=id, kind="k", organization_id="o", nominal_at=now, fired_at=now)


async def test_every_acknowledged_message_survives_and_is_consumed_over_two_kills(own: Rig, until: Until) -> None:
    kept: set[str] = set()
    handled: set[str] = set()
    stopping = asyncio.Event()

    async def handler(app: None, message: Fired) -> None:
        handled.add(message.schedule_id)

    async def publish(bus: Any) -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            with contextlib.suppress(Unavailable):
                await bus.publish(FIRED, fired(str(number)), id=f"f{number}", kind="k")
                kept.add(str(number))
            await asyncio.sleep(0.001)

    async with own.connect_as("scheduler") as scheduler, own.connect_as("core") as core:
        publishing = asyncio.create_task(publish(scheduler))
        consuming = asyncio.create_task(
            core.consume(Subscription(FIRED, handler, "core-fired", max_in_flight=16), None, stopping)
        )
        for round in (1, 2):
            enough = len(kept) + 200
            await until(lambda enough=enough: len(kept) > enough)
            await own.server.kill()
            await until(lambda: not core.connected and not scheduler.connected)
            await own.server.start()
            await until(lambda round=round: core.connections > round and scheduler.connections > round, 20)
        enough = len(kept) + 200
        await until(lambda: len(kept) > enough, 20)
        await until(lambda: kept <= handled, 20)
        stopping.set()
        await asyncio.wait_for(asyncio.gather(publishing, consuming), 10)
        stored = {one.message.schedule_id async for one in core.history(FIRED)}
    assert kept <= stored


async def test_publishing_while_it_is_away_is_unavailable_in_time(own: Rig, until: Until) -> None:
    async with own.connect_as("scheduler") as bus:
        await own.server.kill()
        await until(lambda: not bus.connected)
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await bus.publish(FIRED, fired("x"), kind="k")
        assert time.monotonic() - started < 6
        await own.server.start()
        await bus.wait_connected(10)
        assert await bus.publish(FIRED, fired("x"), kind="k")


async def test_a_server_that_hangs_costs_no_more_than_the_time_out(own: Rig, until: Until) -> None:
    pid = int(own.server.pid_file.read_text())
    async with own.connect_as("scheduler") as bus:
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        try:
            started = time.monotonic()
            with pytest.raises(Unavailable, match="confirm in time"):
                await bus.publish(FIRED, fired("x"), kind="k")
            assert time.monotonic() - started < 6
        finally:
            os.kill(pid, signal.SIGCONT)
        assert await bus.publish(FIRED, fired("y"), kind="k")


async def test_a_waiting_engine_goes_on_after_a_kill(own: Rig, until: Until) -> None:
    async with own.engine("one") as engine:
        pulling = asyncio.create_task(engine.pull("TASKS", "one", 1, 60.0))
        await asyncio.sleep(0.2)
        await own.server.kill()
        await own.server.start()
        assert await asyncio.wait_for(pulling, 15) == []
        await engine.wait_connected(10)
        assert await engine.pull("TASKS", "one", 1, 0.2) == []
        hello = Hello(cluster_id="one", sender="engine", instance_id="i", version="1", at=datetime.now(UTC))
        assert await engine.publish(REPORTED, ClusterReport(hello=hello), cluster_id="one")


async def test_a_watch_tells_what_changed_while_the_server_was_away_and_after(own: Rig, until: Until) -> None:
    seen: list[tuple[str, str | None]] = []

    async def watch(bus: Any) -> None:
        async for key, entry in (await bus.table(ACCESS)).watch():
            seen.append((key, entry and entry.name))

    async with own.connect_as("core") as core, own.connect_as("websocket") as edge:
        table = await core.table(ACCESS)
        await table.put("token.a", AccessEntry(name="a"))
        watching = asyncio.create_task(watch(edge))
        await until(lambda: seen == [("token.a", "a"), (LOADED, None)])
        await own.server.kill()
        await own.server.start()
        await core.wait_connected(10)
        await table.put("token.b", AccessEntry(name="b"))
        await table.delete("token.a")
        await until(lambda: seen[2:] == [("token.b", "b"), ("token.a", None)])
        started = time.monotonic()
        await table.put("token.c", AccessEntry(name="c"))
        await until(lambda: seen[-1] == ("token.c", "c"), 1)
        assert time.monotonic() - started < 1
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_a_watch_notices_that_the_bucket_was_replaced_by_an_older_one(own: Rig, until: Until) -> None:
    seen: list[tuple[str, str | None]] = []

    async def watch(bus: Any) -> None:
        async for key, entry in (await bus.table(ACCESS)).watch():
            seen.append((key, entry and entry.name))

    async with own.connect_as("core") as core, own.connect_as("websocket") as edge:
        table = await core.table(ACCESS)
        await table.put("token.kept", AccessEntry(name="kept"))
        await table.put("token.gone", AccessEntry(name="gone"))
        watching = asyncio.create_task(watch(edge))
        await until(lambda: (LOADED, None) in seen)
        await core.api("STREAM.DELETE.KV_access")
        await declare(core)
        await table.put("token.kept", AccessEntry(name="kept again"))
        await own.server.kill()
        await own.server.start()
        await until(lambda: seen[-1] == ("token.kept", "kept again"), 20)
        assert ("token.gone", None) in seen
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_an_access_copy_is_fed_and_stops_with_its_process(own: Rig, until: Until) -> None:
    class Life:
        def __init__(self) -> None:
            self.stopping = asyncio.Event()
            self.loops: list[asyncio.Task[Any]] = []

        def spawn(self, coroutine: Any, name: str) -> asyncio.Task[Any]:
            self.loops.append(asyncio.create_task(coroutine, name=name))
            return self.loops[-1]

    life = Life()
    async with own.connect_as("core") as core, own.connect_as("git") as edge:
        table = await core.table(ACCESS)
        await table.put("alive", AccessEntry(kind="alive", at=datetime.now(UTC)))
        copy = await follow_access(edge, life)
        await copy.wait_ready(5)
        changed: list[str] = []
        copy.on_change(changed.append)
        await table.put("token.x", AccessEntry(principal_id="p"))
        await until(lambda: changed == ["token.x"], 2)
        life.stopping.set()
        await asyncio.wait_for(asyncio.gather(*life.loops), 2)


async def test_a_server_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "late")

    async def use() -> None:
        async with connect(server.url, name="x") as bus:
            await declare(bus)
            await create_task_consumer(bus, "c")
            await create_task_consumer(bus, "c")

    using = asyncio.create_task(use())
    await asyncio.sleep(0.3)
    assert not using.done()
    await server.start()
    try:
        await asyncio.wait_for(using, 10)
    finally:
        await server.stop()
