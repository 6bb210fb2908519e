"""The parts of the HTTP library one by one: finding routes, limits, origins, places."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_contracts.access import Permission
from slipway_contracts.places import Place
from slipway_errors import Forbidden, NotFound, Unavailable
from slipway_http import CachedLocate, Route
from slipway_http.limits import Buckets, TooManyRequests
from slipway_http.locating import remote_locate
from slipway_http.origins import Origins, client_address
from slipway_http.problems import RequestRefused
from slipway_http.routing import MethodNotAllowed, Router


async def handler(app: Any, call: Any) -> None:
    """Do nothing."""


def router(*routes: str) -> Router:
    made = Router()
    for text in routes:
        method, _, path = text.partition(" ")
        made.add(Route(method, path, handler, needs=Permission.PUBLIC), text)
    return made


ROUTES = router(
    "GET /a",
    "GET /a/{aId}",
    "PUT /a/{aId}",
    "GET /a/fixed",
    "GET /a/{aId}/b",
    "GET /a/fixed/c",
    "GET /git/{project}/{service}.git/info/refs",
    "GET /git/{project}/{service}.git/{rest:.*}",
    "* /any/{rest:.*}",
)


@pytest.mark.parametrize(
    ("path", "route", "params"),
    [
        ("/a", "GET /a", {}),
        ("/a/1", "GET /a/{aId}", {"aId": "1"}),
        ("/a/fixed", "GET /a/fixed", {}),
        # A fixed segment that leads nowhere doesn't hide the parameter.
        ("/a/fixed/b", "GET /a/{aId}/b", {"aId": "fixed"}),
        ("/a/fixed/c", "GET /a/fixed/c", {}),
        ("/a/x%2Fy", "GET /a/{aId}", {"aId": "x/y"}),
        ("/a/%E2%82%AC", "GET /a/{aId}", {"aId": "€"}),
        (
            "/git/p/s.git/info/refs",
            "GET /git/{project}/{service}.git/info/refs",
            {"project": "p", "service": "s"},
        ),
        (
            "/git/p/s.git/x/y",
            "GET /git/{project}/{service}.git/{rest:.*}",
            {"project": "p", "service": "s", "rest": "x/y"},
        ),
        ("/any/", "* /any/{rest:.*}", {"rest": ""}),
    ],
)
def test_a_path_finds_its_route(path: str, route: str, params: dict[str, str]) -> None:
    assert ROUTES.find("GET", path) == (route, params)


@pytest.mark.parametrize(
    "path", ["/", "", "/b", "/a/", "/a//b", "/a/1/c", "/git/p/.git/x", "/a/%00", "/a/%ff", "/A", "/a/" + "x/" * 5000]
)
def test_other_paths_find_nothing(path: str) -> None:
    with pytest.raises(NotFound):
        ROUTES.find("GET", path)


def test_another_method_is_told_which_there_are() -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        ROUTES.find("DELETE", "/a/1")
    assert refused.value.allowed == "GET, PUT"


@given(st.text())
def test_no_path_breaks_the_router(path: str) -> None:
    try:
        ROUTES.find("GET", path)
    except (NotFound, MethodNotAllowed):
        return


def test_a_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    buckets = Buckets(per_second=2, burst=3)
    for _ in range(3):
        buckets.take("a", now=100.0)
    with pytest.raises(TooManyRequests) as refused:
        buckets.take("a", now=100.0)
    assert refused.value.retry_after_seconds == pytest.approx(0.5)
    buckets.take("b", now=100.0)
    buckets.take("a", now=100.5)
    with pytest.raises(TooManyRequests):
        buckets.take("a", now=100.5)


def test_buckets_of_many_strangers_stay_bounded() -> None:
    buckets = Buckets(per_second=1, burst=2, kept=100)
    for number in range(10_000):
        buckets.take(str(number), now=100.0)
    assert len(buckets._levels) <= 100


def test_zero_is_no_limit() -> None:
    buckets = Buckets(per_second=0, burst=0)
    for _ in range(1000):
        buckets.take("a")


OURS = {"Host": "localhost:8080"}


@pytest.mark.parametrize(
    ("method", "headers", "socket"),
    [
        ("POST", {"Origin": "http://localhost:8080"}, False),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, False),
        ("GET", {}, False),
        ("GET", {"Origin": "https://slipway.example"}, True),
    ],
)
def test_our_own_pages_are_taken(method: str, headers: dict[str, str], socket: bool) -> None:
    Origins("localhost", ["https://slipway.example/"]).check_page(method, OURS | headers, socket=socket)


@pytest.mark.parametrize(
    ("method", "headers", "socket"),
    [
        ("POST", {}, False),
        ("GET", {}, True),
        ("GET", {"Origin": "null"}, False),
        ("GET", {"Origin": ""}, False),
        ("GET", {"Origin": "http://localhost:9999"}, False),
        # A deployed service is not our page, though it shares our port.
        ("GET", {"Origin": "http://demo.localhost:8080"}, True),
        ("GET", {"Origin": "http://localhost:8080.evil.example"}, True),
        ("GET", {"Origin": "http://localhost:8080@evil.example"}, True),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, False),
        ("POST", {"Sec-Fetch-Site": "same-site"}, False),
    ],
)
def test_pages_of_others_are_refused(method: str, headers: dict[str, str], socket: bool) -> None:
    with pytest.raises(Forbidden):
        Origins("localhost").check_page(method, OURS | headers, socket=socket)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "[::1]:8080", "127.0.0.1:1"])
def test_allowed_hosts_are_answered(host: str) -> None:
    Origins("localhost,127.0.0.1,[::1]").check_host(host)


@pytest.mark.parametrize("host", ["", "evil.example", "localhost.evil.example", "evil.example:localhost", "[::2]"])
def test_other_hosts_are_not(host: str) -> None:
    with pytest.raises(RequestRefused):
        Origins("localhost,127.0.0.1,[::1]").check_host(host)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
        # What a client wrote itself stands before what our proxy added.
        ("127.0.0.1", "1.1.1.1, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("10.9.9.9", "1.1.1.1", "10.9.9.9"),
    ],
)
def test_only_our_own_proxies_say_where_a_request_came_from(peer: str, forwarded: str | None, address: str) -> None:
    assert client_address(peer, forwarded, frozenset({"127.0.0.1"})) == address


async def test_places_are_remembered_what_is_not_there_is_asked_again() -> None:
    asked: list[str] = []

    async def locate(kind: str, id: str) -> Place | None:
        asked.append(id)
        return Place(organization_id="o") if id == "there" else None

    cached = CachedLocate(locate)
    for _ in range(3):
        assert await cached("project", "there") is not None
        assert await cached("project", "nowhere") is None
    assert asked == ["there", "nowhere", "nowhere", "nowhere"]
    cached.forget("project", "there")
    await cached("project", "there")
    assert asked[-1] == "there"


async def test_places_do_not_fill_the_memory_and_are_asked_anew_after_a_while() -> None:
    async def locate(kind: str, id: str) -> Place | None:
        return Place(organization_id="o", name=id)

    cached = CachedLocate(locate, kept=10, kept_seconds=0)
    for number in range(1000):
        await cached("project", str(number))
    assert len(cached._places) <= 10


async def test_a_core_that_is_away_is_not_a_thing_that_is_not_there() -> None:
    class Away:
        async def request(self, *_: Any, **__: Any) -> Any:
            raise Unavailable("core is away")

    with pytest.raises(Unavailable):
        await remote_locate(Away())("project", "x")
