"""Requests to hosts that users name: no address inside, unless the host is ours or allowed; no redirects, no proxies.

What was checked is what is connected to: names are resolved by us, and a name that leads inside is refused there.
"""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from slipway_core.git_sources import is_internal

CHUNK_BYTES = 65_536
FAILURES = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
"""What a request to a host outside may end with."""


class PublicOnly(AbstractResolver):
    """Resolves names, and refuses those that lead inside."""

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
class Outgoing:
    """`inside`: hosts that may be inside all the same (the platform's own, and those allowed)."""

    inside: frozenset[str] = frozenset()

    def may_ask(self, host: str) -> bool:
        """Literal addresses pass no resolver: those that lead inside are told here."""
        return bool(host) and (host in self.inside or not is_internal(host))

    def session(self, host: str, timeout_seconds: float) -> aiohttp.ClientSession:
        """A session for this host alone."""
        resolver: Any = None if host in self.inside else PublicOnly()
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, force_close=True),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            auto_decompress=True,
        )


async def read_at_most(answer: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    """The body; ValueError when it is larger."""
    data = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
        data += chunk
        if len(data) > limit_bytes:
            raise ValueError("it answers with too much")
    return bytes(data)


def why(error: BaseException, timeout_seconds: float) -> str:
    """In a few words, for people."""
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return f"it did not answer within {timeout_seconds:g} s"
    return str(error) or type(error).__name__
