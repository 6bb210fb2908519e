"""A session outlives its client's connection and its gateway; ports and fresh copies are reached in the same way."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
import pytest

from slipway_shell.__main__ import serve
from slipway_testing import eventually, free_port, started
from slipway_workloads import Status
from slipway_workloads.records import write

RESUME = "resume.v5.slipway"
Shells = Any


@dataclass
class Resuming:
    """A client that counts what it has, and comes back."""

    shells: Shells
    token: str
    port: int = 0
    query: dict[str, str] = field(default_factory=dict)
    hello: dict[str, Any] = field(default_factory=dict)
    printed: bytearray = field(default_factory=bytearray)
    notices: list[str] = field(default_factory=list)
    typed: bytearray = field(default_factory=bytearray)
    ws: Any = None
    code: int = 0
    status: dict[str, Any] | None = None

    async def connect(self, **more: str) -> None:
        port = self.port or self.shells.settings.listen_port
        query = {"service": self.shells.place.service_id, **self.query, **more}
        self.ws = await self.shells.http.ws_connect(
            f"http://127.0.0.1:{port}/shell/exec",
            params=query,
            protocols=[RESUME],
            headers={"Authorization": f"Bearer {self.token}"},
        )

    async def back(self, **changed: str) -> None:
        said = {"session": self.hello["session"], "resume": self.hello["resume"], "received": str(len(self.printed))}
        await self.connect(**{**said, **changed})

    async def receive(self) -> None:
        message = await self.ws.receive(timeout=20)
        if message.type is not aiohttp.WSMsgType.BINARY:
            self.code = self.code or int(message.data or self.ws.close_code or 0)
            return
        channel, data = message.data[0], message.data[1:]
        if channel == 5:
            told = json.loads(data)
            self.notices += [told["notice"]] if "notice" in told else []
            if "session" in told:
                self.hello = told
                assert told["received"] == len(self.printed)
                await self.ws.send_bytes(b"\0" + bytes(self.typed[told["taken"] :]))
        elif channel == 3:
            self.status = json.loads(data)
        else:
            self.printed += data
            await self.ws.send_bytes(b"\5" + json.dumps({"received": len(self.printed)}).encode())

    async def type(self, text: str) -> None:
        self.typed += text.encode()
        await self.ws.send_bytes(b"\0" + text.encode())

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(20):
            while text.encode() not in self.printed:
                await self.receive()
                assert not self.code, (self.code, self.printed)

    async def until_closed(self) -> int:
        async with asyncio.timeout(20):
            while not self.code:
                await self.receive()
        return self.code

    def lose(self) -> None:
        """The network is gone: nobody says good-bye."""
        self.ws._response.connection.transport.abort()


async def resuming(shells: Shells, **query: str) -> Resuming:
    token = await shells.person()
    await (await shells.open(token, command=["true"])).ended()
    client = Resuming(shells, token, query=query)
    await client.connect()
    await client.shows("$")
    return client


async def test_a_lost_client_comes_back_to_what_it_missed_and_to_what_it_typed(shells: Shells) -> None:
    client = await resuming(shells)
    await client.type("x=kept; for i in 1 2 3; do sleep 0.3; echo line-$i; done\n")
    await client.shows("line-1")
    client.lose()
    await client.back()
    await client.type("echo $x-value\n")
    await client.shows("kept-value")
    shown = client.printed.decode()
    assert [shown.count(f"line-{number}\r") for number in (1, 2, 3)] == [1, 1, 1]
    rows = [row for row in await shells.rows() if row["id"].hex == client.hello["session"].replace("-", "")]
    assert rows[0]["ended_at"] is None
    await client.type("exit 3\n")
    assert await client.until_closed() == 1000
    assert client.status["details"]["causes"][0]["message"] == "3"


async def test_what_was_printed_while_nobody_was_there_is_kept_and_the_program_waits(shells: Shells) -> None:
    client = await resuming(shells)
    await client.type("stty -echo; for i in $(seq 60000); do echo n$i.; done; echo all-of-$((1))\n")
    await client.shows("n100.")
    client.lose()
    await client.back()
    await client.shows("all-of-1")
    numbers = [int(part[1:]) for part in client.printed.decode().replace("\r\n", "").split(".") if part[1:].isdigit()]
    assert numbers == list(range(numbers[0], 60001))


async def test_another_gateway_goes_on_with_a_session_and_the_first_lets_go(shells: Shells) -> None:
    client = await resuming(shells)
    await client.type("y=here\n")
    port = free_port()
    async with started(serve, msgspec.structs.replace(shells.settings, listen_port=port)):
        client.lose()
        client.port = port
        await client.back()
        await client.type("echo $y-and-there\n")
        await client.shows("here-and-there")
        await client.type("exit\n")
        assert await client.until_closed() == 1000
    ended = [row for row in await shells.rows() if str(row["id"]) == client.hello["session"]]
    assert ended[0]["reason"] == "exit code 0"
    assert ended[0]["parts"] == 2
    await eventually(lambda: recorded_whole(shells, client), 10)


async def test_a_gateway_that_restarts_ends_no_session_of_who_can_come_back(shells: Shells) -> None:
    client = await resuming(shells)
    await client.type("exit\n")
    await client.until_closed()
    client = Resuming(shells, client.token, port=free_port())
    async with started(serve, msgspec.structs.replace(shells.settings, listen_port=client.port)):
        await client.connect()
        await client.shows("$")
        await client.type("z=lives\n")
        await client.shows("z=lives")
        listening = asyncio.create_task(client.until_closed())
    assert await listening == 1012
    assert client.status is None
    client.port, client.code = 0, 0
    await client.back()
    await client.type("echo $z-on\n")
    await client.shows("lives-on")


async def recorded_whole(shells: Shells, client: Resuming) -> bool:
    """Both gateways' parts, as one."""
    cast = await get(shells, f"/session/{client.hello['session']}/recording", client.token)
    return "y=here" in cast and "here-and-there" in cast and cast.count('"version"') == 1


async def get(shells: Shells, path: str, token: str, method: str = "GET", status: int = 200, **more: Any) -> str:
    url = f"http://127.0.0.1:{shells.settings.listen_port}/shell/organization/{shells.place.organization_id}{path}"
    async with shells.http.request(method, url, headers={"Authorization": f"Bearer {token}"}, **more) as answer:
        text: str = await answer.text()
        assert answer.status == status, text
        return text


@pytest.mark.parametrize("wrong", [{"resume": "guess"}, {"session": "018f0000-0000-7000-8000-000000000000"}])
async def test_a_session_is_not_given_to_who_does_not_know_its_secret(shells: Shells, wrong: dict[str, str]) -> None:
    client = await resuming(shells)
    thief = Resuming(shells, client.token, hello=dict(client.hello))
    await thief.back(**wrong)
    assert await thief.until_closed() == 1008
    await client.type("echo still-$((40 + 2))\n")
    await client.shows("still-42")


async def test_a_session_is_not_given_to_another_person_with_its_secret(shells: Shells) -> None:
    client = await resuming(shells)
    other = await shells.person("admin")
    await (await shells.open(other, command=["true"])).ended()
    thief = Resuming(shells, other, hello=dict(client.hello))
    await thief.back()
    assert await thief.until_closed() == 1008


async def test_of_two_clients_with_one_session_the_newer_one_has_it(shells: Shells) -> None:
    client = await resuming(shells)
    second = Resuming(shells, client.token, hello=dict(client.hello), printed=bytearray(client.printed))
    await second.back()
    await second.type("echo mine\n")
    await second.shows("mine")
    await client.until_closed()


class TestLeft:
    @pytest.fixture
    def changes(self) -> dict[str, Any]:
        return {"resume_seconds": 1.0}

    async def test_a_client_that_does_not_come_back_leaves_nothing(self, shells: Shells) -> None:
        client = await resuming(shells)
        await client.type("sleep 1000\n")
        client.lose()

        async def over() -> bool:
            rows = {str(row["id"]): row["reason"] for row in await shells.rows()}
            return rows[client.hello["session"]] == "the client did not come back"

        await eventually(over, 15)
        await eventually(lambda: nothing_left(shells), 15)


async def nothing_left(shells: Shells) -> bool:
    return shells.children() == []


async def test_a_copy_may_be_changed_and_the_service_sees_nothing_of_it(shells: Shells) -> None:
    token = await shells.person()
    await (await shells.open(token, command=["true"])).ended()
    url = f"http://127.0.0.1:{shells.settings.listen_port}/shell/ephemeral"
    query = [("service", shells.place.service_id), ("tty", "false"), ("command", "sh"), ("command", "-c")]
    query.append(("command", "echo changed > app.py; cat app.py; echo $GREETING"))
    async with shells.http.ws_connect(url, params=query, headers={"Authorization": f"Bearer {token}"}) as ws:
        printed = b"".join([message.data async for message in ws if message.type is aiohttp.WSMsgType.BINARY])
    assert printed == b"changed\nhello from the service\n"
    source = shells.layout.service(shells.place.service_id).release("20260101-1").source
    assert (source / "app.py").read_text() == "print('hello')\n"
    await eventually(lambda: removed(shells), 10)


async def removed(shells: Shells) -> bool:
    copies = shells.layout.copies_dir
    return not copies.exists() or not list(copies.iterdir())


async def test_a_port_of_the_service_is_reached_and_no_other(shells: Shells) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"got " + await reader.read())
        await writer.drain()
        writer.close()

    token = await shells.person()
    await (await shells.open(token, command=["true"])).ended()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    other = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, other:
        port = server.sockets[0].getsockname()[1]
        # The service's own process is a child that listens; ours does not count as its.
        child = await asyncio.create_subprocess_exec(
            "python3", "-c", LISTENER, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        own = int(await child.stdout.readline())
        release = shells.layout.service(shells.place.service_id).release("20260101-1")
        write(release.status, Status(state="running", pid=child.pid))
        try:
            assert await forwarded(shells, token, own, b"hello") == (b"got hello", 1000)
            data, code = await forwarded(shells, token, port, b"hello")
            assert (data, code) == (b"", 1008)
        finally:
            child.kill()
            await child.wait()
    rows = [row for row in await shells.rows() if row["kind"] == "forward"]
    assert [row["port"] for row in rows] == [own, port]


LISTENER = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    connection, _ = server.accept()
    data = b""
    while part := connection.recv(1000):
        data += part
    connection.sendall(b"got " + data)
    connection.close()
"""


async def forwarded(shells: Shells, token: str, port: int, data: bytes) -> tuple[bytes, int]:
    url = f"http://127.0.0.1:{shells.settings.listen_port}/shell/portforward"
    query = {"service": shells.place.service_id, "port": str(port)}
    printed = b""
    async with shells.http.ws_connect(
        url, params=query, protocols=["v5.channel.k8s.io"], headers={"Authorization": f"Bearer {token}"}
    ) as ws:
        await ws.send_bytes(b"\0" + data)
        await ws.send_bytes(b"\xff\0")
        async for message in ws:
            printed += message.data[1:] if message.data[0] == 1 else b""
        return printed, int(ws.close_code)


async def test_an_admin_looks_on_from_the_beginning_and_the_person_sees_it(shells: Shells) -> None:
    client = await resuming(shells)
    await client.type("echo before-$((1 + 1))\n")
    await client.shows("before-2")
    admin = await shells.person("admin")
    await (await shells.open(admin, command=["true"])).ended()
    path = f"/shell/organization/{shells.place.organization_id}/session/{client.hello['session']}/watch"
    url = f"http://127.0.0.1:{shells.settings.listen_port}{path}"
    seen = b""
    async with shells.http.ws_connect(url, headers={"Authorization": f"Bearer {admin}"}) as ws:
        async with asyncio.timeout(20):
            while b"before-2" not in seen:
                seen += await ws.receive_bytes()
            await ws.send_bytes(b"rm -rf /\n")
            await client.type("echo after-$((1 + 2))\n")
            await client.shows("after-3")
            while b"after-3" not in seen:
                seen += await ws.receive_bytes()
    assert b"rm -rf" not in client.printed
    assert client.notices[0] == "admin-user@x.org watches this session"
    assert [news.verb for news in await shells.news() if news.session_id == client.hello["session"]][-1] == "watched"


async def test_who_is_no_admin_can_neither_look_on_nor_see_sessions_of_others(shells: Shells) -> None:
    client = await resuming(shells)
    viewer = await shells.person("viewer")
    await eventually(lambda: empty(shells, viewer), 10)
    await get(shells, f"/session/{client.hello['session']}", viewer, status=404)
    await get(shells, f"/session/{client.hello['session']}/watch", viewer, status=403)
    own = json.loads(await get(shells, "/session", client.token))["results"]
    assert client.hello["session"] in [row["id"] for row in own]


async def empty(shells: Shells, token: str) -> bool:
    try:
        return json.loads(await get(shells, "/session", token)) == {"results": []}
    except AssertionError:
        return False


async def test_sessions_are_searched_and_ended_by_hand(shells: Shells) -> None:
    client = await resuming(shells)
    await client.type("printf '\\033[31mneedle\\033[0m in the hay\\n'\n")
    await client.shows("in the hay\r")
    session = client.hello["session"]

    async def found() -> bool:
        hits = json.loads(await get(shells, "/session/search?text=needle+IN", client.token))
        return [hit["session"]["id"] for hit in hits["results"]] == [session]

    await eventually(found, 10)
    await get(shells, f"/session/{session}", client.token, "DELETE", 202)
    assert await client.until_closed() == 1008
    await eventually(lambda: conflicts(shells, session, client.token), 5)


async def conflicts(shells: Shells, session: str, token: str) -> bool:
    try:
        await get(shells, f"/session/{session}", token, "DELETE", 409)
    except AssertionError:
        return False
    return True


async def test_production_may_ask_for_a_reason_and_for_somebody_elses_approval(shells: Shells) -> None:
    admin, person = await shells.person("admin"), await shells.person()
    for token in (admin, person):
        await (await shells.open(token, command=["true"])).ended()
    rule = {"mode": shells.place.mode, "needs_reason": True, "needs_approval": True}
    await get(shells, "/rule", person, "PUT", 403, json=rule)
    await get(shells, "/rule", admin, "PUT", 200, json=rule)
    without = await shells.open(person, command=["true"])
    assert await without.ended() == 1008
    assert "Say why" in without.reason
    waiting = await shells.open(person, command=["true"], reason="the disk is full")
    assert await waiting.ended() == 1008
    wish = json.loads(await get(shells, "/approval", admin))["results"][0]
    assert (wish["purpose"], wish["state"], wish["id"] in waiting.reason) == ("the disk is full", "pending", True)
    await get(shells, f"/approval/{wish['id']}", admin, "POST", 200, json={"state": "approved"})
    opened = await shells.open(person, command=["true"], reason="the disk is full")
    assert await opened.ended() == 1000
    own = await shells.open(admin, command=["true"], reason="mine")
    assert await own.ended() == 1008
    mine = json.loads(await get(shells, "/approval", admin))["results"][0]
    await get(shells, f"/approval/{mine['id']}", admin, "POST", 404, json={"state": "approved"})
