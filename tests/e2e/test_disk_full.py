"""The disk fills up under a running platform: it says so, what runs goes on, and with room again all is as before."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway_testing import applications
from slipway_testing.platform import Platform, git, platform, until

SIZE = "700m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, small enough to fill."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(directory)], check=False)
    if mounted.returncode:
        pytest.skip("filling a disk needs the right to mount a small one (root)")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(path: Path) -> None:
    """Take all the room that is left."""
    with path.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass


async def test_a_full_disk_is_said_and_survived(small_disk: Path, tmp_path: Path) -> None:
    async with platform(small_disk / "home", "--no-demo", "--no-console") as slipway:
        environment = await slipway.project("full")
        web = await environment.application("web", applications.web("before"), tmp_path / "work")
        assert (await web.deployed(await web.push()))["status"] == "DEPLOYED"
        label = await web.label()

        fill(small_disk / "ballast")
        assert await slipway.page(label) == (200, "before")
        web.write(applications.web("while full"))
        await git(web.directory, "add", "-A")
        await git(web.directory, "commit", "-q", "-m", "while full")
        refused = await git(web.directory, "push", "-q", "slipway", "main", check=False)
        assert "No space left" in refused.err
        assert "disk" in (await slipway.status())["problems"][0]
        assert await slipway.page(label) == (200, "before")

        (small_disk / "ballast").unlink()
        await until(lambda: answers(slipway, web.id), 90, "the API once there is room")
        web.write(applications.web("after"))
        deployment = await web.deployed(await web.push(), timeout_seconds=120)
        assert deployment["status"] == "DEPLOYED", deployment
        assert await slipway.page(label) == (200, "after")


async def answers(slipway: Platform, application_id: str) -> bool:
    async with slipway.session.get(
        f"http://127.0.0.1:{slipway.port}/api/application/{application_id}",
        headers={"Authorization": f"Token {slipway.token}"},
    ) as answer:
        return answer.status == 200
