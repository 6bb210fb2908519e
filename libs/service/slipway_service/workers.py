"""Worker processes of one service that share a port; the first process only starts and watches them.

A worker that dies is started again, unless it died young: then the fault is in the start and everything ends.
Workers end when their parent does, however it ends: they hold the read end of a pipe whose write end it keeps.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable

import structlog

NUMBER = "SLIPWAY_WORKER_NUMBER"
PIPE = "SLIPWAY_WORKER_PIPE"
YOUNG_SECONDS = 5.0
log = structlog.get_logger()


def worker_number() -> int | None:
    """The number of this worker (from 0), or None in a process that serves alone or watches workers."""
    text = os.environ.get(NUMBER, "")
    return int(text) if text else None


def parent_gone(callback: Callable[[], None]) -> None:
    """In a worker: call this when the watching process is gone. Elsewhere: nothing."""
    text = os.environ.get(PIPE, "")
    if not text:
        return
    loop = asyncio.get_running_loop()
    descriptor = int(text)

    def ended() -> None:
        loop.remove_reader(descriptor)
        callback()

    loop.add_reader(descriptor, ended)


async def run_workers(count: int, stop_seconds: float) -> int:
    """Keep `count` workers running until a signal comes; the exit code of the service."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    read_end, write_end = os.pipe()
    try:
        keepers = [asyncio.create_task(_keep(number, read_end, stopping, stop_seconds)) for number in range(count)]
        codes = await asyncio.gather(*keepers)
    finally:
        os.close(write_end)
        os.close(read_end)
    return max(codes)


async def _keep(number: int, pipe: int, stopping: asyncio.Event, stop_seconds: float) -> int:
    while True:
        started = time.monotonic()
        code = await _run_one(number, pipe, stopping, stop_seconds)
        if stopping.is_set():
            return code
        log.error("worker died", worker=number, exit_code=code)
        if time.monotonic() - started < YOUNG_SECONDS:
            stopping.set()
            return code or 1


async def _run_one(number: int, pipe: int, stopping: asyncio.Event, stop_seconds: float) -> int:
    environment = {**os.environ, NUMBER: str(number), PIPE: str(pipe)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *sys.orig_argv[1:], env=environment, pass_fds=(pipe,)
    )
    ended = asyncio.ensure_future(process.wait())
    stop = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not ended.done():
        process.terminate()
        # Three phases of the worker's own end have a limit each.
        await asyncio.wait({ended}, timeout=3 * stop_seconds + 5)
    if not ended.done():
        process.kill()
    code = await ended
    # Told to stop before it could listen for signals: that is an orderly end too.
    return 0 if code == -signal.SIGTERM and stopping.is_set() else abs(code)
