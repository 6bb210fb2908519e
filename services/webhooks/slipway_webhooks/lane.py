"""The short lane: a delivery that arrived whole is judged where its bytes arrive, and answered where its ack does.

aiohttp makes a request object, a stream writer, a task and several wake-ups for each request. A delivery needs none of
them: its parser's result is taken here. Everything else (a body in pieces, another route, a request behind another
one, anything odd) goes on to aiohttp's own way, untouched. Of aiohttp's inner parts four are used: the handler's
parser, its waiter (is it idle?), its time of closing, and the stream's buffer; `tests/service/webhooks/test_lane.py`
notices when a new aiohttp has them differently.
"""

import asyncio
from typing import Any, Protocol

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

KEEPALIVE_SECONDS = 75.0
WHOLE_BYTES = 48 * 1024
"""Bodies up to this size never make aiohttp's stream pause the connection."""


class Answered(Protocol):
    """Given the bytes of an answer, and whether the connection ends with it."""

    def __call__(self, answer: bytes, close: bool) -> None: ...


class Door(Protocol):
    """Who takes deliveries."""

    def take(self, message: RawRequestMessage, body: bytes, peer: str, answered: Answered) -> bool:
        """Take a whole request, and call `answered` once, now or later; False: not one of these."""


class Lane:
    """Stands before the parser of one connection."""

    def __init__(self, handler: RequestHandler, parser: Any, door: Door) -> None:
        self._handler = handler
        self._parser = parser
        self._door = door
        self._peer = ""
        self._busy = False
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def feed_data(self, data: bytes) -> tuple[Any, bool, bytes]:
        """As the parser's: what is taken here is not seen by the handler."""
        if self._busy:
            self._hold(data)
            return (), False, b""
        messages, upgraded, tail = self._parser.feed_data(data)
        if len(messages) == 1 and not upgraded and self._handler_is_idle():
            message, payload = messages[0]
            whole = payload.is_eof() and 0 < payload.total_bytes <= WHOLE_BYTES
            if whole and message.method == "POST" and self._taken(message, payload):
                return (), False, b""
        return messages, upgraded, tail

    def _handler_is_idle(self) -> bool:
        handler = self._handler
        return handler._waiter is not None and not handler._waiter.done() and not handler._messages

    def _taken(self, message: RawRequestMessage, payload: Any) -> bool:
        if not self._peer:
            peername = self._handler.peername
            self._peer = str(peername[0]) if isinstance(peername, tuple) else "-"
        # Read past the stream's own methods: they wake the parser, which has nothing to do.
        body = b"".join(payload._buffer)
        self._busy = True
        if not self._door.take(message, body, self._peer, self._answered):
            self._busy = False
            return False
        self._parser.message_consumed()
        handler = self._handler
        handler._next_keepalive_close_time = asyncio.get_running_loop().time() + KEEPALIVE_SECONDS
        return True

    def _answered(self, answer: bytes, close: bool) -> None:
        transport = self._handler.transport
        self._busy = False
        if transport is None or transport.is_closing():
            return
        transport.write(answer)
        if close:
            transport.close()
        elif self._held:
            held, self._held = self._held, b""
            transport.resume_reading()
            # Not from within the answer: many requests in one piece would go deeper and deeper.
            asyncio.get_running_loop().call_soon(self._handler.data_received, held)

    def _hold(self, data: bytes) -> None:
        """A sender that doesn't wait for its answer waits all the same."""
        self._held += data
        transport = self._handler.transport
        if data and transport is not None:
            transport.pause_reading()


class LaneServer(web.Server):
    """aiohttp's low-level server with a short lane."""

    def __init__(self, handler: Any, door: Door) -> None:
        super().__init__(handler, access_log=None, keepalive_timeout=KEEPALIVE_SECONDS)
        self._door = door

    def __call__(self) -> RequestHandler:
        handler = super().__call__()
        handler._parser = Lane(handler, handler._parser, self._door)  # type: ignore[assignment]
        return handler
