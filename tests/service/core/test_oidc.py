"""Logging in at a real OpenID Connect provider (npm's oidc-provider): browsers, command lines, and who is refused."""

import asyncio
import html
import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
import msgspec
import pytest
from joserfc.jwk import RSAKey

from slipway_cli.commands import login as login_command
from slipway_contracts.base import uuid7
from slipway_core import identity_provider
from slipway_core.app import Tries
from slipway_core.handlers.oidc import provider_of
from slipway_http.limits import Buckets
from slipway_testing import eventually, free_port

SOURCES = Path(__file__).parent / "oidc"
CALLBACK = "http://localhost:8080/api/login/oidc/callback"
NPM_SECONDS = 120


@dataclass
class Issuer:
    """The provider as a process; stopped and started again it has other keys."""

    directory: Path
    port: int
    process: asyncio.subprocess.Process | None = None
    number: int = 0
    people: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.number += 1
        key = RSAKey.generate_key(2048, {"kid": f"key-{self.number}", "use": "sig", "alg": "RS256"})
        keys = json.dumps({"keys": [key.as_dict(private=True)]})
        self.process = await asyncio.create_subprocess_exec(
            *("node", "provider.mjs", str(self.port), keys), cwd=self.directory, stderr=asyncio.subprocess.DEVNULL
        )
        await eventually(self.answers, timeout_seconds=20)
        await self.know(self.people)

    async def answers(self) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/jwks") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def know(self, people: dict[str, Any]) -> None:
        """Account → what the provider says of it."""
        self.people |= people
        async with aiohttp.ClientSession() as session, session.put(f"{self.url}/accounts", json=self.people) as answer:
            assert answer.status == 204


@pytest.fixture(scope="module")
async def issuer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Issuer]:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node.js with npm on PATH: the real identity provider can't run")
    directory = tmp_path_factory.mktemp("oidc")
    for file in SOURCES.iterdir():
        if file.is_file():
            shutil.copy(file, directory)
    install = await asyncio.create_subprocess_exec(
        *("npm", "ci", "--no-audit", "--no-fund", "--prefer-offline"), cwd=directory, stdout=-3, stderr=-3
    )
    async with asyncio.timeout(NPM_SECONDS):
        if await install.wait():
            pytest.skip("npm ci could not install oidc-provider: is the package registry reachable?")
    running = Issuer(directory, free_port())
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def core(platform: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The platform, registered at the provider."""
    registered(platform, issuer, monkeypatch)
    return platform


def registered(platform: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    wanted = {"oidc_issuer": issuer.url, "oidc_client_id": "console", **changes}
    settings = msgspec.structs.replace(platform.app.settings, **wanted)
    tries = Tries(by_address=Buckets(0, 1), by_email=Buckets(0, 1))
    for name, value in {"settings": settings, "identity_provider": provider_of(settings), "tries": tries}.items():
        # The app is frozen for handlers, and the same for the whole module.
        monkeypatch.setitem(platform.app.__dict__, name, value)


class Browser:
    """Follows redirects by hand, keeps cookies by host and port, and sends what the platform's address gets to core."""

    def __init__(self, platform: Any, account: str) -> None:
        self.platform = platform
        self.account = account
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self.cookies: dict[str, dict[str, str]] = {}

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def ask(self, url: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Status, where it leads, the page."""
        parts = urlsplit(url)
        ours = parts.netloc == "localhost:8080"
        address = url.replace("http://localhost:8080", self.platform.url) if ours else url
        jar = self.cookies.setdefault(parts.netloc, {})
        headers = {"X-Account": self.account, "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        headers |= {"Host": parts.netloc} if ours else {}
        method = "GET" if form is None else "POST"
        async with self.session.request(method, address, data=form, headers=headers, allow_redirects=False) as answer:
            for line in answer.headers.getall("Set-Cookie", []):
                for name, morsel in SimpleCookie(line).items():
                    jar[name] = morsel.value
            return answer.status, urljoin(url, answer.headers.get("Location", "")), await answer.text()

    async def until(self, url: str, stop: str) -> str:
        """Follow redirects until one leads to an address that begins so, which is not followed."""
        for _ in range(12):
            status, leads, text = await self.ask(url)
            assert status in (302, 303), (url, status, text[:500])
            if leads.startswith(stop):
                return leads
            url = leads
        raise AssertionError("too many redirects")

    async def returned(self, to: str = "/") -> str:
        """Log in at the provider; the address that it leads back to, which is not followed."""
        return await self.until(f"http://localhost:8080/api/login/oidc?to={to}", CALLBACK)

    async def log_in(self, to: str = "/") -> str:
        """Log in; where the browser ends."""
        return await self.finish(await self.returned(to))

    async def finish(self, callback: str) -> str:
        status, leads, _ = await self.ask(callback)
        assert status == 303
        return leads.removeprefix("http://localhost:8080")

    async def who(self) -> str:
        """The address of who is logged in by cookie; empty for nobody."""
        status, _, text = await self.ask("http://localhost:8080/api/account")
        return str(json.loads(text)["communication_email"]) if status == 200 else ""


def code_of(leads: str) -> str:
    """The code of the problem that the login page is told."""
    assert leads.startswith("/login?"), leads
    return parse_qs(urlsplit(leads).query)["problem"][0]


async def somebody(core: Any, issuer: Issuer, verified: Any = True, *, user: str = "viewer") -> tuple[str, str]:
    """An account at the provider, and the address of a user here; (account, address)."""
    account, email = f"sub-{uuid7()}", f"{uuid7()}@example.com"
    if user:
        client, _ = await core.person(user)
        email = (await client.get("/account")).ok()["communication_email"]
    await issuer.know({account: {"email": email, "email_verified": verified, "name": "Ada"}})
    return account, email


async def test_the_login_page_is_told_what_there_is(core: Any, platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = (await core.anonymous().get("/login/methods")).ok()
    assert told == {"password": True, "oidc": {"name": "127.0.0.1", "url": "/api/login/oidc"}}
    monkeypatch.setitem(platform.app.__dict__, "identity_provider", None)
    assert (await core.anonymous().get("/login/methods")).ok() == {"password": True, "oidc": None}
    (await core.anonymous().get("/login/oidc")).refused(404)
    (await core.anonymous().post("/login/device")).refused(404)


async def test_a_browser_logs_in_and_comes_back_to_its_page(core: Any, issuer: Issuer) -> None:
    account, email = await somebody(core, issuer)
    async with Browser(core, account) as browser:
        assert await browser.log_in("/project/1?a=b".replace("?", "%3F").replace("=", "%3D")) == "/project/1?a=b"
        assert await browser.who() == email
        assert sorted(browser.cookies["localhost:8080"]) == ["slipway_login_8080", "slipway_session_8080"]
        assert browser.cookies["localhost:8080"]["slipway_login_8080"] == ""


@pytest.mark.parametrize("to", ["//evil.example", "/%5Cevil.example", "https://evil.example", "javascript:1", "/a%0Ab"])
async def test_nobody_is_led_to_another_site(core: Any, issuer: Issuer, to: str) -> None:
    account, _ = await somebody(core, issuer)
    async with Browser(core, account) as browser:
        assert await browser.log_in(to) == "/"


async def test_a_confidential_client_proves_itself(core: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    account, email = await somebody(core, issuer)
    registered(core, issuer, monkeypatch, oidc_client_id="secretive", oidc_client_secret="s e+c/r:et")
    async with Browser(core, account) as browser:
        assert await browser.log_in() == "/"
        assert await browser.who() == email
    registered(core, issuer, monkeypatch, oidc_client_id="secretive", oidc_client_secret="wrong")
    async with Browser(core, account) as browser:
        assert code_of(await browser.log_in()) == "auth.oidc_refused"
        assert await browser.who() == ""


async def test_a_state_is_good_once_and_in_its_own_browser(core: Any, issuer: Issuer) -> None:
    account, email = await somebody(core, issuer)
    async with Browser(core, account) as browser, Browser(core, account) as thief:
        callback = await browser.returned()
        assert code_of(await thief.finish(callback)) == "auth.login_stale"
        await thief.returned()  # with a login of its own under way
        assert code_of(await thief.finish(callback)) == "auth.login_stale"
        kept = dict(browser.cookies["localhost:8080"])
        assert await browser.finish(callback) == "/"
        browser.cookies["localhost:8080"] = kept
        assert code_of(await browser.finish(callback)) == "auth.login_stale"
        assert (await browser.who(), await thief.who()) == ("", "")
        assert email


async def test_a_login_that_took_too_long_is_begun_again(core: Any, issuer: Issuer) -> None:
    account, _ = await somebody(core, issuer)
    async with Browser(core, account) as browser:
        callback = await browser.returned()
        async with core.app.pool.acquire() as connection:
            await connection.execute("UPDATE login_attempts SET expires_at = now() - interval '1 second'")
        assert code_of(await browser.finish(callback)) == "auth.login_stale"
        assert await browser.log_in() == "/"


async def test_what_the_provider_did_not_say_is_refused(core: Any, issuer: Issuer) -> None:
    account, _ = await somebody(core, issuer)
    async with Browser(core, account) as browser:
        state = parse_qs(urlsplit(await browser.returned()).query)["state"][0]
        assert code_of(await browser.finish(f"{CALLBACK}?state={state}&code=guess")) == "auth.oidc_refused"
        for answer in ("error=access_denied", "", "code=x&iss=https://evil.example"):
            state = parse_qs(urlsplit(await browser.returned()).query)["state"][0]
            assert code_of(await browser.finish(f"{CALLBACK}?state={state}&{answer}")) == "auth.oidc_refused"
        for answer in ("", "state=x", "state=a.b&code=c", "state=%00&code=c"):
            status, leads, _ = await browser.ask(f"{CALLBACK}?{answer}")
            assert status == 422 or code_of(leads.removeprefix("http://localhost:8080")) == "auth.login_stale"
        assert await browser.who() == ""


async def test_a_code_of_another_login_is_refused(core: Any, issuer: Issuer) -> None:
    """Another person's code, put into the login of this browser: the verifier doesn't fit."""
    mine, _ = await somebody(core, issuer)
    theirs, _ = await somebody(core, issuer)
    async with Browser(core, mine) as browser, Browser(core, theirs) as other:
        own, foreign = await browser.returned(), await other.returned()
        code = parse_qs(urlsplit(foreign).query)["code"][0]
        state = parse_qs(urlsplit(own).query)["state"][0]
        assert code_of(await browser.finish(f"{CALLBACK}?state={state}&code={code}")) == "auth.oidc_refused"


@pytest.mark.parametrize("verified", [False, None, "false"])
async def test_an_unverified_address_links_nobody(core: Any, issuer: Issuer, verified: Any) -> None:
    account, _ = await somebody(core, issuer, verified)
    async with Browser(core, account) as browser:
        assert code_of(await browser.log_in()) == "auth.email_unverified"
        assert await browser.who() == ""


async def test_a_stranger_is_refused_until_invited(core: Any, issuer: Issuer) -> None:
    account, email = await somebody(core, issuer, user="")
    async with Browser(core, account) as browser:
        assert code_of(await browser.log_in()) == "auth.not_invited"
        admin, _ = await core.person("admin")
        path = f"/organization/{core.organization}/inviteMember"
        invitation = (await admin.post(path, {"email": email.upper(), "role": "VIEWER"})).ok(201)
        assert await browser.log_in() == "/"
        assert await browser.who() == email
        # Known, and no member yet: the invitation is accepted, not just used.
        status, _, _ = await browser.ask(f"http://localhost:8080/api/organization/{core.organization}")
        assert status == 404
        assert (await admin.get(f"{path}/{invitation['id']}")).ok()["invitation_status"] == "PENDING"


async def test_the_subject_counts_and_not_the_address(core: Any, issuer: Issuer) -> None:
    account, email = await somebody(core, issuer)
    async with Browser(core, account) as browser:
        assert await browser.log_in() == "/"
    # The address moves on, and is not even verified any more: still the same person.
    await issuer.know({account: {"email": f"{uuid7()}@new.example", "email_verified": False}})
    async with Browser(core, account) as browser:
        assert await browser.log_in() == "/"
        assert await browser.who() == email
    # And who has the old address now is somebody else.
    await issuer.know({f"{account}-heir": {"email": email, "email_verified": True}})
    async with Browser(core, f"{account}-heir") as browser:
        assert code_of(await browser.log_in()) == "auth.identity_taken"


async def test_a_password_that_somebody_else_set_ends_when_the_address_is_proven(core: Any, issuer: Issuer) -> None:
    account, email = await somebody(core, issuer)
    squatter = core.anonymous()
    login = {"email": email, "password": "correct horse battery"}
    squatter.authorization = f"Bearer {(await squatter.post('/login', login)).ok()['token']}"
    async with Browser(core, account) as browser:
        assert await browser.log_in() == "/"
        assert await browser.who() == email

    async def ended() -> bool:
        return bool((await squatter.get("/account")).status == 401)

    await eventually(ended, 2)
    (await core.anonymous().post("/login", login)).refused(401, "auth.login_refused")


async def test_the_first_user_keeps_the_password(core: Any, issuer: Issuer) -> None:
    account = f"sub-{uuid7()}"
    await issuer.know({account: {"email": "owner@example.com", "email_verified": True}})
    async with Browser(core, account) as browser:
        assert await browser.log_in() == "/"
    (await core.anonymous().post("/login", {"email": "owner@example.com", "password": "correct horse battery"})).ok()


async def test_passwords_can_be_turned_off(core: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    registered(core, issuer, monkeypatch, password_login=False)
    login = {"email": "owner@example.com", "password": "correct horse battery"}
    (await core.anonymous().post("/login", login)).refused(403, "auth.passwords_off")
    assert (await core.anonymous().get("/login/methods")).ok()["password"] is False


async def test_a_command_line_logs_in_by_device_code(core: Any, issuer: Issuer) -> None:
    account, email = await somebody(core, issuer)
    client = core.anonymous()
    device = (await client.post("/login/device")).ok()
    poll = {"device_code": device["device_code"]}
    assert (await client.post("/login/device/token", poll)).ok()["status"] == "pending"
    async with Browser(core, account) as browser:
        await approve(browser, device["verification_uri_complete"])
    done = (await client.post("/login/device/token", poll)).ok()
    assert done["status"] == "done"
    client.authorization = f"Bearer {done['login']['token']}"
    assert (await client.get("/account")).ok()["communication_email"] == email
    (await core.anonymous().post("/login/device/token", poll)).refused(403, "auth.device_refused")
    (await core.anonymous().post("/login/device/token", {"device_code": "guess"})).refused(403, "auth.device_refused")


async def approve(browser: Browser, url: str) -> None:
    """The pages of the provider on the way: forms to send, redirects to follow."""
    form: dict[str, str] | None = None
    for _ in range(12):
        status, leads, text = await browser.ask(url, form)
        form = None
        if status in (302, 303):
            url = leads
        elif "<form" in text:
            url = urljoin(url, html.unescape(re.search(r'action="([^"]+)"', text)[1]))  # type: ignore[index]
            form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', text))
        else:
            assert status == 200, text
            return
    raise AssertionError("the provider never came to an end")


async def test_new_keys_of_the_provider_are_found(core: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    account, email = await somebody(core, issuer)
    async with Browser(core, account) as browser:
        assert await browser.log_in() == "/"
    await issuer.stop()
    await issuer.start()
    async with Browser(core, account) as browser:
        # Known keys were just asked for: not again for a few seconds, whatever tokens name.
        assert code_of(await browser.log_in()) == "auth.id_token_key_unknown"
    monkeypatch.setattr(identity_provider, "KEYS_PAUSE_SECONDS", 0)
    async with Browser(core, account) as browser:
        assert await browser.log_in() == "/"
        assert await browser.who() == email


async def test_without_the_provider_passwords_still_work(
    core: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await issuer.stop()
    try:
        registered(core, issuer, monkeypatch)
        (await core.anonymous().get("/login/oidc")).refused(503, "auth.oidc_unavailable")
        (await core.anonymous().post("/login/device")).refused(503, "auth.oidc_unavailable")
        login = {"email": "owner@example.com", "password": "correct horse battery"}
        (await core.anonymous().post("/login", login)).ok()
    finally:
        await issuer.start()


@pytest.mark.parametrize("url", ["http://id.example.org", "ftp://x", "https://", "https://user@id.example.org"])
def test_a_provider_is_asked_by_https_alone(platform: Any, url: str) -> None:
    with pytest.raises(identity_provider.ProviderAway):
        provider_of(msgspec.structs.replace(platform.app.settings, oidc_issuer=url))


async def test_a_provider_that_calls_itself_otherwise_is_refused(
    core: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(core, issuer, monkeypatch, oidc_issuer=issuer.url + "/")
    body = (await core.anonymous().get("/login/oidc")).refused(503, "auth.oidc_unavailable")
    assert "calls itself" in body["detail"]


async def test_the_login_command_says_where_and_waits(
    core: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    account, email = await somebody(core, issuer)
    said: list[str] = []
    shown: list[Any] = []
    monkeypatch.setattr(login_command, "say", said.append)
    monkeypatch.setattr(login_command, "show_json", shown.append)
    command = asyncio.create_task(login_command.login(core.url, as_json=True))
    await eventually(lambda: bool(said) or command.done())
    where = re.search(r"open (\S+)", said[0])
    assert where is not None
    async with Browser(core, account) as browser:
        await approve(browser, where[1])
    assert await command == 0
    assert shown[0]["account"]["communication_email"] == email
