"""A terminal in a service over /shell/exec, with the sub-protocol of Kubernetes (v5.channel.k8s.io).

Each frame begins with its channel: 0 stdin, 1 stdout, 2 stderr, 3 the end as JSON, 4 resize, 255 half-close.
"""

import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
import termios
import tty
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any
from urllib.parse import urlencode

import aiohttp

from slipway_cli.api import Client
from slipway_cli.names import Service
from slipway_cli.output import say

PROTOCOL = "v5.channel.k8s.io"
STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
READ_BYTES = 32 * 1024


@contextlib.contextmanager
def raw_terminal() -> Iterator[bool]:
    """Keys go to the other side as they are, Ctrl-C too; the terminal is as before afterwards."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield False
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor, termios.TCSANOW)
    try:
        yield True
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


async def open_shell(client: Client, service: Service, command: list[str]) -> int:
    """Run a terminal session until its end; the remote exit code."""
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    columns, rows = terminal_size()
    query: list[tuple[str, str]] = [
        ("organization", service.organization_id),
        ("environment", service.environment_id),
        ("cluster", service.cluster_id),
        ("service", service.id),
        ("tty_width", str(columns)),
        ("tty_height", str(rows)),
        ("tty", "true" if interactive else "false"),
        *(("command", part) for part in command),
    ]
    socket = await client.websocket("/shell/exec?" + urlencode(query), PROTOCOL)
    async with socket:
        with raw_terminal():
            return await _Session(socket, interactive).run()


def terminal_size() -> tuple[int, int]:
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return 80, 24
    return size.columns, size.lines


class _Session:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse, interactive: bool) -> None:
        self._socket = socket
        self._interactive = interactive
        self._sends: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        typing = asyncio.create_task(self._send_input())
        if self._interactive:
            loop.add_signal_handler(signal.SIGWINCH, self._resized)
            self._resized()
        try:
            return await self._show_output()
        finally:
            typing.cancel()
            if self._interactive:
                loop.remove_signal_handler(signal.SIGWINCH)

    async def _show_output(self) -> int:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel in (STDOUT, STDERR):
                await asyncio.to_thread(_write, channel, data)
            elif channel == STATUS:
                return exit_code(json.loads(data))
        say(f"\r\nThe session ended: {self._socket.close_code}")
        return 1

    async def _send_input(self) -> None:
        """What is typed, or piped in: its end is passed on, so that programs which read to the end come to one."""
        if sys.stdin is not None:
            async with aclosing(_chunks(sys.stdin.fileno())) as typed:
                async for data in typed:
                    await self._socket.send_bytes(bytes([STDIN]) + data)
        await self._socket.send_bytes(bytes([CLOSE, STDIN]))

    def _resized(self) -> None:
        columns, rows = terminal_size()
        frame = bytes([RESIZE]) + json.dumps({"Width": columns, "Height": rows}).encode()
        task = asyncio.create_task(self._socket.send_bytes(frame))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)


async def _chunks(descriptor: int) -> AsyncGenerator[bytes, None]:
    """What comes in. The descriptor stays blocking: a terminal's is shared with stdout, which has to block."""
    kind = os.fstat(descriptor).st_mode
    waits = stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or os.isatty(descriptor)
    while True:
        if waits:
            await _readable(descriptor)
        data = await asyncio.to_thread(os.read, descriptor, READ_BYTES)
        if not data:
            return
        yield data


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


def exit_code(status: dict[str, Any]) -> int:
    """The remote exit code in Kubernetes' Status object."""
    if status.get("status") == "Success":
        return 0
    for cause in status.get("details", {}).get("causes", []):
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    say(f"\r\n{status.get('message') or 'The session failed.'}")
    return 1


def _write(channel: int, data: bytes) -> None:
    target = sys.stdout if channel == STDOUT else sys.stderr
    target.buffer.write(data)
    target.buffer.flush()
