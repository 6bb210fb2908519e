"""A core that serves, with real servers, for all tests of a module."""

from collections.abc import AsyncIterator

import pytest

from slipway_testing.core import Platform, core_platform
from slipway_testing.servers import DatabasesForTests


@pytest.fixture(scope="module")
async def platform(databases: DatabasesForTests, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A core of its own for this module's tests."""
    async with core_platform(databases, tmp_path_factory.mktemp("core")) as running:
        yield running
