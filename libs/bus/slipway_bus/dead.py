"""What was given up: reading it, and sending it again."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from slipway_bus.direct import Stored
from slipway_contracts.base import uuid7
from slipway_contracts.dead import DIED, DeadLetter
from slipway_errors import NotFound

if TYPE_CHECKING:
    from slipway_bus.connection import Bus


def dead_letters(bus: "Bus", stream: str = "", after_sequence: int = 0) -> AsyncIterator[Stored[DeadLetter]]:
    """All that was given up, oldest first; of one stream only, if it is named."""
    if stream:
        return bus.history(DIED, after_sequence, stream=stream)
    return bus.history(DIED, after_sequence)


async def replay(bus: "Bus", sequence: int) -> int:
    """Put a dead letter (by its sequence in DEAD) into its stream again; its sequence there.

    All consumers of that stream get it: their handlers are safe to run twice.
    """
    async for stored in bus.history(DIED, sequence - 1, limit=1):
        if stored.sequence == sequence:
            letter = stored.message
            return await bus.publish_raw(letter.subject, letter.data, id=uuid7(), headers=letter.headers)
    raise NotFound(f"There is no dead letter {sequence}.")
