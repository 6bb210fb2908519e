"""Run one command to its end: arguments as a list, an environment of its own, output by lines, time and disk limited.

Invariant: when the wait ends, for whatever reason, the command and all that it started have ended too.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from slipway_engine.problems import TaskFailed
from slipway_workloads import processes

CHUNK_BYTES = 64 * 1024
LINE_BYTES = 16 * 1024
WATCH_SECONDS = 2.0


class TookTooLong(TaskFailed):
    """A command took too long."""

    code = "build.timeout"


class TookTooMuchDisk(TaskFailed):
    """A build took too much disk."""

    code = "build.disk"


class TookTooMuchMemory(TaskFailed):
    """A build took too much memory."""

    code = "build.memory"


async def run_command(
    argv: list[str],
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    *,
    timeout_seconds: float,
    cwd: str | Path = "/",
    disk: tuple[Path, int] | None = None,
    memory_bytes: int = 0,
) -> int:
    """The command's exit code (128 + signal when it was killed). `disk`: a directory and how large it may become."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=dict(environment),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    watching = asyncio.ensure_future(_watch(process.pid, disk, memory_bytes)) if disk else None
    try:
        async with asyncio.timeout(timeout_seconds):
            await _read_lines(process, on_line)
            code = await process.wait()
    except TimeoutError:
        raise TookTooLong(f"A command took longer than {timeout_seconds:.0f} seconds and was ended.") from None
    finally:
        await _end(process)
        if watching is not None:
            watching.cancel()
    if watching is not None and watching.done() and not watching.cancelled():
        watching.result()
    return code if code >= 0 else 128 - code


async def _end(process: asyncio.subprocess.Process) -> None:
    """Also what the command left behind in its process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            await process.wait()


async def _read_lines(process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
    assert process.stdout is not None
    rest = b""
    while chunk := await process.stdout.read(CHUNK_BYTES):
        *lines, rest = (rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            on_line(_text(line))
        while len(rest) > LINE_BYTES:
            on_line(_text(rest[:LINE_BYTES]))
            rest = rest[LINE_BYTES:]
    if rest:
        on_line(_text(rest))


def _text(line: bytes) -> str:
    """A progress bar overwrites itself with carriage returns: its last state is the line."""
    return line.decode(errors="replace").rstrip("\r").rpartition("\r")[2].replace("\0", "")


async def _watch(pid: int, disk: tuple[Path, int], memory_bytes: int) -> None:
    """End the command when it takes too much; what is raised here explains its end."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        fault = await asyncio.to_thread(_too_much, pid, disk, memory_bytes)
        if fault is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            raise fault


def _too_much(pid: int, disk: tuple[Path, int], memory_bytes: int) -> TaskFailed | None:
    directory, limit_bytes = disk
    if disk_bytes(directory) > limit_bytes:
        return TookTooMuchDisk(f"The build took more than {limit_bytes // 1024**2} MiB of disk and was ended.")
    if memory_bytes and processes.resident_bytes(processes.descendants(pid)) > memory_bytes:
        return TookTooMuchMemory(f"The build took more than {memory_bytes // 1024**2} MiB of memory and was ended.")
    return None


def disk_bytes(directory: Path) -> int:
    """What a tree takes on disk; links are not followed."""
    total = 0
    for folder, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return total
