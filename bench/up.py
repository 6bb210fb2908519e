"""From a fresh clone to a served demo, and a start with everything in place."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from bench.table import Row
from slipway_testing.platform import REPOSITORY, Platform, run


async def measure(options: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="slipway bench ") as directory:
        root = Path(directory)
        baseline = await install_alone(root / "baseline")
        empty = await first_up(root / "empty", dict(os.environ) | {"HOME": str(root / "empty home")})
        cached, warm = await first_and_warm_up(root / "cached")
    return [
        Row("first up to a served demo, package caches warm", cached, "s", baseline, "locked requirements alone", 90),
        Row("first up to a served demo, empty home", empty, "s", baseline, "locked requirements alone", 240),
        Row("warm up", warm, "s", baseline, "locked requirements alone", 8),
    ]


async def install_alone(directory: Path) -> float:
    """Seconds that pip takes for the locked requirements in a new virtual environment, caches warm."""
    wheel = next((REPOSITORY / "bootstrap").glob("pip-*.whl"))
    began = time.monotonic()
    await run(sys.executable, "-m", "venv", "--without-pip", str(directory))
    python = str(directory / "bin" / "python")
    lock = str(REPOSITORY / "requirements.lock")
    await run(python, f"{wheel}/pip", "install", "-q", "-r", lock, timeout_seconds=600)
    return time.monotonic() - began


async def clone(directory: Path) -> Path:
    await run("git", "clone", "-q", str(REPOSITORY), str(directory))
    return directory / "slipway"


async def first_up(directory: Path, env: dict[str, str]) -> float:
    Path(env["HOME"]).mkdir(parents=True, exist_ok=True)
    platform = Platform(directory / ".slipway", script=await clone(directory), env=env)
    try:
        return await timed_up(platform)
    finally:
        await platform.down()
        shutil.rmtree(directory)


async def first_and_warm_up(directory: Path) -> tuple[float, float]:
    platform = Platform(directory / ".slipway", script=await clone(directory))
    try:
        first = await timed_up(platform)
        await platform.down()
        return first, await timed_up(platform)
    finally:
        await platform.down()


async def timed_up(platform: Platform) -> float:
    """Seconds of `slipway up` until the demo's page answers."""
    async with aiohttp.ClientSession() as platform.session:
        began = time.monotonic()
        await platform.up(timeout_seconds=900)
        seconds = time.monotonic() - began
        status = await platform.status()
        code, _ = await platform.page(status["demo"].split("://")[1].split(".")[0])
        if code != 200:
            raise RuntimeError(f"the demo at {status['demo']} answered {code}")
        return seconds
