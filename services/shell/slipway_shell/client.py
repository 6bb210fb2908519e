"""One socket of a session: a person's, or that of somebody who watches. A session may get another one after a break."""

import asyncio
import contextlib

from aiohttp import web

from slipway_shell.codes import Close
from slipway_shell.framing import Framing, Hello

WATCH_BYTES = 4 * 1024 * 1024
"""Output that may wait for somebody who watches; who is slower is let go."""


class Client:
    """A socket, and how it is spoken with."""

    def __init__(self, request: web.Request, ws: web.WebSocketResponse, framing: Framing, name: str) -> None:
        self.ws = ws
        self.framing = framing
        self.name = name
        self._request = request
        self.closed: asyncio.Future[Close] = asyncio.get_running_loop().create_future()
        """How the socket is to be closed, once that is known."""

    def close(self, close: Close) -> None:
        """Have the socket closed; what was decided first stays."""
        if not self.closed.done():
            self.closed.set_result(close)

    def abort(self) -> None:
        """Cut it off, so that nothing waits for it any more."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def send(self, message: bytes) -> None:
        """ConnectionError or RuntimeError when it is gone."""
        if message:
            await self.ws.send_bytes(message)

    async def tell(self, fact: dict[str, object] | Hello) -> None:
        """Something about the session itself, if the client has an ear for it."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.send(self.framing.told(fact))


class Watcher:
    """Sees what a session prints, from its beginning; changes nothing."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._news = asyncio.Event()

    def offer(self, data: bytes) -> None:
        """Something was printed."""
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._news.set()

    async def run(self, history: bytes) -> None:
        """Send what was before, then what comes, until the socket is to be closed or takes nothing any more."""
        self.offer(history)
        with contextlib.suppress(ConnectionError, RuntimeError):
            while not self.client.closed.done():
                await self._news.wait()
                self._news.clear()
                data, self._waiting, self._waiting_bytes = b"".join(self._waiting), [], 0
                if data:
                    await self.client.send(self.client.framing.output(data, stderr=False))

    @property
    def too_slow(self) -> bool:
        return self._waiting_bytes > WATCH_BYTES

    def end(self, close: Close) -> None:
        self.client.close(close)
        self._news.set()
