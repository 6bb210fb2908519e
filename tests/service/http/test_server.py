"""The HTTP server over real sockets: what gets through, and how refusals look."""

import asyncio
import contextlib
import gzip
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from slipway_contracts.access import AccessEntry, Grant, Permission
from slipway_contracts.base import uuid7
from slipway_contracts.places import Place
from slipway_errors import Conflict
from slipway_http import Call, Limits, PortTaken, Route, RouteWrong, Server, bodies, etag, require_match, serve_http
from slipway_http.origins import session_cookie
from slipway_security import jwt
from slipway_security.access import AccessCopy

KEY = jwt.new_signing_key()
# Fixed, so that the cases have the same names in every process.
MINE, THEIRS, NOBODYS = (f"01a211f0-0000-7000-8000-00000000000{number}" for number in (1, 2, 3))


class Port(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: int
    name: str = ""


class Thing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    __read_only__ = frozenset({"id", "created_at"})

    name: str
    ports: list[Port] = []


class Search(msgspec.Struct, frozen=True, kw_only=True):
    limit: int = 10
    kind: list[str] = []


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str


@dataclass
class App:
    bodies: list[Any] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)


async def show(app: App, call: Call[None]) -> Shown:
    """Show a thing."""
    return Shown(id=call.path["projectId"], name=call.caller.name)


async def change(app: App, call: Call[Thing]) -> Shown:
    require_match(call, 7)
    app.bodies.append(call.body)
    call.response_headers["ETag"] = etag(8)
    call.set_cookie("slipway_session", "x", 60, secure=False)
    return Shown(id=call.path["projectId"], name=call.body.name)


async def search(app: App, call: Call[None]) -> dict[str, Any]:
    return {"limit": call.query.limit, "kind": call.query.kind}


async def remove(app: App, call: Call[None]) -> None:
    raise Conflict("It is used by 2 services.", used_by=["a", "b"])


async def crash(app: App, call: Call[None]) -> None:
    raise RuntimeError("password=hunter2")


async def wait(app: App, call: Call[None]) -> Shown:
    app.entered.set()
    await app.gate.wait()
    return Shown(id="1", name="waited")


async def echo(app: App, request: web.BaseRequest, call: Call[None]) -> web.StreamResponse:
    return web.Response(body=await request.read())


async def socket(app: App, request: web.BaseRequest, call: Call[None]) -> web.StreamResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.send_str(call.caller.name)
    await ws.close()
    return ws


ROUTES = [
    Route("GET", "/api/project/{projectId}", show, needs=Permission.READ, of="project", returns=Shown),
    Route("PUT", "/api/project/{projectId}", change, needs=Permission.MANAGE, of="project", body=Thing, returns=Shown),
    Route("DELETE", "/api/project/{projectId}", remove, needs=Permission.MANAGE, of="project"),
    Route("GET", "/api/search", search, needs=Permission.SIGNED_IN, query=Search),
    Route("GET", "/api/public", show, needs=Permission.PUBLIC),
    Route("GET", "/api/crash", crash, needs=Permission.PUBLIC),
    Route("GET", "/api/wait", wait, needs=Permission.PUBLIC),
    Route("POST", "/raw/{name}.git/{rest:.*}", echo, needs=Permission.PUBLIC, raw=True, max_body_bytes=2_000_000),
    Route("GET", "/ws", socket, needs=Permission.SIGNED_IN, raw=True),
]


async def locate(kind: str, id: str) -> Place | None:
    organizations = {MINE: "mine", THEIRS: "theirs"}
    return Place(organization_id=organizations[id], project_id=id) if id in organizations else None


def make_access() -> AccessCopy:
    access = AccessCopy()
    access.apply("alive", AccessEntry(at=datetime.now(UTC)))
    access.apply(f"key.{KEY.kid}", AccessEntry(kind="key", public_key_pem=KEY.public_pem))
    for name, role in (("owner", "owner"), ("viewer", "viewer")):
        grants = [Grant(organization_id="mine", role=role)]
        access.apply(f"user.{name}", AccessEntry(principal_id=name, name=name, grants=grants))
    return access


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(name)}"}


def token(name: str) -> str:
    return jwt.issue(KEY, name, "slipway-api", 3600)


@dataclass
class Site:
    url: str
    app: App
    server: Server
    client: aiohttp.ClientSession

    @property
    def cookie(self) -> str:
        return session_cookie(self.url.removeprefix("http://"))

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any, aiohttp.ClientResponse]:
        if isinstance(options.get("data"), bytes):
            options["data"] = io.BytesIO(options["data"])
        async with self.client.request(method, self.url + path, **options) as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith(("{", "[")) else text, response


@contextlib.asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[Site]:
    app = App()
    server = Server(ROUTES, app, make_access(), locate, openapi=True, **options)
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as client,
        serve_http(server, "127.0.0.1", 0, drain_seconds=2) as serving,
    ):
        yield Site(f"http://127.0.0.1:{serving.port}", app, server, client)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with opened() as site:
        yield site


async def test_a_reader_gets_the_thing_with_a_request_id(site: Site) -> None:
    status, body, response = await site.ask("GET", f"/api/project/{MINE}", headers=bearer("viewer"))
    assert (status, body) == (200, {"id": MINE, "name": "viewer"})
    assert response.headers["X-Request-Id"]
    assert response.headers["Cache-Control"] == "no-store"


async def test_head_is_get_without_the_body(site: Site) -> None:
    status, body, _ = await site.ask("HEAD", f"/api/project/{MINE}", headers=bearer("viewer"))
    assert (status, body) == (200, "")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", f"/api/project/{MINE}", {}, 401, "auth.required"),
        ("GET", f"/api/project/{MINE}", {"Authorization": "Bearer x"}, 401, "auth.required"),
        ("GET", f"/api/project/{THEIRS}", bearer("owner"), 404, "not_found"),
        ("GET", f"/api/project/{NOBODYS}", bearer("owner"), 404, "not_found"),
        ("GET", "/api/project/not-an-id", bearer("owner"), 404, "not_found"),
        ("GET", "/api/project/%00", bearer("owner"), 404, "not_found"),
        ("GET", "/api/project/%ff", bearer("owner"), 404, "not_found"),
        ("GET", "/api/nothing", {}, 404, "not_found"),
        ("PATCH", f"/api/project/{MINE}", bearer("owner"), 405, "request.method_not_allowed"),
        ("DELETE", f"/api/project/{MINE}", bearer("viewer"), 403, "auth.forbidden"),
        ("DELETE", f"/api/project/{MINE}", bearer("owner"), 409, "conflict"),
        ("GET", "/api/search", {}, 401, "auth.required"),
        ("GET", "/api/search?limit=many", bearer("viewer"), 422, "request.invalid"),
    ],
)
async def test_refusals_are_problem_documents(
    site: Site, method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    got, body, response = await site.ask(method, path, headers=headers)
    assert (got, body["code"], body["status"]) == (status, code, status)
    assert response.content_type == "application/problem+json"
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert body["title"]
    assert body["detail"]


async def test_what_one_may_not_see_looks_like_what_is_not_there(site: Site) -> None:
    _, theirs, _ = await site.ask("GET", f"/api/project/{THEIRS}", headers=bearer("owner"))
    _, nothing, _ = await site.ask("GET", f"/api/project/{uuid7()}", headers=bearer("owner"))
    assert {**theirs, "request_id": ""} == {**nothing, "request_id": ""}


async def test_a_change_with_read_only_fields_goes_through_without_them(site: Site) -> None:
    sent = {"id": "1", "created_at": "x", "name": "new", "ports": [{"number": 80}]}
    status, body, response = await site.ask("PUT", f"/api/project/{MINE}", headers=bearer("owner"), json=sent)
    assert (status, body["name"]) == (200, "new")
    assert site.app.bodies == [Thing(name="new", ports=[Port(number=80)])]
    assert response.headers["ETag"] == '"8"'
    assert "HttpOnly" in response.headers["Set-Cookie"]
    assert "SameSite=Strict" in response.headers["Set-Cookie"]


async def test_every_wrong_field_is_named(site: Site) -> None:
    sent = {"nam": "x", "organization_id": "mine", "ports": [{"number": "80", "x": 1}, {}, 5]}
    status, body, _ = await site.ask("PUT", f"/api/project/{MINE}", headers=bearer("owner"), json=sent)
    assert status == 422
    assert {error["path"] for error in body["errors"]} == {
        "$.nam",
        "$.organization_id",
        "$.name",
        "$.ports[0].number",
        "$.ports[0].x",
        "$.ports[1].number",
        "$.ports[2]",
    }
    assert site.app.bodies == []


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "request.malformed"),
        (b"", "application/json", 400, "request.malformed"),
        (b"[" * 100_000, "application/json", 400, "request.malformed"),
        (b'{"name": "\xff"}', "application/json", 400, "request.malformed"),
        (b"[]", "application/json", 422, "request.invalid"),
        (b'{"name": null}', "application/json", 422, "request.invalid"),
        (b"name=x", "application/x-www-form-urlencoded", 415, "request.unsupported_media_type"),
        (b'{"name": "x"}', "text/plain", 415, "request.unsupported_media_type"),
        (b" " * 2_000_000, "application/json", 413, "request.too_large"),
    ],
)
async def test_bodies_that_are_not_taken(site: Site, data: bytes, kind: str, status: int, code: str) -> None:
    headers = {**bearer("owner"), "Content-Type": kind}
    got, body, _ = await site.ask("PUT", f"/api/project/{MINE}", headers=headers, data=data)
    assert (got, body["code"]) == (status, code)
    assert site.app.bodies == []


async def test_a_gzip_bomb_stops_at_the_limit(site: Site) -> None:
    headers = {**bearer("owner"), "Content-Type": "application/json", "Content-Encoding": "gzip"}
    bomb = gzip.compress(b" " * 200_000_000, 9)
    assert len(bomb) < 1_000_000
    status, body, _ = await site.ask("PUT", f"/api/project/{MINE}", headers=headers, data=bomb)
    assert (status, body["code"]) == (413, "request.too_large")


async def test_a_chunked_body_stops_at_the_limit(site: Site) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 100_000

    headers = {**bearer("owner"), "Content-Type": "application/json"}
    status, body, _ = await site.ask("PUT", f"/api/project/{MINE}", headers=headers, data=chunks())
    assert (status, body["code"]) == (413, "request.too_large")


async def test_a_body_that_does_not_arrive_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
    authorization = bearer("owner")["Authorization"]
    head = (
        f"PUT /api/project/{MINE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    writer.write(head.encode())
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


async def test_authorization_comes_before_the_body(site: Site) -> None:
    status, _, _ = await site.ask("PUT", f"/api/project/{MINE}", headers=bearer("viewer"), json={"wrong": 1})
    assert status == 403


async def test_a_client_that_asks_first_is_told_to_go_on(site: Site) -> None:
    status, body, _ = await site.ask(
        "PUT", f"/api/project/{MINE}", headers=bearer("owner"), json={"name": "x"}, expect100=True
    )
    assert (status, body["name"]) == (200, "x")


async def test_a_bug_is_told_by_its_request_id_only(site: Site) -> None:
    status, body, _ = await site.ask("GET", "/api/crash", headers={"X-Request-Id": "given-id-1"})
    assert (status, body["code"], body["request_id"]) == (500, "internal", "given-id-1")
    assert "hunter2" not in json.dumps(body)


async def test_a_strange_request_id_is_replaced(site: Site) -> None:
    _, body, _ = await site.ask("GET", "/api/crash", headers={"X-Request-Id": "<script>alert(1)</script>"})
    assert "<" not in body["request_id"]


async def test_query_parameters_are_typed_and_repeatable(site: Site) -> None:
    _, body, _ = await site.ask("GET", "/api/search?limit=5&kind=a&kind=b", headers=bearer("viewer"))
    assert body == {"limit": 5, "kind": ["a", "b"]}


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "169.254.169.254"])
async def test_foreign_host_names_are_refused(site: Site, host: str) -> None:
    status, body, _ = await site.ask("GET", "/api/nothing", headers={"Host": host})
    assert (status, body["code"]) == (421, "request.refused")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
async def test_a_cookie_counts_only_from_our_own_pages(site: Site, headers: dict[str, str], status: int) -> None:
    cookie = {"Cookie": f"{site.cookie}={token('viewer')}"}
    got, _, _ = await site.ask("GET", f"/api/project/{MINE}", headers={**cookie, **headers})
    assert got == status


async def test_a_change_by_cookie_must_prove_its_page(site: Site) -> None:
    cookie = {"Cookie": f"{site.cookie}={token('owner')}"}
    url = f"/api/project/{MINE}"
    refused, _, _ = await site.ask("PUT", url, headers=cookie, json={"name": "x"})
    taken, _, _ = await site.ask("PUT", url, headers={**cookie, "Origin": site.url}, json={"name": "x"})
    assert (refused, taken) == (403, 200)


async def test_if_match_of_another_version_is_refused(site: Site) -> None:
    url = f"/api/project/{MINE}"
    headers = bearer("owner")
    refused, body, _ = await site.ask("PUT", url, headers={**headers, "If-Match": '"6"'}, json={"name": "x"})
    taken, _, _ = await site.ask("PUT", url, headers={**headers, "If-Match": '"7"'}, json={"name": "x"})
    assert (refused, body["code"], taken) == (412, "request.changed_meanwhile", 200)


async def test_raw_routes_take_large_bodies_up_to_their_limit(site: Site) -> None:
    status, body, _ = await site.ask("POST", "/raw/a.git/info/refs", data=b"x" * 1_900_000)
    assert (status, len(body)) == (200, 1_900_000)
    status, _, _ = await site.ask("POST", "/raw/a.git/info/refs", data=b"x" * 2_100_000)
    assert status == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (bearer("viewer"), 101),
        ({}, 401),
        ({**bearer("viewer"), "Origin": "http://evil.example"}, 403),
        ({"Cookie": f"COOKIE={token('viewer')}", "Origin": "http://evil.example"}, 403),
        ({"Cookie": f"COOKIE={token('viewer')}"}, 403),
    ],
)
async def test_sockets_are_opened_only_for_whom_we_know_from_our_pages(
    site: Site, headers: dict[str, str], status: int
) -> None:
    headers = {name: value.replace("COOKIE", site.cookie) for name, value in headers.items()}
    if status == 101:
        async with site.client.ws_connect(site.url + "/ws", headers=headers) as ws:
            assert await ws.receive_str(timeout=5) == "viewer"
        return
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await site.client.ws_connect(site.url + "/ws", headers=headers)
    assert refused.value.status == status


async def test_a_socket_by_cookie_from_our_page_opens(site: Site) -> None:
    headers = {"Cookie": f"{site.cookie}={token('viewer')}", "Origin": site.url}
    async with site.client.ws_connect(site.url + "/ws", headers=headers) as ws:
        assert await ws.receive_str(timeout=5) == "viewer"


async def test_health_readiness_and_measures() -> None:
    up = True
    async with opened(checks={"bus": lambda: up}) as site:
        assert (await site.ask("GET", "/healthz", headers={"Host": "10.0.0.1"}))[0] == 200
        assert (await site.ask("GET", "/readyz"))[0] == 200
        up = False
        status, body, _ = await site.ask("GET", "/readyz")
        assert (status, body["waits_for"]) == (503, ["bus"])
        await site.ask("GET", "/api/search", headers=bearer("viewer"))
        _, text, _ = await site.ask("GET", "/metrics")
        assert 'slipway_http_requests_total{method="GET",route="/api/search",status="200"}' in text


async def test_who_asks_too_often_waits_others_do_not() -> None:
    async with opened(limits=Limits(caller_per_second=1, caller_burst=2)) as site:
        answers = [await site.ask("GET", "/api/search", headers=bearer("viewer")) for _ in range(3)]
        assert [status for status, _, _ in answers] == [200, 200, 429]
        assert int(answers[2][2].headers["Retry-After"]) >= 1
        assert (await site.ask("GET", "/api/search", headers=bearer("owner")))[0] == 200


async def test_guessing_tokens_is_limited_whatever_x_forwarded_for_says() -> None:
    limits = Limits(address_per_second=1, address_burst=2)
    async with opened(limits=limits, trusted_proxies=()) as site:
        statuses = [
            (await site.ask("GET", "/api/search", headers={"X-Forwarded-For": f"10.0.0.{n}"}))[0] for n in range(4)
        ]
        assert statuses == [401, 401, 429, 429]


async def test_closing_finishes_what_was_begun() -> None:
    async with opened() as site:
        waiting = asyncio.create_task(site.ask("GET", "/api/wait"))
        await asyncio.wait_for(site.app.entered.wait(), 5)
        asyncio.get_running_loop().call_later(0.1, site.app.gate.set)
        site_left = site
    status, body, _ = await waiting
    assert (status, body["name"]) == (200, "waited")
    assert not site_left.server.ready


async def test_a_port_in_use_is_told() -> None:
    async with opened() as site:
        port = int(site.url.rpartition(":")[2])
        with pytest.raises(PortTaken, match=str(port)):
            await serve_http(site.server, "127.0.0.1", port).__aenter__()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"needs": Permission.READ},
        {"needs": Permission.READ, "of": "project"},
        {"needs": Permission.PUBLIC, "of": "organization"},
        {"needs": Permission.INTERNAL},
    ],
)
def test_a_route_without_a_permission_or_place_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(RouteWrong):
        Route("GET", "/api/x/{organizationId}", show, **options)


async def test_a_route_declared_twice_is_refused() -> None:
    with pytest.raises(RouteWrong, match="twice"):
        Server([ROUTES[0], ROUTES[0]], App(), make_access(), locate)


async def test_the_openapi_document_says_what_the_routes_say(site: Site) -> None:
    _, document, _ = await site.ask("GET", "/api/openapi.json")
    assert document["openapi"] == "3.1.0"
    operation = document["paths"]["/api/project/{projectId}"]["put"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/Thing"
    assert set(operation["responses"]) >= {"200", "400", "401", "403", "404", "409", "422", "429", "503"}
    assert operation["x-slipway-permission"] == "manage at project"
    assert document["paths"]["/api/project/{projectId}"]["get"]["summary"] == "Show a thing."
    assert [p["name"] for p in document["paths"]["/api/search"]["get"]["parameters"]] == ["limit", "kind"]
    assert "/ws" not in document["paths"]
