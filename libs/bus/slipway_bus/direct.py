"""Reading what streams keep without a consumer: direct get, one message or batches.

Any replica answers, nothing is created on the server, and a subject stands in the request where one is asked for,
so that a user's permissions can be as narrow as one subject.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error

from slipway_bus.wire import BusRefused, status_of
from slipway_contracts.base import Message
from slipway_errors import Unavailable

if TYPE_CHECKING:
    from slipway_bus.connection import Bus

M = TypeVar("M", bound=Message)

BATCH = 256
_BATCH_BYTES = 4 * 1024 * 1024
_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Kept:
    """A message as the stream keeps it."""

    subject: str
    sequence: int
    at: datetime
    data: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Stored(Generic[M]):
    """A message of a topic as its stream keeps it."""

    message: M
    sequence: int
    at: datetime
    subject: str
    headers: dict[str, str]


def kept_of(message: Msg) -> Kept:
    """The stored message that a direct get answered with."""
    headers = message.headers or {}
    return Kept(
        subject=headers["Nats-Subject"],
        sequence=int(headers["Nats-Sequence"]),
        at=parse_time(headers["Nats-Time-Stamp"]),
        data=message.data,
        headers=headers,
    )


def parse_time(text: str) -> datetime:
    """The server's time stamp: nanoseconds, of which a datetime keeps microseconds."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}").replace(tzinfo=UTC)


async def last_kept(bus: "Bus", stream: str, subject: str) -> Kept | None:
    """The newest message of exactly this subject."""
    reply = await bus.call(f"$JS.API.DIRECT.GET.{stream}.{subject}", b"", f"read {subject}")
    return None if status_of(reply) == "404" else kept_of(reply)


class Batches:
    """Batched direct gets of one stream through one inbox."""

    def __init__(self, bus: "Bus", stream: str) -> None:
        self._bus = bus
        self._subject = f"$JS.API.DIRECT.GET.{stream}"
        self._inbox = bus.new_inbox()
        self._arrived: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._refused = False

    async def __aenter__(self) -> "Batches":
        await self._bus.wait_connected(_ANSWER_SECONDS)
        try:
            self._subscription = await self._bus.client.subscribe(f"{self._inbox}.*", cb=self._take)
        except Error as error:
            raise Unavailable(f"The bus is away: {error}.") from error
        self._notice = self._bus.noticing(self._noticed)
        self._notice.__enter__()
        self._asked = 0
        return self

    async def __aexit__(self, *_: object) -> None:
        self._notice.__exit__(None, None, None)
        if not self._bus.client.is_closed:
            await self._subscription.unsubscribe()

    async def _take(self, message: Msg) -> None:
        self._arrived.put_nowait(message)

    def _noticed(self, refused: str) -> None:
        if refused in ("", self._subject.lower()):
            self._refused = self._refused or bool(refused)
            self._arrived.put_nowait(None)

    async def get(self, request: dict[str, Any]) -> list[Kept]:
        """One batch, in the order of the stream; empty when there is nothing more."""
        self._asked += 1
        inbox = f"{self._inbox}.{self._asked}"
        request = {"batch": BATCH, "max_bytes": _BATCH_BYTES, **request}
        try:
            await self._bus.client.publish(self._subject, msgspec.json.encode(request), reply=inbox)
        except Error as error:
            raise Unavailable(f"The bus is away: {error}.") from error
        found: list[Kept] = []
        while True:
            message = await self._next()
            if message.subject != inbox:
                continue
            status = status_of(message)
            if not status:
                found.append(kept_of(message))
            elif status in ("204", "404"):
                return found
            else:
                raise Unavailable(f"The bus refused a read of {self._subject} ({status}).")

    async def _next(self) -> Msg:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                message = await self._arrived.get()
        except TimeoutError:
            raise Unavailable("The bus didn't answer a read in time.") from None
        if message is None:
            if self._refused:
                raise BusRefused(f"This user may not use {self._subject}.", subject=self._subject)
            raise Unavailable("The connection to the bus was lost during a read.")
        return message


async def read_kept(
    bus: "Bus", stream: str, filter: str, after_sequence: int = 0, since: datetime | None = None
) -> AsyncIterator[Kept]:
    """All messages of the subjects in `filter`, oldest first, from after a sequence or since a time."""
    request: dict[str, Any] = {"seq": after_sequence + 1, "next_by_subj": filter}
    if since is not None and after_sequence == 0:
        request = {"start_time": since.astimezone(UTC).isoformat(), "next_by_subj": filter}
    async with Batches(bus, stream) as batches:
        while found := await batches.get(request):
            for kept in found:
                yield kept
            request = {"seq": found[-1].sequence + 1, "next_by_subj": filter}
