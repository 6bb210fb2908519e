"""Processes of a home that outlived their supervisor, after a kill -9: found, ended, waited for.

Every process of a platform carries the platform's home in its environment; what users deployed is known by its
launcher's arguments. A shell or an editor that merely works in that directory is nobody of ours.
"""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from slipway_cli.local.home import Home

MARK = "SLIPWAY_PLATFORM"
PATIENCE_SECONDS = 8.0
LAUNCHERS = (b"shim.py", b"bwrap")


def processes_of(home: Home) -> list[int]:
    """The processes that this home's platform started, directly or through its supervisors."""
    own = {os.getpid(), os.getppid()}
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdecimal())
    return [pid for pid in pids if pid not in own and _is_of(pid, home)]


def _is_of(pid: int, home: Home) -> bool:
    process = Path("/proc") / str(pid)
    try:
        arguments = (process / "cmdline").read_bytes().split(b"\0")
        if os.fsencode(home.supervisor_file) in arguments:
            return True
        launcher = any(os.path.basename(argument) in LAUNCHERS for argument in arguments[:5])
        below = os.fsencode(home.work) + b"/"
        if launcher and any(argument.startswith(below) for argument in arguments):
            return True
        return f"{MARK}={home.path}".encode() in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


async def end_leftovers(home: Home) -> int:
    """End them, politely first; the number there was."""
    found = processes_of(home)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes_of(home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while processes_of(home):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.05)
        else:
            break
    return len(found)
