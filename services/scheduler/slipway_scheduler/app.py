"""What handlers may use: the pool, the clock, and `work()`, the transaction."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from slipway_bus import Bus
from slipway_postgres import Connection, Pool, reading, transaction
from slipway_scheduler.stores.definitions import Definitions
from slipway_scheduler.stores.firings import Firings
from slipway_scheduler.stores.news import News
from slipway_scheduler.stores.schedules import Schedules
from slipway_scheduler.stores.timetables import Timetables


class Work:
    """One transaction: its tables, its news."""

    def __init__(self, connection: Connection, now: datetime, owner: str) -> None:
        self.now = now
        self.owner = owner
        self.news = News(connection)
        self.definitions = Definitions(connection)
        self.timetables = Timetables(connection)
        self.schedules = Schedules(connection)
        self.firings = Firings(connection)


@dataclass(frozen=True)
class Scheduler:
    """The scheduler, as its handlers see it."""

    pool: Pool
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something may be due earlier than was thought."""
    bus: Bus | None = None
    """To send at once what fired; without it the relay does."""
    firings_kept_days: int = 90
    owner: str = f"{socket.gethostname()}:{os.getpid()}"
    """This replica: it stands beside what it fired."""

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        """A transaction: leaving commits, an exception rolls back."""
        async with transaction(self.pool) as connection:
            yield Work(connection, self.now(), self.owner)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Work]:
        """For single statements that change nothing: no transaction."""
        async with reading(self.pool) as connection:
            yield Work(connection, self.now(), self.owner)
