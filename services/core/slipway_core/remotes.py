"""Asking a Git remote where a branch stands: one small request of Git's smart HTTP protocol, nothing is cloned.

The URL comes from users: only http and https, no redirects, and no address inside unless the host is ours or allowed.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from slipway_core.outgoing import FAILURES, Outgoing, read_at_most, why
from slipway_errors import Unavailable

TIMEOUT_SECONDS = 5.0
MAX_ANSWER_BYTES = 1024 * 1024
LS_REFS = "command=ls-refs"


class RemoteUnknown(Unavailable):
    """The Git remote could not be asked."""

    code = "git.remote_unknown"


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
        outgoing = Outgoing(self.inside)
        if not outgoing.may_ask(host):
            raise RemoteUnknown(f"{host} is a host inside: it is not asked.", host=host)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), outgoing.session(host, TIMEOUT_SECONDS) as session:
                return await _ask(session, url.rstrip("/"), ref, headers)
        except FAILURES as error:
            reason = why(error, TIMEOUT_SECONDS)
            raise RemoteUnknown(f"{host} can't be asked for {ref}: {reason}.", host=host) from error


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
    return await read_at_most(answer, MAX_ANSWER_BYTES)


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
