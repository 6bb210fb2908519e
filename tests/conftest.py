"""Every test may use the fixtures of slipway_testing."""

pytest_plugins = ["slipway_testing.fixtures"]
