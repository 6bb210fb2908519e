"""nats-py's client with the few things changed that Slipway can't live with, and the errors in our own words.

nats-py closes for ever on any protocol error but two, an authorization error after a reconnect among them; ours
reconnects. It reports a refused subject as text only; ours tells which subject it was. Its flush() overtakes what was
published before; ours doesn't.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Any

import msgspec
from nats import errors
from nats.aio.client import PING_PROTO, Client, Srv
from nats.aio.msg import Msg

from slipway_errors import Busy, Fault, Forbidden, NotFound, Unavailable

Payload = dict[str, Any]

_REFUSED = re.compile(r'permissions violation for (publish|subscription) to "([^"]+)"', re.IGNORECASE)
_STREAM_BUSY = {10167, 10077, 10047}
"""Server error codes: too many requests in flight, stream limits, no storage left."""
_NOT_FOUND = {10014, 10037, 10059}
"""Server error codes: consumer, message, stream not found."""


class BusRefused(Forbidden):
    """The bus doesn't allow this user that subject."""

    code = "bus.forbidden"


class ReconnectingClient(Client):
    """A client that only its owner closes."""

    on_refused: Callable[[str], None] | None = None
    """Told the subject, in lower case: nats-py reads errors so."""

    async def _process_err(self, err_msg: str) -> None:
        refused = _REFUSED.search(err_msg)
        if refused and self.on_refused is not None:
            self.on_refused(refused[2])
        if "permissions violation" in err_msg.lower():
            await self._error_cb(errors.Error(err_msg))
            return
        await self._process_op_err(errors.Error(err_msg))

    async def close(self) -> None:
        try:
            await super().close()
        finally:
            # A client that was cancelled while it connected counts as closed, with its socket open.
            await self._close_transport()

    async def _connect_to_server(self, s: Srv) -> None:
        # nats-py forgets the connection of an attempt that failed half-way, and leaves it open.
        await self._close_transport()
        await super()._connect_to_server(s)

    async def _close_transport(self) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        # One that never came up has nothing to close.
        with contextlib.suppress(Exception):
            transport.close()  # type: ignore[no-untyped-call]
            await transport.wait_closed()  # type: ignore[no-untyped-call]

    async def _send_ping(self, future: "asyncio.Future[Any] | None" = None) -> None:
        # nats-py writes a ping past what is still to be sent, so that its flush() is no barrier; this one is.
        self._pongs.append(future or asyncio.get_running_loop().create_future())
        await self._send_command(PING_PROTO)
        await self._flush_pending()

    def write_soon(self, commands: bytes) -> None:
        """Send ready-made commands, behind everything published before, without waiting for the flusher's turn."""
        if self._pending or self._transport is None or not self.is_connected:
            self._pending.append(commands)
            self._pending_data_size += len(commands)
            if self._flush_queue is not None and self._flush_queue.empty():
                self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())
        else:
            self._transport.write(commands)

    async def _process_pong(self) -> None:
        # A flush that timed out has cancelled its future; answering it would end the read loop.
        if self._pongs and self._pongs[0].done():
            self._pongs.pop(0)
            self._pings_outstanding = 0
            return
        await super()._process_pong()


def status_of(message: Msg) -> str:
    """The status a server put in place of a payload ("404", "408", "503"), or nothing."""
    return (message.headers or {}).get("Status", "")


def fault_of_server(error: Payload, doing: str) -> Fault:
    """What a JetStream error means to us."""
    detail = f"The bus refused to {doing}: {error.get('description', 'unknown error')}."
    code = error.get("err_code", 0)
    if code in _NOT_FOUND:
        return NotFound(detail, err_code=code)
    if code in _STREAM_BUSY:
        return Busy(detail, err_code=code)
    return Unavailable(detail, err_code=code)


def decode_reply(data: bytes, doing: str) -> Payload:
    """The JSON answer of the JetStream API; an error in it is raised as a fault."""
    try:
        reply: Payload = msgspec.json.decode(data, type=dict)
    except msgspec.DecodeError as error:
        raise Unavailable(f"The bus answered with something unreadable when asked to {doing}.") from error
    if "error" in reply:
        raise fault_of_server(reply["error"], doing)
    return reply
