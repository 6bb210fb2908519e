"""Messages from durable consumers: pulling them, and saying what became of them.

A pull has a subscription of its own and asks for what is there first; only when there is nothing, it waits for one.
So no request is left behind on the server that would take a message nobody waits for.
"""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error

from slipway_bus.wire import BusRefused, ReconnectingClient, status_of
from slipway_contracts.base import Message
from slipway_errors import Unavailable

if TYPE_CHECKING:
    from slipway_bus.connection import Bus

M = TypeVar("M", bound=Message)

_NANOSECONDS = 1_000_000_000
_HEARTBEAT_SECONDS = 5.0
_ANSWER_SECONDS = 5.0
"""How long a server may take to say that there is nothing."""


class Delivery:
    """A message in hand. Until it is acknowledged it comes again: to this process, or to another."""

    def __init__(self, client: ReconnectingClient, message: Msg) -> None:
        self._client = client
        self._reply = message.reply
        self.data = message.data
        self.subject = message.subject
        self.headers = message.headers or {}
        fields = message.reply.split(".")
        # Nine fields, or eleven and more where domain and account come before the stream.
        at = 2 if len(fields) == 9 else 4
        self.stream, self.consumer = fields[at], fields[at + 1]
        self.deliveries = int(fields[at + 2])
        """How many times it was delivered, this one included."""
        self.sequence = int(fields[at + 3])
        self.at = datetime.fromtimestamp(int(fields[at + 5]) / _NANOSECONDS, UTC)
        """When the stream took it."""
        self.settled = False

    def decode(self, type: type[M]) -> M:
        """The message as its contract declares it."""
        return msgspec.json.decode(self.data, type=type)

    async def ack(self) -> None:
        """It is done."""
        await self._say(b"+ACK")

    async def nak(self, delay_seconds: float) -> None:
        """Try it again after a while: without a delay all attempts would be burnt in milliseconds."""
        await self._say(b'-NAK {"delay": %d}' % int(delay_seconds * _NANOSECONDS))

    async def term(self, reason: str) -> None:
        """Never again."""
        await self._say(b"+TERM " + reason.encode()[:200].replace(b"\n", b" "))

    async def in_progress(self) -> None:
        """Still at work: the lease begins anew."""
        if not self.settled:
            await self._say(b"+WPI", final=False)

    async def _say(self, word: bytes, final: bool = True) -> None:
        self.settled = self.settled or final
        try:
            await self._client.publish(self._reply, word)
        except Error as error:
            raise Unavailable(f"The bus is away: {error}.") from error


class Pull:
    """One pull: its inbox and what arrived there."""

    def __init__(self, bus: "Bus", stream: str, durable: str) -> None:
        self._bus = bus
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._what = f"{stream}/{durable}"
        self._inbox = bus.new_inbox()
        self._arrived: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._refused = False

    async def run(self, batch: int, timeout_seconds: float) -> list[Delivery]:
        """Up to `batch` messages that are there now; else the first within the time, or none."""
        await self._bus.wait_connected(timeout_seconds)
        try:
            subscription = await self._bus.client.subscribe(self._inbox, cb=self._take)
            with self._bus.noticing(self._noticed):
                try:
                    return await self._collect(batch, timeout_seconds)
                finally:
                    if not self._bus.client.is_closed:
                        await subscription.unsubscribe()
        except Error as error:
            raise Unavailable(f"The bus is away: {error}.") from error

    def wake(self) -> None:
        """Stop waiting: `run` returns what it has."""
        self._arrived.put_nowait(None)

    async def _take(self, message: Msg) -> None:
        self._arrived.put_nowait(message)

    def _noticed(self, refused: str) -> None:
        # After a reconnect the server has forgotten the request.
        self._refused = self._refused or refused == self._next.lower()
        if not refused or self._refused:
            self.wake()

    async def _collect(self, batch: int, timeout_seconds: float) -> list[Delivery]:
        found = await self._ask({"batch": batch, "no_wait": True}, batch, _ANSWER_SECONDS)
        if found or timeout_seconds <= 0:
            return found
        request: dict[str, int] = {"batch": 1, "expires": int(timeout_seconds * _NANOSECONDS)}
        silence_seconds = timeout_seconds + 1
        if timeout_seconds > 2 * _HEARTBEAT_SECONDS:
            request["idle_heartbeat"] = int(_HEARTBEAT_SECONDS * _NANOSECONDS)
            silence_seconds = 2 * _HEARTBEAT_SECONDS + 1
        return await self._ask(request, 1, silence_seconds)

    async def _ask(self, request: dict[str, int], batch: int, silence_seconds: float) -> list[Delivery]:
        """Collect up to `batch` messages; silence means that the server, or the request, is gone."""
        await self._bus.client.publish(self._next, msgspec.json.encode(request), reply=self._inbox)
        found: list[Delivery] = []
        while len(found) < batch:
            try:
                async with asyncio.timeout(silence_seconds):
                    message = await self._arrived.get()
            except TimeoutError:
                break
            if message is None:
                self._raise_if_refused()
                break
            status = status_of(message)
            if not status:
                found.append(Delivery(self._bus.client, message))
            elif status == "503":
                raise Unavailable(f"There is no consumer {self._what}, or the bus is starting.")
            elif status != "100":
                break
        return found

    def _raise_if_refused(self) -> None:
        if self._refused:
            raise BusRefused(f"This user may not read {self._what}.", subject=self._next)
