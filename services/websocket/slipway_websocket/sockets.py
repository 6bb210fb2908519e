"""One client's socket: whole frames go straight to its transport, and what it doesn't take is bounded.

A frame is made once for all clients of a channel and written without a task or a copy per client. aiohttp reads,
answers pings and closes; both write whole frames to the same transport, so they don't disturb each other.
"""

import asyncio
import time
from typing import Any

from aiohttp import web

CLOGGED_SECONDS = 0.05
CLOSE_SECONDS = 2.0
"""How long a client may take to answer our close."""


def text_frame(payload: bytes) -> bytes:
    """A server's text message (RFC 6455 §5.2): unmasked, unfragmented, uncompressed."""
    length = len(payload)
    if length < 126:
        return b"\x81%c%b" % (length, payload)
    if length < 65536:
        return b"\x81\x7e%b%b" % (length.to_bytes(2, "big"), payload)
    return b"\x81\x7f%b%b" % (length.to_bytes(8, "big"), payload)


class Socket:
    """An open WebSocket."""

    __slots__ = ("_buffer_bytes", "_closing", "_transport", "_ws", "clogged_since")

    def __init__(self, ws: web.WebSocketResponse, transport: asyncio.Transport, buffer_bytes: int) -> None:
        self._ws = ws
        self._transport = transport
        self._buffer_bytes = buffer_bytes
        self._closing: asyncio.Task[Any] | None = None
        self.clogged_since = 0.0
        """Monotonic time since when more waits for the client than may; 0 when it doesn't."""

    @property
    def open(self) -> bool:
        return self._closing is None and not self._transport.is_closing()

    @property
    def clogged(self) -> bool:
        """Whether more waits for the client than may: nothing else should be written now."""
        if self._transport.get_write_buffer_size() <= self._buffer_bytes:
            self.clogged_since = 0.0
            return False
        if not self.clogged_since:
            self.clogged_since = time.monotonic()
        return True

    def write(self, frame: bytes) -> None:
        """Hand over a frame made by `text_frame`; it goes out when the client takes it."""
        if self.open:
            self._transport.write(frame)

    def send(self, payload: bytes) -> None:
        """A message for this client alone."""
        self.write(text_frame(payload))

    def close(self, code: int, reason: str) -> None:
        """End the connection with a code. Returns at once."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason), name="close socket")

    async def taken(self) -> None:
        """Wait until the client takes messages, or is gone."""
        while self.open and self.clogged:  # noqa: ASYNC110 a transport's buffer has no event for our own bound
            await asyncio.sleep(CLOGGED_SECONDS)

    async def closed(self) -> None:
        """Wait for the end of a close that was begun."""
        if self._closing is not None:
            await asyncio.wait({self._closing}, timeout=2 * CLOSE_SECONDS)

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._ws.close(code=code, message=reason.encode()[:120])
        except (TimeoutError, ConnectionError):
            self.abort()

    def abort(self) -> None:
        """Cut the connection off."""
        self._transport.abort()


async def open_socket(
    request: web.Request,
    *,
    message_bytes: int,
    buffer_bytes: int,
    protocols: tuple[str, ...] = (),
    heartbeat: float | None = None,
) -> tuple[web.WebSocketResponse, Socket]:
    """Answer the handshake. Compression is off: a frame is the same for all, and nothing can be blown up by it."""
    ws = web.WebSocketResponse(
        timeout=CLOSE_SECONDS,
        heartbeat=heartbeat,
        max_msg_size=message_bytes,
        compress=False,
        protocols=protocols,
    )
    await ws.prepare(request)
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client went away")
    return ws, Socket(ws, transport, buffer_bytes)
