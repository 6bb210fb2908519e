"""The built-in remote with the real git: who may clone and push, and that every push is told of."""

import asyncio
import hashlib
import hmac
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from slipway_contracts.access import GIT_AUDIENCE
from slipway_contracts.base import uuid7
from slipway_contracts.git import GitLink, RemotePush
from slipway_contracts.places import Place
from slipway_git.app import Git
from slipway_git.backend import Limits
from slipway_git.deliveries import Deliveries
from slipway_git.feedback import hook_socket, write_hooks
from slipway_git.links import Links
from slipway_git.repositories import Repositories
from slipway_git.routes import ROUTES
from slipway_http import Server, serve_http
from slipway_security import jwt, sealing
from slipway_testing import AccessForTests, eventually
from slipway_testing.platform import Ran, git

ORGANIZATION, SERVICE, LINK = uuid7(), uuid7(), uuid7()
SECRET = b"a secret of thirty-two bytes ...."


@dataclass
class Gateway:
    """Where deliveries arrive: it checks their signatures, and can be told to be away."""

    status: int = 202
    pushes: list[RemotePush] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    asked: int = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.asked += 1
        expected = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        assert request.headers["X-Slipway-Signature"] == f"sha256={expected}"
        assert request.path == f"/hooks/slipway/{LINK}"
        if self.status == 202:
            self.ids.append(request.headers["X-Slipway-Delivery"])
            self.pushes.append(msgspec.json.decode(body, type=RemotePush))
        return web.Response(status=self.status)


@dataclass
class Remote:
    directory: Path
    work: Path
    access: AccessForTests
    gateway: Gateway
    gateway_url: str
    port: int = 0
    deliveries: Deliveries = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> None:
        keys = sealing.keypair_of(b"\x07" * 32)
        links = Links(keys.private)
        link = GitLink(
            id=LINK,
            provider="slipway",
            organization_id=ORGANIZATION,
            repository="shop/web",
            remote_sealed_secret=sealing.seal(keys.public, SECRET, LINK),
            service_id=SERVICE,
        )
        links.apply(LINK, link)
        self.directory.mkdir(exist_ok=True)
        hooks = str(write_hooks(self.directory))
        repositories = Repositories(self.directory, {"core.hooksPath": hooks, "receive.maxInputSize": "1000000"})
        self.deliveries = Deliveries(repositories, links, self.gateway_url, "http://localhost:8080")
        socket = await self._stack.enter_async_context(hook_socket(self.deliveries, "http://localhost:8080"))
        repositories.environment["SLIPWAY_HOOK_SOCKET"] = str(socket)
        stopping = asyncio.Event()
        loop = asyncio.create_task(self.deliveries.run(stopping))
        app = Git(
            self.access.copy, locate, links, repositories, self.deliveries, asyncio.Semaphore(8), Limits(20.0, 60.0)
        )
        server = Server(ROUTES, app, self.access.copy, title="Git")
        serving = await self._stack.enter_async_context(serve_http(server, "127.0.0.1", self.port))
        self.port = serving.port

        async def stop() -> None:
            stopping.set()
            await loop

        self._stack.push_async_callback(stop)

    async def stop(self) -> None:
        await self._stack.aclose()
        self._stack = AsyncExitStack()

    def url(self, password: str, repository: str = "shop/web") -> str:
        return f"http://slipway:{password}@127.0.0.1:{self.port}/git/{repository}.git"

    async def commit(self, name: str, text: str = "x") -> str:
        (self.work / name).write_text(text)
        await git(self.work, "add", "-A")
        await git(self.work, "commit", "-q", "-m", f"add {name}")
        return (await git(self.work, "rev-parse", "HEAD")).out.strip()

    async def push(self, *refs: str, password: str = "", check: bool = True, repository: str = "shop/web") -> Ran:
        password = password or self.access.token("devops", ORGANIZATION)
        return await git(self.work, "push", self.url(password, repository), *refs, check=check)


async def locate(kind: str, id: str, /) -> Place | None:
    return Place(organization_id=ORGANIZATION, project_id=uuid7(), service_id=id) if id == SERVICE else None


@pytest.fixture
async def remote(tmp_path: Path, access: AccessForTests) -> AsyncIterator[Remote]:
    gateway = Gateway()
    collector = web.AppRunner(_application(gateway))
    await collector.setup()
    site = web.TCPSite(collector, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{collector.addresses[0][1]}"
    work = tmp_path / "work"
    work.mkdir()
    await git(work, "init", "-q", "-b", "main")
    running = Remote(tmp_path / "a place", work, access, gateway, url)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()
        await collector.cleanup()


def _application(gateway: Gateway) -> web.Application:
    application = web.Application()
    application.router.add_post("/{path:.*}", gateway.take)
    return application


async def test_a_push_is_told_of_once_with_what_a_deployment_needs(remote: Remote) -> None:
    first = await remote.commit("a.txt")
    pushed = await remote.push("main")
    assert "on its way" in pushed.err
    second = await remote.commit("b.txt")
    await remote.push("main")
    assert [(push.ref, push.before, push.after) for push in remote.gateway.pushes] == [
        ("refs/heads/main", "0" * 40, first),
        ("refs/heads/main", first, second),
    ]
    told = remote.gateway.pushes[1]
    assert told.paths == ["b.txt"]
    assert told.commit_count == 1
    assert told.head is not None
    assert told.head.message == "add b.txt"
    assert told.head.author_email == "ada@example.org"
    assert told.repository == "shop/web"
    assert told.pusher == "devops token"
    assert len(set(remote.gateway.ids)) == 2


async def test_a_forced_push_back_and_forth_is_three_pushes(remote: Remote) -> None:
    a = await remote.commit("a.txt")
    await remote.push("main")
    await git(remote.work, "commit", "-q", "--amend", "-m", "b")
    await remote.push("+main")
    await git(remote.work, "reset", "-q", "--hard", a)
    await remote.push("+main")
    assert [push.forced for push in remote.gateway.pushes] == [False, True, True]
    assert remote.gateway.pushes[2].after == a
    assert len(set(remote.gateway.ids)) == 3


async def test_tags_and_deleted_branches_are_told(remote: Remote) -> None:
    commit = await remote.commit("a.txt")
    await git(remote.work, "tag", "-a", "v1", "-m", "one")
    await remote.push("main", "main:other", "v1")
    await remote.push(":other")
    told = {(push.ref, push.after) for push in remote.gateway.pushes}
    assert ("refs/tags/v1", commit) in told
    assert remote.gateway.pushes[-1].ref == "refs/heads/other"
    assert remote.gateway.pushes[-1].after == "0" * 40


async def test_a_push_while_the_gateway_is_away_is_told_when_it_is_back(remote: Remote) -> None:
    remote.gateway.status = 503
    await remote.commit("a.txt")
    pushed = await remote.push("main")
    assert "kept" in pushed.err
    remote.gateway.status = 202
    await eventually(lambda: len(remote.gateway.pushes) == 1)
    await remote.stop()
    await remote.start()
    assert await remote.deliveries.look(SERVICE) == []
    assert len(remote.gateway.pushes) == 1


async def test_a_delivery_refused_for_good_holds_up_none_behind_it(remote: Remote) -> None:
    remote.gateway.status = 422
    await remote.commit("a.txt")
    await remote.push("main")
    remote.gateway.status = 202
    second = await remote.commit("b.txt")
    await remote.push("main")
    assert [push.after for push in remote.gateway.pushes] == [second]


async def test_a_push_that_was_never_told_is_found_at_the_next_start(remote: Remote) -> None:
    remote.gateway.status = 503
    commit = await remote.commit("a.txt")
    await remote.push("main")
    await remote.stop()
    remote.gateway.status = 202
    await remote.start()
    await eventually(lambda: [push.after for push in remote.gateway.pushes] == [commit])


@pytest.mark.parametrize("role", ["viewer", "billing"])
async def test_who_may_read_may_clone_but_not_push(remote: Remote, role: str, tmp_path: Path) -> None:
    await remote.commit("a.txt")
    await remote.push("main")
    token = remote.access.token(role, ORGANIZATION)
    await git(tmp_path, "clone", "-q", remote.url(token), "copy")
    refused = await remote.push("main:other", password=token, check=False)
    assert refused.code != 0
    assert "403" in refused.err or "permission" in refused.err
    assert len(remote.gateway.pushes) == 1


@pytest.mark.parametrize("repository", ["shop/web", "no/such", "../../etc/passwd"])
async def test_strangers_see_no_difference_between_what_is_and_what_is_not(remote: Remote, repository: str) -> None:
    token = remote.access.token("owner", uuid7())
    refused = await git(remote.work, "ls-remote", remote.url(token, repository), check=False)
    assert refused.code != 0
    assert "not found" in refused.err
    for wrong in ("slw_wrong", "x"):
        refused = await git(remote.work, "ls-remote", remote.url(wrong, repository), check=False)
        assert refused.code != 0
        assert "Authentication failed" in refused.err or "not found" in refused.err


async def test_an_engine_reads_the_one_repository_of_its_task_and_writes_none(remote: Remote, tmp_path: Path) -> None:
    await remote.commit("a.txt")
    await remote.push("main")

    def key(repository: str) -> str:
        return jwt.issue(remote.access.key, "task", GIT_AUDIENCE, 60, repository=repository)

    await git(tmp_path, "clone", "-q", remote.url(key("shop/web")), "copy")
    other = await git(tmp_path, "clone", "-q", remote.url(key("shop/other")), "no", check=False)
    assert "not found" in other.err
    refused = await remote.push("main:other", password=key("shop/web"), check=False)
    assert refused.code != 0
    login = remote.access.jwt_for(remote.access.person("owner", ORGANIZATION))
    refused = await git(tmp_path, "clone", "-q", remote.url(login), "no", check=False)
    assert refused.code != 0


async def test_shallow_and_partial_clones_work(remote: Remote, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        await remote.commit(name)
    await remote.push("main")
    url = remote.url(remote.access.token("viewer", ORGANIZATION))
    await git(tmp_path, "clone", "-q", "--depth=1", url, "shallow")
    assert (await git(tmp_path / "shallow", "rev-list", "--count", "HEAD")).out.strip() == "1"
    await git(tmp_path, "clone", "-q", "--filter=blob:none", url, "partial")
    assert (tmp_path / "partial" / "c").exists()


async def test_a_push_that_is_too_large_is_refused_and_nothing_moves(remote: Remote) -> None:
    (remote.work / "big").write_bytes(random.Random(1).randbytes(2_000_000))
    await remote.commit("a.txt")
    refused = await remote.push("main", check=False)
    assert refused.code != 0
    assert remote.gateway.asked == 0


async def test_the_dumb_protocol_is_not_spoken(remote: Remote) -> None:
    token = remote.access.token("owner", ORGANIZATION)
    headers = {"Authorization": aiohttp.encode_basic_auth("x", token)}
    async with aiohttp.ClientSession(headers=headers) as session:
        base = f"http://127.0.0.1:{remote.port}/git/shop/web.git"
        for path, status in (("/info/refs", 403), ("/HEAD", 404), ("/config", 404), ("/../../slipway-told.json", 404)):
            async with session.get(base + path) as answer:
                assert answer.status == status, path
