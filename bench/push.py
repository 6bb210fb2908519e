"""From `git push` to the new version served, beside the same work done by hand."""

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from bench.table import Row
from slipway_testing.platform import REPOSITORY, Application, free_port, git, platform, run

ROUNDS = 5


async def measure(options: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="slipway bench ") as directory:
        root = Path(directory)
        async with platform(root / "home", "--no-demo", "--no-console") as running:
            environment = await running.project("bench")
            python = await environment.application("python", demo_files("web"), root / "work")
            site = await environment.application("site", {"index.html": "version 0\n"}, root / "work")
            ours_python = await rounds(python, "app.py", "VERSION")
            ours_static = await rounds(site, "index.html", "")
        by_hand = statistics.median([await python_by_hand(python.directory, root / f"hand{i}") for i in range(3)])
        copied = statistics.median([await static_by_hand(site.directory, root / f"copy{i}") for i in range(3)])
    return [
        Row(
            "push to new version served, Python demo, cached", ours_python, "s", by_hand, "clone, pip, start by hand", 6
        ),
        Row("push to new version served, static site", ours_static, "s", copied, "clone and copy by hand", 3),
    ]


def demo_files(name: str) -> dict[str, str]:
    root = REPOSITORY / "demo" / name
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


async def rounds(application: Application, file: str, marker: str) -> float:
    """Median seconds from the start of the push until the page shows the new text."""
    await application.deployed(await application.push(), timeout_seconds=300)
    label = await application.label()
    seconds = []
    for number in range(1, ROUNDS + 1):
        text = f"bench-{number}-{time.time_ns()}"
        path = application.directory / file
        path.write_text(changed(path.read_text(), marker, text))
        began = time.monotonic()
        await application.push()
        while text not in (await application.environment.platform.page(label))[1]:
            if time.monotonic() - began > 120:
                raise RuntimeError(f"{application.name} did not show {text} within 120 s")
            await asyncio.sleep(0.02)
        seconds.append(time.monotonic() - began)
    return statistics.median(seconds)


def changed(source: str, marker: str, text: str) -> str:
    """The file with a new text: the whole page, or the value of the constant named by `marker`."""
    if not marker:
        return f"<!doctype html><p>{text}</p>\n"
    lines = [f'{marker} = "{text}"' if line.startswith(f"{marker} = ") else line for line in source.splitlines()]
    return "\n".join(lines) + "\n"


async def python_by_hand(repository: Path, directory: Path) -> float:
    """Clone, make a virtual environment, install, start, first answer; package caches warm."""
    port = free_port()
    began = time.monotonic()
    await run("git", "clone", "-q", str(repository), str(directory))
    await run(sys.executable, "-m", "venv", "--without-pip", str(directory / "venv"))
    python = str(directory / "venv/bin/python")
    wheel = next((REPOSITORY / "bootstrap").glob("pip-*.whl"))
    await run(python, f"{wheel}/pip", "install", "-q", "-r", str(directory / "requirements.txt"))
    env = dict(os.environ) | {"PORT": str(port)}
    process = await asyncio.create_subprocess_exec(python, "app.py", cwd=directory, env=env)
    try:
        await answers(port)
        return time.monotonic() - began
    finally:
        process.terminate()
        await process.wait()


async def static_by_hand(repository: Path, directory: Path) -> float:
    began = time.monotonic()
    await run("git", "clone", "-q", str(repository), str(directory))
    await asyncio.to_thread(shutil.copytree, directory, f"{directory}-served")
    await git(directory, "rev-parse", "HEAD")
    return time.monotonic() - began


async def answers(port: int) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/") as answer:
                    await answer.read()
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.02)
