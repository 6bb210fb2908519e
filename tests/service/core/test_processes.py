"""Core as a process: how it starts, what it refuses to start with, and that a kill forgets nothing."""

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from slipway_bus.accounts import AccountsFile
from slipway_contracts.events import CHANGED
from slipway_core.handlers.rotation import begin_new_master_key
from slipway_postgres import pool
from slipway_security.envelope import create_master_key
from slipway_security.sealing import new_keypair
from slipway_security.tokens import new_token, token_hash
from slipway_testing import eventually
from slipway_testing.servers import NatsForTests

WANTED = {"email": "first@example.com", "password": None, "organization": "Acme", "cluster_name": "local"}


@pytest.fixture
async def environment(own_nats: NatsForTests, database: Callable[[str], Any], tmp_path: Path) -> dict[str, str]:
    create_master_key(tmp_path / "master.key")
    return {
        "PATH": os.environ["PATH"],
        "SLIPWAY_POSTGRES_URL": await database("core"),
        "SLIPWAY_NATS_URL": own_nats.url,
        "SLIPWAY_NATS_PASSWORD": own_nats.passwords["core"],
        "SLIPWAY_MASTER_KEY_FILE": str(tmp_path / "master.key"),
        "SLIPWAY_WEBHOOKS_PUBLIC_KEY": base64.b64encode(new_keypair().public).decode(),
        "SLIPWAY_GIT_PUBLIC_KEY": base64.b64encode(new_keypair().public).decode(),
        "SLIPWAY_NATS_ACCOUNTS_FILE": str(own_nats.server.accounts_file),
        "SLIPWAY_NATS_PID_FILE": str(own_nats.server.pid_file),
    }


async def run(environment: dict[str, str], *argv: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "slipway_core", *argv),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, out, err.decode()


async def bootstrap(environment: dict[str, str], **changes: Any) -> dict[str, Any]:
    code, out, err = await run(environment, "bootstrap", stdin=json.dumps(WANTED | changes).encode())
    assert code == 0, err
    return dict(json.loads(out))


async def test_the_first_steps_can_be_taken_again(own_nats: NatsForTests, environment: dict[str, str]) -> None:
    first = await bootstrap(environment)
    assert len(first["password"]) >= 12
    assert first["api_token"].startswith("slw_")
    accounts = AccountsFile(own_nats.server.accounts_file, own_nats.server.pid_file)
    issued = accounts.clusters()[first["cluster_id"]]
    assert first["engine"] == {"user": issued.engine_user, "password": issued.engine_password}
    again = await bootstrap(environment)
    secrets = ("password", "api_token", "engine", "agent")
    assert {name: again[name] for name in secrets} == dict.fromkeys(secrets)
    assert {name: again[name] for name in again.keys() - set(secrets)} == {
        name: first[name] for name in first.keys() - set(secrets)
    }
    assert accounts.clusters()[first["cluster_id"]] == issued


async def test_a_token_that_is_chosen_replaces_the_earlier_one_and_is_made_once(environment: dict[str, str]) -> None:
    await bootstrap(environment)
    chosen = new_token()
    for _ in range(2):
        assert (await bootstrap(environment, api_token=chosen))["api_token"] is None
    async with pool(environment["SLIPWAY_POSTGRES_URL"], "test", max_size=1) as database:
        hashes = [row["hash"] for row in await database.fetch("SELECT hash FROM api_tokens")]
    assert hashes == [token_hash(chosen)]
    code, _, err = await run(environment, "bootstrap", stdin=json.dumps(WANTED | {"api_token": "guess"}).encode())
    assert (code, "at least 40" in err) == (2, True)


@pytest.mark.parametrize(
    "stdin", [b"", b"{}", b'{"email": 1}', b'{"email": "x"}', b'{"email": "a@b.c", "password": "short"}']
)
async def test_wishes_that_cant_be_met_are_refused_in_a_sentence(environment: dict[str, str], stdin: bytes) -> None:
    code, out, err = await run(environment, "bootstrap", stdin=stdin)
    assert (code, out) == (2, b"")
    assert "Traceback" not in err


async def test_wrong_words_on_the_command_line_are_explained(environment: dict[str, str]) -> None:
    code, _, err = await run(environment, "explode")
    assert code == 1
    assert err.startswith("usage:")


@pytest.mark.parametrize(
    "missing",
    ["SLIPWAY_POSTGRES_URL", "SLIPWAY_NATS_PASSWORD", "SLIPWAY_MASTER_KEY_FILE", "SLIPWAY_WEBHOOKS_PUBLIC_KEY"],
)
async def test_nothing_secret_has_a_default(environment: dict[str, str], missing: str) -> None:
    del environment[missing]
    code, _, err = await run(environment, "serve")
    assert code == 2
    assert missing in err


async def test_a_weak_or_open_master_key_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    weak, readable = tmp_path / "weak.key", tmp_path / "open.key"
    weak.write_bytes(b"a" * 32)
    weak.chmod(0o600)
    create_master_key(readable)
    readable.chmod(0o644)
    for path in (weak, readable, tmp_path / "none.key"):
        code, _, err = await run(environment | {"SLIPWAY_MASTER_KEY_FILE": str(path)}, "serve")
        assert code == 2
        assert "secret.master_key" in err


async def test_another_master_key_than_the_databases_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    await bootstrap(environment)
    async with serving(environment):
        pass
    create_master_key(tmp_path / "other.key")
    code, _, err = await run(environment | {"SLIPWAY_MASTER_KEY_FILE": str(tmp_path / "other.key")}, "serve")
    assert code == 2
    assert "secret.undecryptable" in err


class serving:
    """A core process that serves; leaving the block ends it as a stop does."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    async def __aenter__(self) -> "serving":
        import socket

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "slipway_core", "serve"),
            env=self.environment | {"SLIPWAY_LISTEN_PORT": str(self.port)},
            stderr=asyncio.subprocess.DEVNULL,
        )
        await eventually(self.ready, timeout_seconds=30)
        return self

    async def ready(self) -> bool:
        assert self.process.returncode is None, "core ended"
        try:
            return (await self.get("/readyz"))[0] == 200
        except aiohttp.ClientError:
            return False

    async def get(self, path: str, token: str = "") -> tuple[int, Any]:
        return await self.ask("GET", path, token)

    async def ask(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Token {token}"} if token else {}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"http://127.0.0.1:{self.port}{path}", json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json() if answer.status < 300 and "json" in answer.content_type else None

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.terminate()
            async with asyncio.timeout(30):
                assert await self.process.wait() == 0


async def test_a_killed_core_forgets_nothing(own_nats: NatsForTests, environment: dict[str, str]) -> None:
    made = await bootstrap(environment)
    path = f"/api/organization/{made['organization_id']}/project"
    names = [f"project {n}" for n in range(30)]
    async with serving(environment) as core:
        for name in names:
            assert (await core.ask("POST", path, made["api_token"], {"name": name}))[0] == 200
        core.process.send_signal(signal.SIGKILL)
        await core.process.wait()
    async with serving(environment) as core:
        status, listed = await core.get(path, made["api_token"])
        assert status == 200
        assert [one["name"] for one in listed["results"]] == names
        async with own_nats.bus_as("websocket") as bus:
            await eventually(lambda: told(bus, made["organization_id"], set(names)))


async def told(bus: Any, organization_id: str, names: set[str]) -> bool:
    found = set()
    async for stored in bus.history(CHANGED, organization_id=organization_id, entity="project", verb="created"):
        found.add(stored.message.body["name"])
    return found == names


async def test_core_comes_back_when_its_servers_do(own_nats: NatsForTests, environment: dict[str, str]) -> None:
    made = await bootstrap(environment)
    async with serving(environment) as core:
        path = f"/api/organization/{made['organization_id']}/project"
        await own_nats.server.stop()
        assert (await core.ask("POST", path, made["api_token"], {"name": "while the bus is away"}))[0] == 200
        await own_nats.server.start()
        async with own_nats.bus_as("websocket") as bus:
            await eventually(lambda: told(bus, made["organization_id"], {"while the bus is away"}), timeout_seconds=30)
        assert (await core.get(path, made["api_token"]))[0] == 200


async def test_built_in_repositories_move_with_the_platforms_address(environment: dict[str, str]) -> None:
    made = await bootstrap(environment)
    token = made["api_token"]
    async with serving(environment) as core:
        project = (
            await core.ask("POST", f"/api/organization/{made['organization_id']}/project", token, {"name": "p"})
        )[1]
        created = await core.ask("POST", f"/api/project/{project['id']}/environment", token, {"name": "e"})
        body = {"name": "web", "git_repository": {"url": "", "provider": "SLIPWAY"}, "healthchecks": {}}
        path = f"/api/environment/{created[1]['id']}/application"
        application = (await core.ask("POST", path, token, body))[1]
    async with serving(environment | {"SLIPWAY_PUBLIC_URL": "http://localhost:9999"}) as core:
        moved = (await core.get(f"/api/application/{application['id']}", token))[1]
        assert moved["git_repository"]["url"] == "http://localhost:9999/git/p/web.git"
        link = (await core.get(f"/api/service/{application['id']}/gitLink", token))[1]
        assert link["url"].startswith("http://localhost:9999/hooks/slipway/")


async def test_keys_change_by_command_while_core_serves(environment: dict[str, str], tmp_path: Path) -> None:
    made = await bootstrap(environment)
    token, organization = made["api_token"], made["organization_id"]
    key_file = Path(environment["SLIPWAY_MASTER_KEY_FILE"])
    first_key = key_file.read_bytes()
    async with serving(environment) as core:
        path = await a_link_with_a_secret(core, organization, token)
        for options, done in ((), "data_keys"), (("--master",), "rewrapped"), ((), "data_keys"):
            code, out, err = await run(environment, "rotate-keys", *options)
            assert code == 0, err
            assert json.loads(out)[done] >= 2
            # Core decrypts what was there, and encrypts with what is new, without having been told.
            assert (await core.ask("POST", f"{path}/rotate", token))[0] == 200
        other = (await core.ask("POST", "/api/organization", token, {"name": "Other", "plan": "FREE"}))[0]
        assert other in (201, 403)
    assert key_file.read_bytes() != first_key
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir() if "key" in one.name) == ["master.key"]
    async with serving(environment) as core:
        assert (await core.ask("POST", f"{path}/rotate", token))[0] == 200


async def a_link_with_a_secret(core: "serving", organization_id: str, token: str) -> str:
    """The path of a service's Git link: rotating it writes a secret, and reads it back."""
    project = (await core.ask("POST", f"/api/organization/{organization_id}/project", token, {"name": "p"}))[1]
    created = (await core.ask("POST", f"/api/project/{project['id']}/environment", token, {"name": "e"}))[1]
    git = {"url": "https://github.com/a/b.git", "provider": "GITHUB"}
    body = {"name": "web", "git_repository": git, "healthchecks": {}}
    service = (await core.ask("POST", f"/api/environment/{created['id']}/application", token, body))[1]
    return f"/api/service/{service['id']}/gitLink"


async def test_a_change_of_the_master_key_that_was_cut_off_is_taken_up(environment: dict[str, str]) -> None:
    made = await bootstrap(environment)
    key_file = Path(environment["SLIPWAY_MASTER_KEY_FILE"])
    async with serving(environment) as core:
        path = await a_link_with_a_secret(core, made["organization_id"], made["api_token"])
        begin_new_master_key(key_file)
        halfway = key_file.read_bytes()
        assert (await core.ask("POST", f"{path}/rotate", made["api_token"]))[0] == 200
        code, out, err = await run(environment, "rotate-keys", "--master")
        assert (code, json.loads(out)["rewrapped"] >= 2) == (0, True), err
        assert key_file.read_bytes() == halfway
        assert (await core.ask("POST", f"{path}/rotate", made["api_token"]))[0] == 200
