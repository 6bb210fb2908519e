"""Every test may use the fixtures of slipway_testing."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["slipway_testing.fixtures"]

# How fast a machine is, busy as it may be, is no property of the code.
settings.register_profile("slipway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("slipway")
