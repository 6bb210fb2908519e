"""Help for tests: real servers, databases cloned from a migrated template, callers with rights, services in-process.

The fixtures are in `slipway_testing.fixtures` (a pytest plugin, loaded by tests/conftest.py). Nothing here is imported
by what serves.
"""

from slipway_embedded.processes import free_port
from slipway_testing.access import AccessForTests
from slipway_testing.running import started
from slipway_testing.waiting import eventually

__all__ = ["AccessForTests", "eventually", "free_port", "started"]
