"""`slipway schedules`: the verb, as a process, against a real scheduler behind an origin that knows one environment."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from slipway_bus import Bus
from slipway_contracts.access import ACCESS
from slipway_contracts.base import uuid7
from slipway_contracts.places import LOCATE, Locate, Place
from slipway_contracts.schedules import FIRED, SCHEDULE_PUT, PutSchedule, ScheduleAnswer
from slipway_scheduler.__main__ import serve
from slipway_scheduler.settings import Settings
from slipway_testing import AccessForTests, eventually, free_port, started
from slipway_testing.servers import NatsForTests

BusAs = Callable[[str], Awaitable[Bus]]
DatabaseOf = Callable[[str], Awaitable[str]]


@asynccontextmanager
async def origin(scheduler: str, environment_id: str) -> AsyncIterator[str]:
    """What lies beside the scheduler on the platform's address: the lists that a name is looked up in."""
    lists = {
        "/api/organization": [{"id": "mine"}],
        "/api/organization/mine/project": [{"id": "p", "name": "demo"}],
        "/api/project/p/environment": [{"id": environment_id, "name": "production"}],
    }

    async def answer(request: web.Request) -> web.Response:
        if request.path in lists:
            return web.json_response({"results": lists[request.path]})
        headers = {"Authorization": request.headers["Authorization"]}
        async with aiohttp.ClientSession() as client, client.get(scheduler + request.path_qs, headers=headers) as found:
            return web.Response(body=await found.read(), status=found.status, content_type=found.content_type)

    application, port = web.Application(), free_port()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def slipway(url: str, token: str, home: Path, *arguments: str) -> tuple[int, str, str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "SLIPWAY_URL": url, "SLIPWAY_TOKEN": token}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "slipway_cli", *arguments, env=environment, stdout=-1, stderr=-1
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def test_it_lists_what_is_due_and_what_came_of_it(
    nats: NatsForTests, bus_as: BusAs, database: DatabaseOf, access: AccessForTests, tmp_path: Path
) -> None:
    core, environment_id = await bus_as("core"), uuid7()
    table, token = await core.table(ACCESS), access.token("viewer", "mine")
    for key, entry in access.entries.items():
        await table.put(key, entry)

    async def locate(message: Locate, ids: dict[str, str]) -> Place:
        return Place(organization_id="mine", environment_id=message.id)

    await core.serve(LOCATE, locate)
    chosen = Settings(
        postgres_url=await database("scheduler"),
        nats_url=nats.url,
        nats_password=nats.passwords["scheduler"],
        listen_port=free_port(),
    )
    place = {"organization_id": "mine", "environment_id": environment_id}
    nightly = PutSchedule(id="nightly", kind="cron-job", expression="@daily", reason="backup", **place)
    once = PutSchedule(id="once", kind="preview-warn", at=datetime.now(UTC) - timedelta(hours=1), **place)

    async def fired() -> Any:
        return await core.last(FIRED, kind="preview-warn")

    async with (
        started(serve, chosen),
        origin(f"http://127.0.0.1:{chosen.listen_port}", environment_id) as url,
    ):
        for message in (nightly, once):
            assert (await core.request(SCHEDULE_PUT, message, ScheduleAnswer)).ok
        await eventually(fired)
        code, out, errors = await slipway(url, token, tmp_path, "schedules", "demo/production", "--json")
        assert code == 0, errors
        shown = json.loads(out)
        assert [one["id"] for one in shown["schedules"]] == ["nightly"]
        assert [(one["kind"], one["outcome"]) for one in shown["firings"]] == [("preview-warn", "late")]
        code, out, errors = await slipway(url, token, tmp_path, "schedules", "production")
        assert code == 0, errors
        assert "@daily (UTC)" in out
        assert "late" in out
        code, _, errors = await slipway(url, token, tmp_path, "schedules", "staging")
        assert code == 5
        assert "demo/production" in errors
