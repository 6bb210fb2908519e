"""A core that serves, with real servers, inside the test's own process; and a client that speaks as somebody.

No module of the platform but core runs: what an engine would do, `slipway_testing.engine` does.
"""

import base64
import io
import json as jsonlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from slipway_bus.accounts import AccountsFile
from slipway_contracts.access import API_AUDIENCE
from slipway_contracts.base import uuid7
from slipway_core.app import SYSTEM, Core, Work, utc_now
from slipway_core.handlers.bootstrap import Bootstrap, Bootstrapped, bootstrap
from slipway_core.serving import open_core, serve_with
from slipway_core.settings import Settings
from slipway_postgres import pool, transaction
from slipway_security import jwt
from slipway_security.envelope import create_master_key
from slipway_security.passwords import hash_password
from slipway_security.sealing import KeyPair, new_keypair
from slipway_service import Life
from slipway_testing.running import started
from slipway_testing.servers import DatabasesForTests, NatsForTests
from slipway_testing.waiting import eventually

PASSWORD = "correct horse battery"  # noqa: S105 - of tests alone


@dataclass
class Answer:
    status: int
    headers: Any
    body: Any

    def ok(self, status: int = 200) -> Any:
        assert self.status == status, (self.status, self.body)
        return self.body

    def refused(self, status: int, code: str = "") -> Any:
        assert self.status == status, (self.status, self.body)
        assert not code or self.body["code"] == code, self.body
        return self.body


@dataclass
class Client:
    """Speaks as somebody."""

    session: aiohttp.ClientSession
    url: str
    authorization: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(self, method: str, path: str, json: Any = None, **headers: str) -> Answer:
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.authorization:
            sent["Authorization"] = self.authorization
        data = None if json is None else jsonlib.dumps(json).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method, f"{self.url}/api{path}", data=data and io.BytesIO(data), headers=sent
        ) as response:
            text = await response.text()
            body = jsonlib.loads(text) if "json" in response.content_type and text else text
            return Answer(response.status, response.headers, body)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self("GET", path, **headers)

    async def post(self, path: str, json: Any = None, **headers: str) -> Answer:
        return await self("POST", path, json, **headers)

    async def put(self, path: str, json: Any = None, **headers: str) -> Answer:
        return await self("PUT", path, json, **headers)

    async def delete(self, path: str, json: Any = None, **headers: str) -> Answer:
        return await self("DELETE", path, json, **headers)


@dataclass
class Platform:
    """One running core."""

    app: Core
    settings: Settings
    nats: NatsForTests
    url: str
    session: aiohttp.ClientSession
    made: Bootstrapped
    webhooks_key: KeyPair
    git_key: KeyPair
    life: Life

    @property
    def organization(self) -> str:
        return self.made.organization_id

    def client(self, token: str | None = None) -> Client:
        """The platform's first user by API token, or somebody with a token."""
        return Client(self.session, self.url, f"Token {token or self.made.api_token}")

    def anonymous(self) -> Client:
        return Client(self.session, self.url)

    async def person(self, role: str, organization_id: str = "") -> tuple[Client, str]:
        """Somebody new who has logged in, with a role or nowhere a member; the client and the user's id."""
        id, email = uuid7(), f"{uuid7()}@example.com"
        async with self.app.work() as work:
            await work.users.add(id, email, HASH, {})
            if role:
                await work.members.put(organization_id or self.organization, id, role)
            await work.copies.add("access", [f"user.{id}"])
        client = self.anonymous()
        token = jwt.issue(self.app.signing_key, id, API_AUDIENCE, 3600, sid=uuid7(), email=email)
        client.authorization = f"Bearer {token}"
        await eventually(lambda: self.knows(client))
        return client, id

    async def knows(self, client: Client) -> Any:
        return (await client.get("/organization")).status == 200

    async def stranger(self) -> tuple[Client, str]:
        """The owner of another organization."""
        client, _ = await self.person("")
        made = (await client.post("/organization", {"name": f"Other {uuid7()[-6:]}", "plan": "FREE"})).ok(201)
        await eventually(lambda: self.sees(client, made["id"]))
        return client, made["id"]

    async def sees(self, client: Client, organization_id: str) -> Any:
        return (await client.get(f"/organization/{organization_id}")).status == 200

    async def project(self, name: str = "") -> dict[str, Any]:
        body = {"name": name or f"project {uuid7()[-8:]}"}
        return dict((await self.client().post(f"/organization/{self.organization}/project", body)).ok())

    async def environment(self, project_id: str = "", name: str = "main", **fields: Any) -> dict[str, Any]:
        project_id = project_id or (await self.project())["id"]
        answer = await self.client().post(f"/project/{project_id}/environment", {"name": name, **fields})
        return dict(answer.ok(201))

    async def application(self, environment_id: str = "", name: str = "web", **fields: Any) -> dict[str, Any]:
        environment_id = environment_id or (await self.environment())["id"]
        body = application(name) | fields
        return dict((await self.client().post(f"/environment/{environment_id}/application", body)).ok(201))


HASH = hash_password(PASSWORD)


def application(name: str = "web") -> dict[str, Any]:
    """The body of a small application in the built-in remote."""
    return {
        "name": name,
        "git_repository": {"url": "", "provider": "SLIPWAY"},
        "healthchecks": {},
        "ports": [{"internal_port": 8000, "publicly_accessible": True}],
    }


@asynccontextmanager
async def core_platform(databases: DatabasesForTests, directory: Path, **settings: Any) -> AsyncIterator[Platform]:
    """A core with a database and a bus of its own, and its first user. `settings`: what isn't as usual."""
    async with AsyncExitStack() as stack:
        nats = NatsForTests(directory / "nats")
        await stack.enter_async_context(nats.server)
        url = await databases.create("core")
        yield await _started(stack, directory, nats, url, settings)
    await databases.drop(url)


async def _started(
    stack: AsyncExitStack, directory: Path, nats: NatsForTests, url: str, more: dict[str, Any]
) -> Platform:
    webhooks_key, git_key = new_keypair(), new_keypair()
    create_master_key(directory / "master.key")
    settings = Settings(
        postgres_url=url,
        nats_url=nats.url,
        nats_password=nats.passwords["core"],
        master_key_file=str(directory / "master.key"),
        webhooks_public_key=base64.b64encode(webhooks_key.public).decode(),
        git_public_key=base64.b64encode(git_key.public).decode(),
        nats_accounts_file=str(nats.server.accounts_file),
        nats_pid_file=str(nats.server.pid_file),
        listen_port=0,
        caller_requests_per_second=0,
        address_requests_per_second=0,
        **more,
    )
    accounts = AccountsFile(nats.server.accounts_file, nats.server.pid_file)
    async with pool(url, "core", max_size=2) as database, transaction(database) as connection:
        work = Work(connection, SYSTEM, utc_now())
        wanted = Bootstrap(email="owner@example.com", password=PASSWORD, organization="Test")
        made = await bootstrap(work, accounts, wanted)
    opened: dict[str, Any] = {}

    async def serve(settings: Settings, life: Life) -> None:
        opened["app"] = app = await open_core(settings, life)
        opened["port"] = (await serve_with(app, settings, life)).port

    life = await stack.enter_async_context(started(serve, settings))
    session = await stack.enter_async_context(aiohttp.ClientSession())
    base = f"http://127.0.0.1:{opened['port']}"
    running = Platform(opened["app"], settings, nats, base, session, made, webhooks_key, git_key, life)
    await eventually(lambda: running.knows(running.client()))
    return running
