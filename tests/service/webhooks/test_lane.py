"""The short lane and aiohttp's own way: whatever is sent in whatever pieces is answered right, and in order."""

import asyncio
import contextlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway_contracts.base import uuid7
from slipway_contracts.git import GitLink

Gateway = Any
PUSH = {"ref": "refs/heads/main", "before": "a" * 40, "after": "b" * 40, "repository": {"full_name": "acme/shop"}}
SECRET = b"a secret of enough length"


class Wire:
    """A sender that writes bytes as it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.01)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split(" ")[1]), headers, body

    async def closed(self) -> bool:
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read() == b""
        return True


@contextlib.asynccontextmanager
async def wire(gateway: Gateway) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.listen_port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def request(gateway: Gateway, link: GitLink, id: str, **more: str) -> bytes:
    """One delivery as bytes."""
    body = json.dumps(PUSH).encode()
    headers = {
        "Host": f"127.0.0.1:{gateway.settings.listen_port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "X-Hub-Signature-256": "sha256=" + hmac.digest(SECRET, body, "sha256").hex(),
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": id,
    } | more
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    return f"POST /hooks/github/{link.id} HTTP/1.1\r\n{lines}\r\n".encode() + body


async def stored(gateway: Gateway) -> list[str]:
    return [push.delivery_id for push in await gateway.pushes()]


async def test_whole_requests_one_after_another_on_one_connection(gateway: Gateway) -> None:
    link = await gateway.link()
    async with wire(gateway) as sender:
        for number in range(20):
            await sender.send(request(gateway, link, f"d{number}"))
            status, headers, body = await sender.answer()
            assert (status, body) == (202, b'{"status":"accepted"}')
            assert headers["x-request-id"]
            assert headers["content-type"] == "application/json"
    assert await stored(gateway) == [f"d{number}" for number in range(20)]


async def test_requests_in_pieces_and_many_in_one_piece_are_answered_in_order(gateway: Gateway) -> None:
    link = await gateway.link()
    async with wire(gateway) as sender:
        whole = request(gateway, link, "pieces")
        await sender.send(whole[:10], whole[10:100], whole[100:-30], whole[-30:])
        assert (await sender.answer())[0] == 202
        bad = (
            request(gateway, link, "bad").replace(b'"main"', b'"mAin"').replace(b"refs/heads/main", b"refs/heads/mAin")
        )
        await sender.send(b"".join([request(gateway, link, "one"), bad, request(gateway, link, "two")]))
        assert [(await sender.answer())[0] for _ in range(3)] == [202, 401, 202]
        for number in range(5):
            sender.writer.write(request(gateway, link, f"p{number}"))
        assert [(await sender.answer())[0] for _ in range(5)] == [202] * 5
    assert await stored(gateway) == ["pieces", "one", "two", *[f"p{number}" for number in range(5)]]


async def test_both_ways_mixed_on_one_connection(gateway: Gateway) -> None:
    link = await gateway.link()
    host = f"Host: 127.0.0.1:{gateway.settings.listen_port}\r\n"
    get = f"GET /healthz HTTP/1.1\r\n{host}\r\n".encode()
    async with wire(gateway) as sender:
        for number in range(3):
            await sender.send(request(gateway, link, f"a{number}"), get, request(gateway, link, f"b{number}"))
            assert [(await sender.answer())[0] for _ in range(3)] == [202, 200, 202]


async def test_a_sender_that_wants_to_end_the_connection_gets_its_answer_first(gateway: Gateway) -> None:
    link = await gateway.link()
    for more in ({"Connection": "close"}, {"Connection": "close", "Expect": "100-continue"}):
        async with wire(gateway) as sender:
            await sender.send(request(gateway, link, uuid7(), **more))
            status, headers, _ = await sender.answer()
            if status == 100:
                status, headers, _ = await sender.answer()
            assert status == 202
            assert headers["connection"] == "close"
            assert await sender.closed()


async def test_a_chunked_delivery_is_taken(gateway: Gateway) -> None:
    link = await gateway.link()
    whole = request(gateway, link, "chunks", **{"Content-Length": "", "Transfer-Encoding": "chunked"})
    head, _, body = whole.partition(b"\r\n\r\n")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7))
    async with wire(gateway) as sender:
        await sender.send(head + b"\r\n\r\n" + chunks + b"0\r\n\r\n")
        assert (await sender.answer())[0] == 202
    assert await stored(gateway) == ["chunks"]


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /hooks/github/x HTTP/1.1\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n",
        b"POST /hooks/github/x HTTP/1.1\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n",
        b"POST /hooks/github/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /hooks/github/x HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /hooks/github/x HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GARBAGE\r\n\r\n",
        b"POST " + b"/" * 20_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_the_next_honest_delivery_served(gateway: Gateway, raw: bytes) -> None:
    link = await gateway.link()
    async with wire(gateway) as sender:
        with contextlib.suppress(ConnectionError):
            await sender.send(raw)
        assert (await sender.answer())[0] == 400
    async with wire(gateway) as sender:
        await sender.send(request(gateway, link, "honest"))
        assert (await sender.answer())[0] == 202


@pytest.mark.parametrize("host", ["evil.test", "", "localhost.evil.test"])
async def test_a_foreign_host_name_is_not_served_on_either_way(gateway: Gateway, host: str) -> None:
    link = await gateway.link()
    async with wire(gateway) as sender:
        await sender.send(request(gateway, link, "good"))
        assert (await sender.answer())[0] == 202
        await sender.send(request(gateway, link, "evil", Host=host))
        assert (await sender.answer())[0] in (400, 421)
    assert await stored(gateway) == ["good"]


async def test_a_registry_proves_itself_by_the_address(gateway: Gateway) -> None:
    link = await gateway.link("dockerhub")
    hub = {"push_data": {"tag": "1"}, "repository": {"repo_name": "acme/shop"}}
    url = f"{gateway.url}/hooks/dockerhub/{link.id}"
    for token, status in (("a%20secret%20of%20enough%20length", 202), ("wrong", 401), ("", 401)):
        async with gateway.session.post(f"{url}?token={token}", json=hub) as answer:
            assert answer.status == status


@pytest.mark.parametrize("gateway", [{"open_requests": 0}], indirect=True)
async def test_overload_is_said_early_with_a_time_to_come_back(gateway: Gateway) -> None:
    async with wire(gateway) as sender:
        await sender.send(request(gateway, GitLink(id="x", provider="github", organization_id="", repository=""), "d"))
        status, headers, _ = await sender.answer()
        assert (status, headers["retry-after"]) == (503, "1")


PIECES = st.lists(st.integers(1, 400), max_size=6)
NAMES = st.sampled_from(
    ["X-GitHub-Event", "X-GitHub-Delivery", "X-Hub-Signature-256", "Content-Type", "Content-Encoding"]
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80)


async def test_headers_and_bodies_of_every_shape_get_an_answer(gateway: Gateway) -> None:
    """Examples are drawn here and not by a decorated test: the gateway runs in this event loop."""
    link = await gateway.link()
    shapes: list[tuple[list[int], str, str, bytes]] = []

    @settings(max_examples=80, deadline=None, database=None)
    @given(PIECES, NAMES, VALUES, st.binary(max_size=300))
    def draw(cuts: list[int], name: str, value: str, body: bytes) -> None:
        shapes.append((cuts, name, value, body))

    draw()
    for number, (cuts, name, value, body) in enumerate(shapes):
        signature = "sha256=" + hmac.digest(SECRET, body, "sha256").hex()
        more = {"Content-Length": str(len(body)), "X-Hub-Signature-256": signature, name: value.strip() or "-"}
        raw = request(gateway, link, f"f{number}", **more).partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
        pieces, at = [], 0
        for cut in cuts:
            pieces.append(raw[at : at + cut])
            at += cut
        async with wire(gateway) as sender:
            for piece in [*pieces, raw[at:]]:
                sender.writer.write(piece)
                await asyncio.sleep(0)
            status, _, answer = await sender.answer()
        assert status in (202, 401, 415, 422), (status, answer)
        assert status != 202 or json.loads(answer)["status"] == "ignored"
    assert (await gateway.deliver(link))[0] == 202
