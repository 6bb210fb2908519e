"""Asking a Git remote where a branch stands: one small request of Git's smart HTTP protocol, nothing is cloned.

The URL comes from users: only http and https, no redirects, and no address inside unless the host is ours or allowed.
"""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from slipway_core.git_sources import is_internal
from slipway_errors import Unavailable

TIMEOUT_SECONDS = 5.0
MAX_ANSWER_BYTES = 1024 * 1024
LS_REFS = "command=ls-refs"


class RemoteUnknown(Unavailable):
    """The Git remote could not be asked."""

    code = "git.remote_unknown"


class PublicOnly(AbstractResolver):
    """Resolves names, and refuses those that lead inside: what was checked is what is connected to."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        inside = [one["host"] for one in found if not ipaddress.ip_address(one["host"]).is_global]
        if inside:
            raise OSError(f"{host} leads to {inside[0]}, which is an address inside")
        return found

    async def close(self) -> None:
        await self._inner.close()


@dataclass(frozen=True)
class Remotes:
    """Asks remotes. `inside`: hosts that may be inside all the same (the platform's own, and those allowed)."""

    inside: frozenset[str] = frozenset()

    async def head(self, url: str, ref: str, user: str = "", password: str = "") -> str | None:
        """The commit of a ref; None when the remote has no such ref. RemoteUnknown when it can't be asked."""
        host = urlsplit(url).hostname or ""
        headers = {"Git-Protocol": "version=2", "User-Agent": "git/slipway"}
        if password:
            headers["Authorization"] = aiohttp.encode_basic_auth(user, password)
        if host not in self.inside and is_internal(host):
            raise RemoteUnknown(f"{host} is a host inside: it is not asked.", host=host)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), self._session(host) as session:
                return await _ask(session, url.rstrip("/"), ref, headers)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise RemoteUnknown(f"{host} can't be asked for {ref}: {reason}.", host=host) from error

    def _session(self, host: str) -> aiohttp.ClientSession:
        # Literal addresses pass no resolver: those are refused before.
        resolver: Any = None if host in self.inside else PublicOnly()
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, force_close=True),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            auto_decompress=True,
        )


async def _ask(session: aiohttp.ClientSession, url: str, ref: str, headers: dict[str, str]) -> str | None:
    """Protocol version 2 with `ls-refs`; a remote that only speaks the old one has told all refs already."""
    refs = f"{url}/info/refs?service=git-upload-pack"
    async with session.get(refs, headers=headers, allow_redirects=False) as answer:
        lines = packets(await _read(answer))
    if not any(line == b"version 2" for line in lines):
        return find(lines, ref)
    body = packet(LS_REFS) + b"0001" + packet(f"ref-prefix {ref}") + b"0000"
    headers = headers | {"Content-Type": "application/x-git-upload-pack-request"}
    pack = f"{url}/git-upload-pack"
    async with session.post(pack, data=body, headers=headers, allow_redirects=False) as answer:
        return find(packets(await _read(answer)), ref)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    if answer.status != 200:
        raise ValueError(f"it answers {answer.status}")
    data = bytearray()
    async for chunk in answer.content.iter_chunked(65_536):
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            raise ValueError("it answers with too much")
    return bytes(data)


def packet(text: str) -> bytes:
    """A line of Git's protocol: its length in hexadecimal, itself included, then the text."""
    return f"{len(text) + 5:04x}{text}\n".encode()


def packets(data: bytes) -> list[bytes]:
    """The lines of an answer, without their lengths; ValueError for what is none."""
    lines, at = [], 0
    while at < len(data):
        length = int(data[at : at + 4], 16)
        if length < 4:
            at += 4
            continue
        lines.append(data[at + 4 : at + length].rstrip(b"\n"))
        at += length
    return lines


def find(lines: list[bytes], ref: str) -> str | None:
    """The commit of exactly this ref."""
    for line in lines:
        words = line.split(b"\0")[0].split(b" ")
        if len(words) >= 2 and words[1] == ref.encode() and len(words[0]) in (40, 64):
            return words[0].decode()
    return None
