"""Listening: open a server on a port, and close it so that no request is lost."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from slipway_errors import Fault, Kind
from slipway_http.server import Server

BACKLOG = 1024
DRAIN_SECONDS = 15.0


class PortTaken(Fault):
    """The port is in use by another program."""

    kind = Kind.CONFLICT
    code = "server.port_taken"


class Serving:
    """An open server."""

    def __init__(self, server: Server, low: web.Server, listener: asyncio.Server) -> None:
        self._server = server
        self._low = low
        self._listener = listener

    @property
    def port(self) -> int:
        """The port, also where 0 asked for a free one."""
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def begin_stop(self) -> None:
        """Say not ready from now on; requests are still answered."""
        self._server.ready = False

    async def close(self, drain_seconds: float = DRAIN_SECONDS) -> None:
        """Take no more connections, finish what was begun, then cut off what is left."""
        await self.begin_stop()
        self._listener.close()
        # What the kernel has accepted already must reach its handler before idle connections are closed.
        await asyncio.sleep(0)
        self._low.pre_shutdown()
        await self._low.shutdown(drain_seconds)


@asynccontextmanager
async def serve_http(
    server: Server, host: str, port: int, *, reuse_port: bool = False, drain_seconds: float = DRAIN_SECONDS
) -> AsyncIterator[Serving]:
    """Listen until the end of the block. `reuse_port`: other workers listen on the same port."""
    low = web.Server(server.handle, access_log=None)
    loop = asyncio.get_running_loop()
    try:
        listener = await loop.create_server(low, host, port, backlog=BACKLOG, reuse_port=reuse_port or None)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortTaken(f"Can't listen on {host}:{port}: {error.strerror}.", port=port) from error
        raise
    serving = Serving(server, low, listener)
    try:
        yield serving
    finally:
        await serving.close(drain_seconds)
