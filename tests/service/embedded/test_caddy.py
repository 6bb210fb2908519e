"""Caddy from its wheel: the one origin, and routes that come while connections stay open."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from slipway_embedded import CaddyServer, Upstreams
from slipway_embedded.caddy import SERVICES_ID
from slipway_embedded.rundirs import private_directory


@asynccontextmanager
async def upstream(name: str) -> AsyncIterator[int]:
    """An application that says its name and what it was asked."""

    async def say_where(request: web.Request) -> web.StreamResponse:
        if not request.headers.get("Upgrade"):
            return web.Response(text=f"{name} {request.path}")
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(f"{name} {message.data}")
        return ws

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", say_where)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    try:
        yield listener.getsockname()[1]
    finally:
        await runner.cleanup()


@pytest.fixture
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return private_directory(tmp_path_factory.mktemp("run") / "s")


@asynccontextmanager
async def caddy(tmp_path: Path, run: Path, **ports: int) -> AsyncIterator[CaddyServer]:
    upstreams = Upstreams(ports=ports, console=tmp_path / "console dist", routes=tmp_path / "routes", retry_seconds=1)
    async with CaddyServer(tmp_path / "a caddy", upstreams=upstreams, run_directory=run) as server:
        yield server


async def get(server: CaddyServer, path: str, host: str = "localhost") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}{path}", headers={"Host": f"{host}:{server.port}"}) as answer,
    ):
        return answer.status, await answer.text()


def route(host: str, file: Path) -> dict[str, object]:
    proxy = {"handler": "reverse_proxy", "upstreams": [{"dial": f"{{file.{file}}}"}], "stream_close_delay": "1h"}
    return {"match": [{"host": [host]}], "handle": [proxy], "terminal": True}


async def test_each_path_goes_to_its_part_and_every_other_to_the_console(tmp_path: Path, run_directory: Path) -> None:
    console = tmp_path / "console dist"
    async with (
        upstream("core") as core,
        upstream("scheduler") as scheduler,
        upstream("websocket") as websocket,
        caddy(tmp_path, run_directory, core=core, scheduler=scheduler, websocket=websocket, git=1) as server,
    ):
        assert await get(server, "/api/organization") == (200, "core /api/organization")
        assert await get(server, "/api/scheduler/x") == (200, "scheduler /api/scheduler/x")
        assert await get(server, "/connection/websocket") == (200, "websocket /connection/websocket")
        assert await get(server, "/ws/logs") == (200, "websocket /ws/logs")
        status, text = await get(server, "/projects")
        assert (status, "being built" in text) == (503, True)
        (console / "assets").mkdir(parents=True)
        (console / "index.html").write_text("the console")
        (console / "assets" / "a.js").write_text("script")
        assert await get(server, "/projects/1") == (200, "the console")
        assert await get(server, "/apiary") == (200, "the console")
        assert await get(server, "/assets/a.js") == (200, "script")
        assert (await get(server, "/assets/gone.js"))[0] == 404


async def test_an_unknown_host_is_no_part_of_the_platform(tmp_path: Path, run_directory: Path) -> None:
    async with upstream("core") as core, caddy(tmp_path, run_directory, core=core) as server:
        for host in ("evil.example.org", "nobody.localhost", "localhost.evil.example.org"):
            status, text = await get(server, "/api/organization", host)
            assert status == 404
            assert "core" not in text


async def test_a_part_that_is_away_is_a_problem_document(tmp_path: Path, run_directory: Path) -> None:
    async with (
        caddy(tmp_path, run_directory, core=1) as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/api/x") as answer,
    ):
        assert answer.status == 503
        assert answer.content_type == "application/problem+json"
        assert (await answer.json(content_type=None))["code"] == "unavailable"


async def test_a_route_comes_without_cutting_an_open_socket_and_follows_its_file(
    tmp_path: Path, run_directory: Path
) -> None:
    async with (
        upstream("one") as one,
        upstream("two") as two,
        upstream("websocket") as websocket,
        caddy(tmp_path, run_directory, websocket=websocket) as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}/connection/websocket") as open_socket,
    ):
        file = tmp_path / "an upstream"
        file.write_text(f"127.0.0.1:{one}")
        added = route("web.localhost", file)
        status, _ = await server.admin("POST", f"/id/{SERVICES_ID}/handle/0/routes", added)
        assert status == 200
        assert await get(server, "/x", "web.localhost") == (200, "one /x")
        (tmp_path / "next").write_text(f"127.0.0.1:{two}")
        (tmp_path / "next").replace(file)
        assert await get(server, "/x", "web.localhost") == (200, "two /x")
        await open_socket.send_str("still here")
        assert (await asyncio.wait_for(open_socket.receive(), 5)).data == "websocket still here"


async def test_kept_routes_are_there_after_a_restart_and_half_a_file_is_passed_over(
    tmp_path: Path, run_directory: Path
) -> None:
    import json

    routes = tmp_path / "routes"
    routes.mkdir()
    async with upstream("one") as one:
        (tmp_path / "up").write_text(f"127.0.0.1:{one}")
        (routes / "a.json").write_text(json.dumps(route("web.localhost", tmp_path / "up")))
        (routes / "b.json").write_text('{"match": [{"ho')
        async with caddy(tmp_path, run_directory) as server:
            assert await get(server, "/x", "web.localhost") == (200, "one /x")


async def test_only_we_may_administer_it(tmp_path: Path, run_directory: Path) -> None:
    async with caddy(tmp_path, run_directory) as server:
        assert stat.S_IMODE(server.admin_socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(server.admin_socket.parent.stat().st_mode) == 0o700
