"""Memory and CPU of the whole platform when nobody uses it, without workloads."""

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Any

import psutil

from bench.table import Row
from slipway_testing.platform import platform, proportional_memory_bytes

SERVERS = ("nats", "postgres", "valkey", "caddy")
MIB = 1024 * 1024
WATCHED_SECONDS = 30


async def measure(options: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="slipway bench ") as directory:
        async with platform(Path(directory) / "home", "--no-demo", "--no-console") as running:
            await asyncio.sleep(20)  # let the start's own work settle
            status = await running.status()
            everything, servers = families(status), families(status, SERVERS)
            before = cpu_seconds(everything)
            await asyncio.sleep(WATCHED_SECONDS)
            percent = (cpu_seconds(everything) - before) / WATCHED_SECONDS * 100
            memory, base = proportional_memory_bytes(everything), proportional_memory_bytes(servers)
    return [
        Row("memory of the idle platform (sum of PSS)", memory / MIB, "MiB", base / MIB, "the four servers", 700),
        Row("CPU of the idle platform, of one core", percent, "%", goal=5),
    ]


def families(status: dict[str, Any], names: tuple[str, ...] = ()) -> list[int]:
    """The pids of the platform's processes and their children; of the named ones only, if names are given."""
    chosen = [process["pid"] for name, process in status["processes"].items() if not names or name in names]
    if not names:
        chosen.append(status["supervisor_pid"])
    pids: set[int] = set()
    for pid in chosen:
        process = psutil.Process(pid)
        pids |= {pid, *(child.pid for child in process.children(recursive=True))}
    return sorted(pids)


def cpu_seconds(pids: list[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids if psutil.pid_exists(pid)]
    return sum(each.user + each.system for each in times)
