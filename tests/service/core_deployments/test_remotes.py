"""Asking a Git remote where a branch stands: with a real git behind HTTP, and with remotes that misbehave."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import encode_basic_auth, web

from slipway_core.outgoing import PublicOnly
from slipway_core.remotes import Remotes, RemoteUnknown

HERE = Remotes(frozenset({"127.0.0.1"}))


async def git(*arguments: str, cwd: Path, env: dict[str, str] | None = None, stdin: bytes = b"") -> bytes:
    known = {"PATH": os.environ["PATH"], "HOME": str(cwd), "GIT_CONFIG_NOSYSTEM": "1"} | (env or {})
    process = await asyncio.create_subprocess_exec(
        "git", *arguments, cwd=cwd, env=known, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(stdin), 30)
    assert process.returncode == 0
    return out


class Remote:
    """A repository with two branches, served by git itself."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = ""
        self.speaks = "version=2"
        self.password = ""
        self.asked = 0

    async def make(self) -> None:
        await git("init", "-q", "-b", "main", ".", cwd=self.directory)
        identity = {f"GIT_{who}_{what}": "ada" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        await git("commit", "-q", "--allow-empty", "-m", "one", cwd=self.directory, env=identity)
        await git("branch", "main-2", cwd=self.directory)
        await git("commit", "-q", "--allow-empty", "-m", "two", cwd=self.directory, env=identity)

    async def commit(self, ref: str) -> str:
        return (await git("rev-parse", ref, cwd=self.directory)).decode().strip()

    async def refs(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.password and request.headers.get("Authorization") != encode_basic_auth("slipway", self.password):
            return web.Response(status=401)
        lines = await self._run("--advertise-refs", request)
        return web.Response(body=b"001e# service=git-upload-pack\n0000" + lines)

    async def pack(self, request: web.Request) -> web.Response:
        return web.Response(body=await self._run("--stateless-rpc", request, await request.read()))

    async def _run(self, option: str, request: web.Request, stdin: bytes = b"") -> bytes:
        env = {"GIT_PROTOCOL": self.speaks} if request.headers.get("Git-Protocol") else {}
        options = ("--stateless-rpc",) if option == "--stateless-rpc" else ("--stateless-rpc", option)
        return await git("upload-pack", *options, str(self.directory), cwd=self.directory, env=env, stdin=stdin)


@pytest.fixture
async def remote(tmp_path: Path) -> AsyncIterator[Remote]:
    remote = Remote(tmp_path)
    await remote.make()

    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"{remote.url}/info/refs?service=git-upload-pack")

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(64):
            await response.write(b"0" * 65_536)
        return response

    async def silent(request: web.Request) -> web.Response:
        await asyncio.sleep(20)
        return web.Response()

    app = web.Application()
    app.router.add_get("/repo.git/info/refs", remote.refs)
    app.router.add_post("/repo.git/git-upload-pack", remote.pack)
    app.router.add_get("/elsewhere/info/refs", elsewhere)
    app.router.add_get("/endless/info/refs", endless)
    app.router.add_get("/silent/info/refs", silent)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    remote.url = f"http://127.0.0.1:{runner.addresses[0][1]}/repo.git"
    yield remote
    await runner.cleanup()


@pytest.mark.parametrize("speaks", ["version=2", "version=0"])
async def test_where_a_branch_stands(remote: Remote, speaks: str) -> None:
    remote.speaks = speaks
    assert await HERE.head(remote.url, "refs/heads/main") == await remote.commit("main")
    assert await HERE.head(remote.url, "refs/heads/main-2") == await remote.commit("main-2")
    assert await HERE.head(remote.url, "refs/heads/mai") is None


async def test_a_login_is_sent(remote: Remote) -> None:
    remote.password = "s3cret"
    assert await HERE.head(remote.url, "refs/heads/main", "slipway", "s3cret") == await remote.commit("main")
    with pytest.raises(RemoteUnknown, match="401"):
        await HERE.head(remote.url, "refs/heads/main")


async def test_addresses_inside_are_not_asked(remote: Remote) -> None:
    for host in ("localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "169.254.169.254"):
        with pytest.raises(RemoteUnknown):
            await Remotes().head(remote.url.replace("127.0.0.1", host), "refs/heads/main")
    assert remote.asked == 0


async def test_a_name_that_leads_inside_is_not_asked(remote: Remote) -> None:
    with pytest.raises(OSError, match="inside"):
        await PublicOnly().resolve("localhost", 80)


@pytest.mark.parametrize("path", ["elsewhere", "endless", "none"])
async def test_remotes_that_misbehave_are_no_answer(remote: Remote, path: str) -> None:
    with pytest.raises(RemoteUnknown):
        await HERE.head(remote.url.replace("repo.git", path), "refs/heads/main")


async def test_a_silent_remote_is_not_waited_for_long(remote: Remote) -> None:
    async with asyncio.timeout(10):
        with pytest.raises(RemoteUnknown):
            await HERE.head(remote.url.replace("repo.git", "silent"), "refs/heads/main")
