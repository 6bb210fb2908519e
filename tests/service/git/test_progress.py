"""A push shows what becomes of it, for as long as somebody looks on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from slipway_bus import Bus
from slipway_contracts.access import ACCESS, AccessEntry, Grant
from slipway_contracts.base import uuid7
from slipway_contracts.events import CHANGED, DeploymentView, Event, StepView
from slipway_contracts.git import GIT_LINKS, GitLink, RemotePush
from slipway_contracts.live import LOGGED, LogBatch, LogLine
from slipway_contracts.places import LOCATE, Locate, Place
from slipway_git.__main__ import serve
from slipway_git.settings import Settings
from slipway_security import sealing, tokens
from slipway_security.keyfiles import write_key
from slipway_testing import eventually, free_port, started
from slipway_testing.platform import git

ORGANIZATION, SERVICE, LINK, CLUSTER, ENVIRONMENT = (uuid7() for _ in range(5))
SECRET = b"a secret of thirty-two bytes ...."


class Stage:
    """The platform around the remote, as far as a push sees it: the tests play core and the engine."""

    def __init__(self, core: Bus, engine: Bus, url: str, work: Path) -> None:
        self.core, self.engine, self.url, self.work = core, engine, url, work
        self.pushes: asyncio.Queue[RemotePush] = asyncio.Queue()
        self.deployment = uuid7()

    async def view(self, commit: str, state: str, status: str, *, ended: bool = False, **step: Any) -> None:
        now = datetime.now(UTC)
        body = DeploymentView(
            id=self.deployment,
            number=7,
            organization_id=ORGANIZATION,
            project_id="",
            environment_id=ENVIRONMENT,
            action="DEPLOY",
            status=status,
            commits={SERVICE: commit},
            steps=[
                StepView(id="s", service_id=SERVICE, service_name="web", kind="BUILD", stage="", state=state, **step)
            ],
            created_at=now,
            ended_at=now if ended else None,
        )
        event = Event(
            id=uuid7(),
            organization_id=ORGANIZATION,
            entity="deployment",
            verb="progressed",
            entity_id=self.deployment,
            version=1,
            body=msgspec.to_builtins(body),
            at=now,
        )
        ids = {"organization_id": ORGANIZATION, "entity": "deployment", "verb": "progressed"}
        await self.core.publish(CHANGED, event, **ids)

    async def log(self, *lines: str, deployment_id: str = "") -> None:
        told = [LogLine(sequence=n, time_ns=0, stream="stdout", text=text) for n, text in enumerate(lines)]
        batch = LogBatch(epoch=uuid7(), source="build", deployment_id=deployment_id or self.deployment, lines=told)
        ids = {"cluster_id": CLUSTER, "environment_id": ENVIRONMENT, "service_id": SERVICE, "kind": "build"}
        await self.engine.publish(LOGGED, batch, **ids)

    async def commit(self) -> str:
        (self.work / "a").write_text(uuid7())
        await git(self.work, "add", "-A")
        await git(self.work, "commit", "-qm", "a change")
        return (await git(self.work, "rev-parse", "HEAD")).out.strip()


async def start_gateway(stage: Stage, port: int) -> web.AppRunner:
    async def take(request: web.Request) -> web.Response:
        await stage.pushes.put(msgspec.json.decode(await request.read(), type=RemotePush))
        return web.Response(status=202)

    application = web.Application()
    application.router.add_post("/hooks/slipway/{link}", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


@pytest.fixture
async def stage(nats: Any, bus_as: Callable[[str], Awaitable[Bus]], tmp_path: Path) -> AsyncIterator[Stage]:
    core, engine = await bus_as("core"), await bus_as("operator")
    keys = sealing.new_keypair()
    write_key(tmp_path / "key", keys.private)
    gateway_port = free_port()
    settings = Settings(
        nats_url=nats.url,
        nats_password=nats.passwords["git"],
        repositories_dir=str(tmp_path / "repositories"),
        private_key_file=str(tmp_path / "key"),
        webhooks_url=f"http://127.0.0.1:{gateway_port}",
        listen_port=free_port(),
    )
    link = GitLink(
        id=LINK,
        provider="slipway",
        organization_id=ORGANIZATION,
        repository="shop/web",
        remote_sealed_secret=sealing.seal(keys.public, SECRET, LINK),
        service_id=SERVICE,
        service_url="http://web.localhost:8080/",
    )
    await (await core.table(GIT_LINKS)).put(LINK, link)
    access = await core.table(ACCESS)
    token = tokens.new_token()
    grants = [Grant(organization_id=ORGANIZATION, role="devops")]
    await access.put("alive", AccessEntry(kind="alive", at=datetime.now(UTC).replace(year=2100)))
    await access.put(f"token.{tokens.token_hash(token)}", AccessEntry(principal_id="t", kind="token", grants=grants))

    async def locate(asked: Locate, ids: dict[str, str]) -> Place:
        return Place(organization_id=ORGANIZATION, service_id=asked.id)

    await core.serve(LOCATE, locate)
    work = tmp_path / "work"
    work.mkdir()
    await git(work, "init", "-q", "-b", "main")
    url = f"http://x:{token}@127.0.0.1:{settings.listen_port}/git/shop/web.git"
    stage = Stage(core, engine, url, work)
    runner = await start_gateway(stage, gateway_port)
    try:
        async with started(serve, settings), aiohttp.ClientSession() as session:

            async def ready() -> bool:
                async with session.get(f"http://127.0.0.1:{settings.listen_port}/readyz") as answer:
                    return answer.status == 200

            await eventually(ready)
            yield stage
    finally:
        await runner.cleanup()


async def test_a_push_shows_the_build_each_step_and_the_address(stage: Stage) -> None:
    commit = await stage.commit()
    pushing = asyncio.create_task(git(stage.work, "push", "--progress", stage.url, "main"))
    await asyncio.wait_for(stage.pushes.get(), 20)
    await stage.view(commit, "RUNNING", "BUILDING")
    await stage.log("installing", "colours \x1b[31m and \r lines")
    await stage.log("of another deployment", deployment_id=uuid7())
    await stage.view(commit, "SUCCEEDED", "DEPLOYED", ended=True)
    said = (await asyncio.wait_for(pushing, 30)).err
    for text in (
        "Deployment 7 follows",
        "build web: …",
        "| installing",
        "build web: done",
        "http://web.localhost:8080/",
    ):
        assert text in said, said
    assert "\x1b" not in said.replace("\x1b[K", "")
    assert "another deployment" not in said


async def test_a_build_that_fails_says_why(stage: Stage) -> None:
    commit = await stage.commit()
    pushing = asyncio.create_task(git(stage.work, "push", "--progress", stage.url, "main"))
    await asyncio.wait_for(stage.pushes.get(), 20)
    await stage.view(commit, "FAILED", "BUILD_ERROR", ended=True, message="No module.", details="line one\nline two")
    said = (await asyncio.wait_for(pushing, 30)).err
    assert "build web: failed No module." in said
    assert "| line two" in said
    assert "Not deployed (build error)" in said


async def test_who_leaves_early_has_pushed_all_the_same(stage: Stage) -> None:
    commit = await stage.commit()
    process = await asyncio.create_subprocess_exec(
        "git", "push", "--progress", stage.url, "main", cwd=stage.work, stderr=asyncio.subprocess.DEVNULL
    )
    push = await asyncio.wait_for(stage.pushes.get(), 20)
    assert push.after == commit
    await stage.view(commit, "RUNNING", "BUILDING")
    process.kill()
    await process.wait()
    await stage.view(commit, "SUCCEEDED", "DEPLOYED", ended=True)
    assert commit in (await git(stage.work, "ls-remote", stage.url)).out


async def test_a_push_by_which_nothing_begins_ends_soon(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway_git.progress.BEGIN_SECONDS", 0.3)
    await stage.commit()
    said = (await asyncio.wait_for(git(stage.work, "push", "--progress", stage.url, "main"), 20)).err
    assert "No deployment has begun" in said


async def test_who_pushes_quietly_is_let_go_at_once(stage: Stage) -> None:
    await stage.commit()
    ran = await asyncio.wait_for(git(stage.work, "push", "--quiet", stage.url, "main"), 5)
    assert "No deployment" not in ran.err
    assert stage.pushes.qsize() == 1
