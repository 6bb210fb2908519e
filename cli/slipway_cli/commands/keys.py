"""keys rotate: new keys for what the platform on this machine keeps encrypted, while it serves."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from slipway_cli.local.home import Home, HomeLock, home_at
from slipway_cli.local.supervision import supervisor_pid
from slipway_cli.output import say, show_json
from slipway_cli.problems import CommandFailed, NotRunning

AsJSON = Annotated[bool, Parameter(name="--json")]
TIMEOUT_SECONDS = 3600


async def rotate_keys(*, master: bool = False, home: Path | None = None, as_json: AsJSON = False) -> int:
    """Make new data keys and encrypt every secret anew. Everything goes on serving; cut off, it is taken up again.

    Parameters
    ----------
    master
        Make a new master key instead, and wrap all data keys by it.
    """
    place = home_at(home)
    if supervisor_pid(place) is None:
        raise NotRunning(str(place.path))
    with HomeLock(place):
        done = await _rotated(place, ["--master"] if master else [])
    if as_json:
        show_json(done)
    elif master:
        say(f"  a new master key; {done['rewrapped']} data keys are wrapped by it")
    else:
        say(f"  {done['data_keys']} new data keys; {done['rows']} secrets encrypted anew")
    if done["undecryptable"]:
        say(f"  {done['undecryptable']} secrets could not be decrypted and stay as they are: {_log(place)} names them")
    return 1 if done["undecryptable"] else 0


async def _rotated(home: Home, options: list[str]) -> dict[str, Any]:
    """What core's own command says that it did."""
    environment = json.loads((home.processes / "core" / "environment.json").read_text())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "slipway_core", "rotate-keys", *options),
        env=environment,
        cwd=home.processes / "core",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    await asyncio.to_thread(_log(home).write_bytes, err)
    if process.returncode:
        last = (err.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise CommandFailed(f"The keys were not all changed: {last} (all of it: {_log(home)})", "keys.rotation")
    return dict(json.loads(out))


def _log(home: Home) -> Path:
    return home.logs / "rotate-keys.log"
