"""The service's side of the hook: note what was pushed, tell it on, and say to the pusher what came of it."""

import asyncio
import contextlib
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import structlog

from slipway_git.deliveries import Deliveries, Moved
from slipway_git.links import Links
from slipway_git.progress import Progress, Say
from slipway_git.repositories import NOTHING

HOOK = Path(__file__).with_name("hook.py")
ANSWER_SECONDS = 30.0
SHOWN = 10
HEADS = "refs/heads/"
log = structlog.get_logger()


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """What the hook says."""

    repository: str
    pusher: str
    push: str = ""
    """Id of the transfer that it came by."""


def write_hooks(directory: Path) -> Path:
    """The directory for core.hooksPath, with our hook in it."""
    hooks = directory / "hooks"
    hooks.mkdir(mode=0o700, parents=True, exist_ok=True)
    hook = hooks / "post-receive"
    hook.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(HOOK))}\n")
    hook.chmod(0o700)
    return hooks


@asynccontextmanager
async def hook_socket(
    deliveries: Deliveries, public_url: str, links: Links | None = None, progress: Progress | None = None
) -> AsyncIterator[Path]:
    """Answer hooks at a Unix socket (in a short directory of its own: their paths are limited to 108 bytes)."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\n".encode())
            await writer.drain()

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                pushed = msgspec.json.decode(await reader.readline(), type=Pushed)
            await _answer(deliveries, pushed, public_url, links, progress, say)
        except (TimeoutError, ConnectionError, msgspec.DecodeError, ValueError) as error:
            log.warning("hook not answered", reason=repr(error))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    with tempfile.TemporaryDirectory(prefix="slipway-git-") as directory:
        path = Path(directory) / "hook.sock"
        server = await asyncio.start_unix_server(connected, path)
        try:
            yield path
        finally:
            server.close()


async def _answer(
    deliveries: Deliveries, pushed: Pushed, public_url: str, links: Links | None, progress: Progress | None, say: Say
) -> None:
    """Note what moved, tell it on, and show what comes of it."""
    service_id = pushed.repository.removesuffix(".git")
    async with asyncio.timeout(ANSWER_SECONDS):
        pending = await deliveries.look(service_id, pushed.pusher)
    shown = progress is not None and pushed.push not in progress.quiet
    link = links.of_service(service_id) if links and shown else None
    branches = {moved.after for moved in pending if moved.ref.startswith(HEADS)} - {NOTHING}
    async with AsyncExitStack() as stack:
        watch = await stack.enter_async_context(progress.watching(link, branches)) if link and progress else None
        async with asyncio.timeout(ANSWER_SECONDS):
            taken = set(await deliveries.send(service_id))
        lines = [_line(moved, moved.id in taken) for moved in pending[:SHOWN]]
        for line in ["", *lines, f"Follow it at {public_url.rstrip('/')}/", ""] if lines else []:
            await say(line)
        if watch is not None and taken:
            await watch.show(say)
            await say("")


def _line(moved: Moved, taken: bool) -> str:
    name = moved.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    if not taken:
        return f"{name}: kept; it is handled as soon as the platform can take it"
    if moved.after == NOTHING:
        return f"{name}: deletion noted"
    return f"{name}: {moved.after[:8]} is on its way to the services that follow it"
