"""The gateway in this process, on a real bus and database, with links as core makes them."""

import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from slipway_bus import Bus
from slipway_contracts.access import ACCESS, AccessEntry, Grant
from slipway_contracts.base import uuid7
from slipway_contracts.git import GIT_LINKS, GIT_PUSHED, GitLink, Push
from slipway_contracts.places import LOCATE, Locate, Place
from slipway_errors import NotFound
from slipway_security import sealing, tokens
from slipway_security.keyfiles import write_key
from slipway_testing import eventually, free_port, started
from slipway_webhooks.__main__ import serve
from slipway_webhooks.settings import Settings

SECRET = b"a secret of enough length"
PAYLOAD: dict[str, Any] = {
    "ref": "refs/heads/main",
    "before": "a" * 40,
    "after": "b" * 40,
    "repository": {"full_name": "acme/shop", "clone_url": "https://github.test/acme/shop.git"},
    "commits": [{"id": "b" * 40, "message": "Sell", "added": ["a"], "removed": [], "modified": []}],
    "head_commit": {"id": "b" * 40, "message": "Sell"},
    "pusher": {"name": "ann"},
}


@dataclass
class Gateway:
    """What a test needs: the address, core's hand on the links, and a sender."""

    settings: Settings
    core: Bus
    public_key: bytes
    session: aiohttp.ClientSession
    places: dict[tuple[str, str], Place] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.listen_port}"

    async def link(self, provider: str = "github", secrets: list[bytes] | None = None, **more: Any) -> GitLink:
        """Make a link, in force."""
        id = uuid7()
        sealed = [sealing.seal(self.public_key, secret, id) for secret in ([SECRET] if secrets is None else secrets)]
        link = GitLink(
            id=id,
            provider=provider,
            organization_id=more.pop("organization_id", "org"),
            repository="acme/shop",
            sealed_secrets=sealed,
            **more,
        )
        await self.put(link)
        return link

    async def put(self, link: GitLink) -> None:
        await (await self.core.table(GIT_LINKS)).put(link.id, link)

        async def known() -> bool:
            return (await self.post(link, b"{}", {}))[0] != 404

        await eventually(known, 5)

    async def deliver(
        self,
        link: GitLink,
        payload: Any = PAYLOAD,
        *,
        secret: bytes = SECRET,
        delivery: str = "",
        event: str = "push",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """As GitHub does it."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        signed = {
            "X-Hub-Signature-256": "sha256=" + hmac.digest(secret, body, "sha256").hex(),
            "X-GitHub-Delivery": delivery or uuid7(),
            "X-GitHub-Event": event,
        }
        return await self.post(link, body, signed | (headers or {}))

    def signed(self, delivery: str, payload: Any = PAYLOAD) -> tuple[bytes, dict[str, str]]:
        """Body and headers as GitHub sends them."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return body, {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": "sha256=" + hmac.digest(SECRET, body, "sha256").hex(),
            "X-GitHub-Delivery": delivery,
            "X-GitHub-Event": "push",
        }

    async def post(self, link: GitLink, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"} | headers
        url = f"{self.url}/hooks/{link.provider}/{link.id}"
        async with self.session.post(url, data=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def pushes(self) -> list[Push]:
        return [stored.message async for stored in self.core.history(GIT_PUSHED)]

    async def token(self, organization_id: str, role: str = "viewer") -> str:
        token = tokens.new_token()
        entry = AccessEntry(
            principal_id=uuid7(), kind="token", grants=[Grant(organization_id=organization_id, role=role)]
        )
        await (await self.core.table(ACCESS)).put(f"token.{tokens.token_hash(token)}", entry)
        return token


@pytest.fixture
async def gateway(
    nats: Any,
    bus_as: Callable[[str], Awaitable[Bus]],
    database: Callable[[str], Awaitable[str]],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Gateway]:
    """Settings may be changed by `@pytest.mark.parametrize("gateway", [{…}], indirect=True)`."""
    keys = sealing.new_keypair()
    write_key(tmp_path / "webhooks.key", keys.private)
    options: dict[str, Any] = {
        "nats_url": nats.url,
        "nats_password": nats.passwords["webhooks"],
        "postgres_url": await database("webhooks"),
        "private_key_file": str(tmp_path / "webhooks.key"),
        "listen_port": free_port(),
    }
    settings = Settings(**(options | getattr(request, "param", {})))
    core = await bus_as("core")
    alive = AccessEntry(kind="alive", at=datetime.now(UTC) + timedelta(days=1))
    await (await core.table(ACCESS)).put("alive", alive)
    async with started(serve, settings), aiohttp.ClientSession() as session:
        gateway = Gateway(settings, core, keys.public, session)

        async def locate(asked: Locate, ids: dict[str, str]) -> Place:
            place = gateway.places.get((asked.kind, asked.id))
            if place is None:
                raise NotFound
            return place

        await core.serve(LOCATE, locate)

        async def ready() -> bool:
            async with session.get(f"{gateway.url}/readyz") as answer:
                return answer.status == 200

        await eventually(ready)
        yield gateway
