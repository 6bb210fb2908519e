"""One connection to a port of a service, with the face of a terminal: fed, paused, ended in the same way.

Invariant: only ports on which the service's own processes listen are reached; the client names a service, never a host.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

READ_BYTES = 64 * 1024
INPUT_BYTES = 256 * 1024
CONNECT_SECONDS = 5.0

Output = Callable[[bytes, bool], None]


async def connected(port: int) -> "Forward":
    """A connection to a port of this machine; OSError when nobody takes it."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=READ_BYTES)
    except TimeoutError as error:
        raise OSError(None, "no answer") from error
    return Forward(reader, writer)


class Forward:
    """An open connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._reading = asyncio.Event()
        self._reading.set()
        self._exit_code: int | None = None
        self._on_output: Output = lambda data, stderr: None
        self._on_exit: Callable[[int], None] = lambda code: None
        self._task: asyncio.Task[None] | None = None

    def listen(self, on_output: Output, on_exit: Callable[[int], None]) -> None:
        """From now on tell what comes from the service, and when it has ended."""
        self._on_output, self._on_exit = on_output, on_exit
        self._task = asyncio.create_task(self._read(), name="forward")

    async def _read(self) -> None:
        code = 0
        try:
            while True:
                await self._reading.wait()
                data = await self._reader.read(READ_BYTES)
                if not data:
                    break
                self._on_output(data, False)
        except (OSError, asyncio.CancelledError):
            code = 1
        self._exit_code = code
        self._writer.close()
        self._on_exit(code)

    def pause(self) -> None:
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    def write(self, data: bytes) -> bool:
        """Send to the service. False when it has not taken what it got before."""
        if self._writer.transport.get_write_buffer_size() + len(data) > INPUT_BYTES:
            return False
        if not self._writer.is_closing():
            self._writer.write(data)
        return True

    def eof(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write_eof()

    def resize(self, columns: int, rows: int) -> None:
        """A connection has no size."""

    def signal(self, name: str) -> bool:
        """A connection takes no signals."""
        return False

    def hang_up(self) -> None:
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self.running:
            linger = b"\x01\0\0\0\0\0\0\0"  # a reset: what was sent and not taken is thrown away
            raw = self._writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            if self._task is not None:
                self._task.cancel()

    @property
    def running(self) -> bool:
        return self._exit_code is None
