"""One platform for all end-to-end tests of a run; tests that break it start their own."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from slipway_testing.platform import Environment, Platform, platform


@pytest_asyncio.fixture(scope="session")
async def slipway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A running platform without the demo, its home in a path with a space."""
    home = tmp_path_factory.mktemp("a home") / "platform"
    async with platform(home, "--no-demo", "--no-console") as running:
        yield running


@pytest_asyncio.fixture
async def environment(slipway: Platform, request: pytest.FixtureRequest) -> Environment:
    """A project and environment of the test's own."""
    name = request.node.name.removeprefix("test_").replace("_", "-").split("[")[0][:24].strip("-")
    return await slipway.project(f"{name}-{secrets.token_hex(3)}")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where the test keeps its repositories."""
    return tmp_path / "work"
