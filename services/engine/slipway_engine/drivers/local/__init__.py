"""The local driver: services are processes of this machine, behind Caddy, below a supervisor that outlives us.

Invariant: requests go to the old version until the new one answers, and the switch is one rename under the fence.
"""

from slipway_engine.drivers.local.driver import LocalDriver

__all__ = ["LocalDriver"]
