"""The schema of core's database, forward only. Run by `python -m slipway_core migrate`."""
