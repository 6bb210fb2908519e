"""The life of a service process: settings, logs, signals, loops, an orderly end.

Invariant: what was opened is closed in reverse order within a limit, and one dead loop ends the process; nothing
half-alive stays behind.
"""

from slipway_service.life import Life
from slipway_service.logs import bind_log, setup_logs
from slipway_service.run import run, run_once
from slipway_service.settings import settings_from_environment

__all__ = ["Life", "bind_log", "run", "run_once", "settings_from_environment", "setup_logs"]
