"""The shapes of the public API, generated from its reference by `python -m slipway_core.api`."""
