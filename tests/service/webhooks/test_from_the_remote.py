"""The built-in remote and the gateway together: what git accepted is in the stream, by the one path of all pushes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from slipway_contracts.base import uuid7
from slipway_contracts.git import GIT_LINKS, GitLink
from slipway_contracts.places import Place
from slipway_git.__main__ import serve as serve_git
from slipway_git.settings import Settings as GitSettings
from slipway_security import sealing
from slipway_security.keyfiles import write_key
from slipway_testing import eventually, free_port, started
from slipway_testing.platform import git

Gateway = Any
SECRET = b"a secret of enough length"


@asynccontextmanager
async def remote(gateway: Gateway, nats: Any, directory: Path) -> AsyncIterator[tuple[str, GitLink]]:
    """The remote, with one repository `shop/web`; the URL that pushes go to."""
    keys = sealing.new_keypair()
    write_key(directory / "git.key", keys.private)
    settings = GitSettings(
        nats_url=nats.url,
        nats_password=nats.passwords["git"],
        repositories_dir=str(directory / "repositories"),
        private_key_file=str(directory / "git.key"),
        webhooks_url=gateway.url,
        listen_port=free_port(),
    )
    id, service_id, organization_id = uuid7(), uuid7(), uuid7()
    link = GitLink(
        id=id,
        provider="slipway",
        organization_id=organization_id,
        repository="shop/web",
        sealed_secrets=[sealing.seal(gateway.public_key, SECRET, id)],
        remote_sealed_secret=sealing.seal(keys.public, SECRET, id),
        service_id=service_id,
    )
    gateway.places["service", service_id] = Place(organization_id=organization_id, service_id=service_id)
    await (await gateway.core.table(GIT_LINKS)).put(id, link)
    token = await gateway.token(organization_id, "devops")
    async with started(serve_git, settings):
        yield f"http://x:{token}@127.0.0.1:{settings.listen_port}/git/shop/web.git", link


async def commit(tree: Path, text: str) -> str:
    (tree / "index.html").write_text(text)
    await git(tree, "add", "-A")
    await git(tree, "commit", "-qm", text)
    return (await git(tree, "rev-parse", "HEAD")).out.strip()


@pytest.fixture
async def nats(own_nats: Any) -> Any:
    """A server of the test's own: it is killed."""
    return own_nats


@pytest.fixture
async def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    await git(tree, "init", "-q", "-b", "main")
    return tree


async def test_a_push_is_in_the_stream(gateway: Gateway, nats: Any, tmp_path: Path, tree: Path) -> None:
    async with remote(gateway, nats, tmp_path) as (url, link):
        first = await commit(tree, "one")
        await git(tree, "push", "-q", url, "main")
        [push] = await eventually(gateway.pushes)
        assert (push.link_id, push.provider, push.repository) == (link.id, "slipway", "shop/web")
        assert (push.ref, push.before, push.after) == ("refs/heads/main", "0" * 40, first)
        assert push.head is not None
        assert push.head.message == "one"
        second = await commit(tree, "two")
        await git(tree, "push", "-q", url, "main")

        async def both() -> bool:
            return [one.after for one in await gateway.pushes()] == [first, second]

        await eventually(both)
        assert (await gateway.pushes())[1].paths == ["index.html"]


async def test_a_push_while_the_bus_is_away_arrives_once_it_is_back(
    gateway: Gateway, nats: Any, tmp_path: Path, tree: Path
) -> None:
    async with remote(gateway, nats, tmp_path) as (url, _):
        await commit(tree, "one")
        await git(tree, "push", "-q", url, "main")
        await eventually(gateway.pushes)
        await nats.server.kill()
        second = await commit(tree, "two")
        await git(tree, "push", "-q", url, "main")
        await nats.server.start()
        await gateway.core.wait_connected(10)

        async def arrived() -> bool:
            return [one.after for one in await gateway.pushes()][1:] == [second]

        await eventually(arrived, 30)
