"""Gateway and agent in the test's process, on a real bus and database, with real terminals in the real sandbox."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import psutil
import pytest

from slipway_agent.shells.sessions import Sessions
from slipway_bus import Bus
from slipway_contracts.access import ACCESS, API_AUDIENCE, AccessEntry, Grant
from slipway_contracts.base import uuid7
from slipway_contracts.places import LOCATE, Locate, Place
from slipway_contracts.shell import SESSION_CHANGED, SessionChanged
from slipway_errors import NotFound
from slipway_postgres import Pool, pool
from slipway_security import jwt
from slipway_service import Life
from slipway_shell.__main__ import serve
from slipway_shell.settings import Settings
from slipway_testing import eventually, free_port, started
from slipway_testing.servers import NatsForTests
from slipway_workloads import Bind, Launch, Layout, Release, ServiceMeta, best_isolation
from slipway_workloads.records import write
from slipway_workloads.sandbox import Isolation, identity_bind, uid_for

V5 = "v5.channel.k8s.io"


def deploy(layout: Layout, place: Place, cluster: str, **env: str) -> None:
    """Lay out a service as the engine leaves it: a release with a source folder and its environment."""
    directory = layout.service(place.service_id)
    release = directory.release("20260101-1")
    release.source.mkdir(parents=True)
    (release.source / "app.py").write_text("print('hello')\n")
    uid = uid_for(place.service_id)
    if best_isolation() is Isolation.USER:
        os.chown(release.source, uid, uid)
    inside = "/app" if best_isolation() is not Isolation.NONE else str(release.source)
    binds = [Bind(host=str(release.source), inside="/app", writable=True), *identity_bind(release.root, uid)]
    launch = Launch(
        argv=[],
        command=["python", "app.py"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", **env},  # noqa: S108 the sandbox's own
        cwd=inside,
        binds=binds,
        sandboxed=best_isolation() is not Isolation.NONE,
        uid=uid,
        hostname="web",
    )
    write(release.launch, launch, mode=0o600)
    write(release.about, Release(name=release.name, created_at=datetime.now(UTC), state="running"))
    meta = ServiceMeta(
        cluster_id=cluster,
        organization_id=place.organization_id,
        project_id=place.project_id,
        environment_id=place.environment_id,
        service_id=place.service_id,
        name="web",
        label="web",
        current_release=release.name,
    )
    write(directory.meta, meta)


@dataclass
class Shells:
    """Everything that a test of shells needs."""

    nats: NatsForTests
    core: Bus
    layout: Layout
    sessions: Sessions
    agent: Bus
    cluster: str
    settings: Settings
    database: Pool
    http: aiohttp.ClientSession
    place: Place
    places: dict[str, Place] = field(default_factory=dict)
    key: jwt.SigningKey = field(default_factory=jwt.new_signing_key)

    async def begin(self) -> None:
        self.table = await self.core.table(ACCESS)
        await self.table.put("alive", AccessEntry(kind="alive", at=datetime.now(UTC) + timedelta(days=1)))
        await self.table.put(f"key.{self.key.kid}", AccessEntry(kind="key", public_key_pem=self.key.public_pem))
        self.places[self.place.service_id] = self.place
        self.places[self.place.organization_id] = Place(organization_id=self.place.organization_id)

        async def locate(message: Locate, ids: dict[str, str]) -> Place:
            if message.id not in self.places:
                raise NotFound
            return self.places[message.id]

        await self.core.serve(LOCATE, locate)

    async def person(self, role: str = "devops") -> str:
        await self.grant(f"{role}-user", role)
        return jwt.issue(self.key, f"{role}-user", API_AUDIENCE, 600, sid="s")

    async def grant(self, user: str, role: str) -> None:
        grants = [Grant(organization_id=self.place.organization_id, role=role)] if role else []
        await self.table.put(f"user.{user}", AccessEntry(principal_id=user, name=f"{user}@x.org", grants=grants))

    async def open(
        self, token: str = "", *, protocol: str = V5, command: list[str] | None = None, **query: str
    ) -> "Shell":
        """A session of somebody who may, or of the owner of the token."""
        token = token or await self.person()
        await eventually(lambda: self._known(token))
        query = {"service": self.place.service_id, **query}
        pairs = [*query.items(), *(("command", part) for part in command or [])]
        return Shell(await self._connect(token, protocol, pairs), protocol == V5)

    async def _known(self, token: str) -> bool:
        """Whether the gateway has heard of this person."""
        probe = Shell(await self._connect(token, "", [("service", uuid7())]), channels=False)
        await probe.ended()
        return "no longer" not in probe.reason and "Log in" not in probe.reason

    async def _connect(
        self, token: str, protocol: str, pairs: list[tuple[str, str]]
    ) -> aiohttp.ClientWebSocketResponse:
        url = f"http://127.0.0.1:{self.settings.listen_port}/shell/exec?{urlencode(pairs)}"
        protocols = [name for name in (protocol,) if name]
        headers = {"Authorization": f"Bearer {token}"}
        return await self.http.ws_connect(url, protocols=protocols, headers=headers, max_msg_size=0)

    async def rows(self) -> list[dict[str, Any]]:
        async with self.database.acquire() as connection:
            return [dict(row) for row in await connection.fetch("SELECT * FROM sessions ORDER BY opened_at")]

    async def news(self) -> list[SessionChanged]:
        return [stored.message async for stored in self.core.history(SESSION_CHANGED)]

    def children(self) -> list[int]:
        """Programs that were started for shells and are still there."""
        own = psutil.Process().children(recursive=True)
        return [child.pid for child in own if "bwrap" in child.name() or child.name() in ("bash", "sh", "sleep", "yes")]


@dataclass
class Shell:
    """A client's side of one session."""

    ws: aiohttp.ClientWebSocketResponse
    channels: bool
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    status: dict[str, Any] | None = None
    code: int | None = None
    reason: str = ""

    async def receive(self, timeout_seconds: float = 20) -> None:
        message = await self.ws.receive(timeout=timeout_seconds)
        if message.type is aiohttp.WSMsgType.BINARY:
            self._take(message.data)
        elif message.type is aiohttp.WSMsgType.CLOSE:
            self.code, self.reason = int(message.data), str(message.extra or "")
            await self.ws.close()
        else:
            self.code = self.code or int(self.ws.close_code or 0)

    def _take(self, data: bytes) -> None:
        if not self.channels:
            self.stdout += data
        elif data[0] == 1:
            self.stdout += data[1:]
        elif data[0] == 2:
            self.stderr += data[1:]
        elif data[0] == 3:
            self.status = json.loads(data[1:])

    async def type(self, data: bytes | str) -> None:
        data = data.encode() if isinstance(data, str) else data
        await self.ws.send_bytes(b"\0" + data if self.channels else data)

    async def resize(self, columns: int, rows: int) -> None:
        await self.ws.send_bytes(b"\4" + json.dumps({"Width": columns, "Height": rows}).encode())

    async def eof(self) -> None:
        await self.ws.send_bytes(b"\xff\0" if self.channels else b"\x04")

    async def shows(self, text: str, timeout_seconds: float = 20) -> None:
        async with asyncio.timeout(timeout_seconds):
            while text.encode() not in self.stdout:
                await self.receive()
                assert self.code is None, f"closed with {self.code} {self.reason}; shown: {self.stdout!r}"

    async def ended(self, timeout_seconds: float = 20) -> int:
        """Everything to the end; the close code."""
        async with asyncio.timeout(timeout_seconds):
            while self.code is None:
                await self.receive(timeout_seconds)
        return self.code or 0

    @property
    def exit_code(self) -> int:
        assert self.status is not None
        if self.status["status"] == "Success":
            return 0
        return int(self.status["details"]["causes"][0]["message"])


@pytest.fixture
def changes() -> dict[str, Any]:
    """Settings that a test wants otherwise; overridden by test modules."""
    return {}


@pytest.fixture
async def shells(
    nats: NatsForTests,
    bus_as: Callable[[str], Awaitable[Bus]],
    database: Callable[[str], Awaitable[str]],
    tmp_path: Path,
    changes: dict[str, Any],
) -> AsyncIterator[Shells]:
    # bubblewrap binds from here as another user.
    for folder in (tmp_path, *tmp_path.parents):
        with contextlib.suppress(PermissionError):
            folder.chmod(folder.stat().st_mode | 0o055)
    cluster = uuid7()
    credentials = await nats.issue(cluster)
    url = await database("shell")
    settings = Settings(
        nats_url=nats.url,
        nats_password=nats.passwords["shell"],
        postgres_url=url,
        recordings_dir=str(tmp_path / "recordings"),
        listen_port=free_port(),
        **{"agent_seconds": 5.0, **changes},
    )
    place = Place(
        organization_id=uuid7(),
        project_id=uuid7(),
        environment_id=uuid7(),
        service_id=uuid7(),
        cluster_id=cluster,
        mode="DEVELOPMENT",
        name="web",
    )
    layout = Layout(tmp_path / "work")
    deploy(layout, place, cluster, GREETING="hello from the service")
    async with contextlib.AsyncExitStack() as stack:
        agent = await stack.enter_async_context(nats.bus_with(credentials.agent_user, credentials.agent_password))
        sessions = Sessions(agent, layout, cluster, shells=20, window_bytes=128 * 1024, silence_seconds=30)
        await sessions.start()
        stack.push_async_callback(sessions.stop)
        life = Life()
        reaping = asyncio.create_task(sessions.run(life))
        stack.push_async_callback(_end, life, reaping)
        core = await bus_as("core")
        rows = await stack.enter_async_context(pool(url, "test", max_size=2))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        shells = Shells(nats, core, layout, sessions, agent, cluster, settings, rows, http, place)
        await shells.begin()
        await stack.enter_async_context(started(serve, settings))
        yield shells


async def _end(life: Life, task: "asyncio.Task[None]") -> None:
    life.stopping.set()
    await task
