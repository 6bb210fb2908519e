"""Stop a platform from outside: what `slipway down` does."""

import contextlib
import os
import signal

from slipway_cli.local.home import Home
from slipway_cli.local.leftovers import end_leftovers
from slipway_cli.local.supervision import supervisor_pid
from slipway_embedded.processes import wait_until

STOP_TIMEOUT_SECONDS = 75


async def stop(home: Home) -> bool:
    """End everything that belongs to the home; whether there was anything."""
    pid = supervisor_pid(home)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

        async def ended() -> bool:
            return supervisor_pid(home) != pid

        if not await wait_until(ended, STOP_TIMEOUT_SECONDS):
            os.kill(pid, signal.SIGKILL)
    return await end_leftovers(home) > 0 or pid is not None
