"""Fetching commits over HTTP: credentials stay where they belong, and no address leads where it shouldn't."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from slipway_contracts.specs import GitSource
from slipway_engine.problems import CloneFailed
from slipway_engine.sources import Fetching, check_out

USER, PASSWORD = "slipway", "a-very-secret-jwt"
MISSING = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class GitServer:
    """git's own http-backend behind a login."""

    directory: Path
    port: int = 0
    requests: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    redirect_to: str = ""
    login: bool = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/repository/.git"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest) if name}
        self.requests.append(head)
        self.commands += await asyncio.to_thread(git_command_lines)
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.redirect_to:
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {self.redirect_to}\r\nContent-Length: 0\r\n\r\n".encode())
        elif self.login and headers.get("authorization") != wanted:
            writer.write(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n')
        else:
            writer.write(await self._backend(line, headers, await body(reader, headers)))
        await writer.drain()

    async def _backend(self, line: str, headers: dict[str, str], sent: bytes) -> bytes:
        method, target, _ = line.split(" ")
        path, _, query = target.partition("?")
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.directory), "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query,
            "CONTENT_TYPE": headers.get("content-type", ""), "CONTENT_LENGTH": str(len(sent)),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend", env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate(sent)
        top, _, content = out.partition(b"\r\n\r\n")
        status = next((one[8:] for one in top.split(b"\r\n") if one.startswith(b"Status: ")), b"200 OK")
        return b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n" + top + b"\r\n\r\n" + content


async def body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length", 0)))
    whole = b""
    while size := int(await reader.readline(), 16):
        whole += await reader.readexactly(size)
        await reader.readline()
    return whole


def git_command_lines() -> list[str]:
    import psutil

    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if "git" in line]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    server = GitServer(tmp_path)
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()
    await listening.wait_closed()


class Fetch:
    """Fetches into a directory of its own each time."""

    def __init__(self, directory: Path, server: GitServer) -> None:
        self.directory = directory
        self.server = server
        self.lines: list[str] = []
        self.count = 0

    async def __call__(self, commit: str, url: str = "", password: str = PASSWORD, **allowed: object) -> Path:
        self.count += 1
        source = GitSource(url=url or self.server.url, branch="main", commit=commit)
        values: dict[str, object] = {"own_origin": self.server.url, "timeout_seconds": 20, **allowed}
        target = self.directory / f"target-{self.count}"
        mirror = self.directory / "mirror.git"
        credential = (USER, password) if password else ("", "")
        checkout = await check_out(source, mirror, target, credential, Fetching(**values), self.lines.append)  # type: ignore[arg-type]
        return checkout.root


@pytest.fixture
def fetch(tmp_path: Path, server: GitServer) -> Fetch:
    return Fetch(tmp_path / "fetched", server)


async def test_commits_come_with_a_login_that_no_command_line_and_no_log_shows(fetch, server, repository) -> None:
    first = repository.commit({"a": "1", "folder/b": "x" * 20000})
    root = await fetch(first)
    assert (root / "a").read_text() == "1"
    assert not (root / ".git").exists()
    second = repository.commit({"a": "2"}, fresh=False)
    assert ((await fetch(second)) / "a").read_text() == "2"
    assert ((await fetch(first)) / "a").read_text() == "1"
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert server.commands
    for text in [*server.commands, *fetch.lines]:
        assert PASSWORD not in text
        assert encoded not in text
    config = (fetch.directory / "mirror.git" / "config").read_text()
    assert PASSWORD not in config
    assert encoded not in config


async def test_a_wrong_login_is_said_in_words(fetch, repository) -> None:
    commit = repository.commit({"a": "1"})
    for password in ("wrong", ""):
        with pytest.raises(CloneFailed, match="login"):
            await fetch(commit, password=password)


async def test_a_redirect_does_not_take_the_login_along(fetch, server, repository) -> None:
    other = GitServer(server.directory)
    listening = await asyncio.start_server(other.answer, "127.0.0.1", 0)
    server.redirect_to = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/repository/.git/info/refs"
    with pytest.raises(CloneFailed):
        await fetch(repository.commit({"a": "1"}))
    listening.close()
    await listening.wait_closed()
    assert other.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% pwned",
        "file:///etc",
        "/etc",
        "ssh://git@example.org/x",
        "git@example.org:x",
        "--upload-pack=touch pwned",
        "https://",
        "https://user:password@example.org/x",
        "http://127.0.0.1:1/x",
        "http://localhost:1/x",
        "http://[::1]:1/x",
        "http://[::ffff:127.0.0.1]:1/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x",
        "http://192.168.1.1/x",
        "http://0.0.0.0/x",
    ],
)
async def test_addresses_that_lead_elsewhere_are_refused_before_git_runs(fetch, url: str) -> None:
    with pytest.raises(CloneFailed) as refusal:
        await fetch(MISSING, url=url, own_origin="http://localhost:8080")
    assert refusal.value.stable_code == "build.address"
    assert not fetch.directory.exists()


async def test_an_address_without_git_is_found_where_the_host_wants_it_with(fetch, server, repository) -> None:
    commit = repository.commit({"a": "1"})
    os.rename(repository.directory / ".git", server.directory / "short.git")
    root = await fetch(commit, url=f"http://127.0.0.1:{server.port}/short")
    assert (root / "a").read_text() == "1"


async def test_the_platforms_own_remote_is_reached_although_it_is_private(fetch, server, repository) -> None:
    commit = repository.commit({"a": "1"})
    with pytest.raises(CloneFailed, match="private address"):
        await fetch(commit, own_origin=f"http://127.0.0.1:{server.port + 1}")
    await fetch(commit)


async def test_a_commit_that_the_server_does_not_have(fetch, repository) -> None:
    repository.commit({"a": "1"})
    with pytest.raises(CloneFailed):
        await fetch(MISSING)


async def test_hooks_filters_and_submodules_of_a_repository_do_nothing(fetch, repository, tmp_path: Path) -> None:
    pwned = tmp_path / "pwned"
    repository.commit(
        {
            ".gitattributes": "* filter=evil\n",
            ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = ext::touch {pwned}\n',
            ".lfsconfig": "[lfs]\n\turl = http://127.0.0.1:1/\n",
            "a": "1",
        }
    )
    root = await fetch(repository.save())
    assert (root / "a").read_text() == "1"
    assert not pwned.exists()
