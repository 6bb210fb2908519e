"""dead list, dead replay: messages that were given up, seen and sent again by the one who runs the platform."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from slipway_cli.local.home import Home, home_at
from slipway_cli.local.programs import Servers
from slipway_cli.local.supervision import supervisor_pid
from slipway_cli.output import say, show_json, show_table, silence_logs
from slipway_cli.problems import CommandFailed, NotRunning

if TYPE_CHECKING:
    from slipway_bus import Bus
    from slipway_contracts.dead import DeadLetter

AsJSON = Annotated[bool, Parameter(name="--json")]
MOST_SHOWN = 1000


async def list_dead(*, home: Path | None = None, as_json: AsJSON = False) -> int:
    """List the messages that were given up, with the reason."""
    async with _bus(home_at(home)) as bus:
        rows = [_row(sequence, letter) async for sequence, letter in _letters(bus)]
    if as_json:
        show_json(rows)
    else:
        show_table(rows, ("number", "at", "subject", "consumer", "code", "reason"), empty="Nothing was given up.")
    return 0


async def replay_dead(number: int, *, home: Path | None = None, as_json: AsJSON = False) -> int:
    """Send a message that was given up once more, to where it came from.

    Parameters
    ----------
    number
        As shown by dead list.
    """
    async with _bus(home_at(home)) as bus:
        async for sequence, letter in _letters(bus):
            if sequence == number:
                again = await bus.publish_raw(letter.subject, letter.data, headers=letter.headers)
                break
        else:
            raise CommandFailed(f"There is no given-up message {number}: see slipway dead list.", "not_found", 5)
    if as_json:
        show_json({"subject": letter.subject, "sequence": again})
    else:
        say(f"  sent again to {letter.subject}")
    return 0


@asynccontextmanager
async def _bus(home: Home) -> "AsyncIterator[Bus]":
    """The bus of this machine's platform, as its operator."""
    from slipway_bus import connect
    from slipway_bus.accounts import OPERATOR, AccountsFile

    if supervisor_pid(home) is None:
        raise NotRunning(str(home.path))
    nats = Servers.of(home).nats
    passwords = await asyncio.to_thread(AccountsFile(nats.accounts_file).ensure)
    silence_logs()
    async with connect(nats.url, name="cli", user=OPERATOR, password=passwords[OPERATOR], timeout_seconds=10) as bus:
        yield bus


async def _letters(bus: "Bus") -> "AsyncIterator[tuple[int, DeadLetter]]":
    from slipway_contracts.dead import DIED

    async for stored in bus.history(DIED, limit=MOST_SHOWN):
        yield stored.sequence, stored.message


def _row(sequence: int, letter: "DeadLetter") -> dict[str, Any]:
    return {
        "number": sequence,
        "at": letter.at.isoformat(timespec="seconds"),
        "subject": letter.subject,
        "consumer": letter.consumer,
        "deliveries": letter.deliveries,
        "code": letter.code,
        "reason": letter.reason,
    }
