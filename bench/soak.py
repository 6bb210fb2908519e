"""Memory of the platform after a time of requests, pushes and log lines."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import aiohttp

from bench.idle import MIB, families
from bench.table import Row
from slipway_testing import applications
from slipway_testing.platform import Application, platform, proportional_memory_bytes

REQUESTS_PER_SECOND = 50
REDEPLOY_SECONDS = 60


async def measure(options: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="slipway bench ") as directory:
        root = Path(directory)
        async with platform(root / "home", "--no-demo", "--no-console") as running:
            environment = await running.project("soak")
            web = await environment.application("web", applications.web("0"), root / "work")
            await web.deployed(await web.push())
            await asyncio.sleep(20)
            before = proportional_memory_bytes(control_plane(await running.status()))
            answered, failed = await load(web, options.seconds)
            after = proportional_memory_bytes(control_plane(await running.status()))
    hours = options.seconds / 3600
    return [
        Row(f"memory after {hours:.2f} h of load (sum of PSS)", after / MIB, "MiB", before / MIB, "before it", 700),
        Row("requests answered under load", answered, "requests"),
        Row("requests that failed", failed, "requests", goal=0),
    ]


def control_plane(status: dict) -> list[int]:
    """Everything but the workloads: the workloads' supervisor itself counts, its children don't."""
    without = {name: process for name, process in status["processes"].items() if name != "workloads"}
    pids = families(status | {"processes": without})
    workloads = status["processes"]["workloads"]["pid"]
    children = set(families({"processes": {"workloads": {"pid": workloads}}}, ("workloads",)))
    return sorted((set(pids) - children) | {workloads})


async def load(web: Application, seconds: float) -> tuple[int, int]:
    """Requests at a steady rate, half to the service and half to the API, and a redeploy every minute."""
    running, label = web.environment.platform, await web.label()
    began = time.monotonic()
    answered = failed = redeploys = 0
    async with aiohttp.ClientSession() as session:
        while (passed := time.monotonic() - began) < seconds:
            if passed > redeploys * REDEPLOY_SECONDS:
                redeploys += 1
                web.write(applications.web(str(redeploys)))
                await web.push()
            address = f"http://127.0.0.1:{running.port}"
            host = f"{label}.localhost:{running.port}"
            for url, headers in (
                (f"{address}/", {"Host": host}),
                (f"{address}/api/application/{web.id}", {"Authorization": f"Token {running.token}"}),
            ):
                async with session.get(url, headers=headers) as answer:
                    await answer.read()
                    answered += 1
                    failed += answer.status != 200
            await asyncio.sleep(2 / REQUESTS_PER_SECOND)
    return answered, failed
