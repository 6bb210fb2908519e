"""Many small messages into one stream, cheaply: what waits goes out together and is acknowledged together.

JetStream's fast ingest (ADR-50, nats-server 2.14): a batch's messages bear their place in it in their reply subject,
`<inbox>.<batch>.<flow>.<gap>.<place>.<operation>.$FI`, and the last one commits, which is acknowledged with the number
of places kept. A place that wasn't kept ends the batch (gap `fail`), so that number says exactly which messages are in
the stream. nats-py knows nothing of it; the subjects are written here.

Messages that come while a batch is on its way make up the next one: alone on a quiet line, hundreds under load.
Whatever is unusual (a message refused, a batch cut short) is sent again one by one the ordinary way: the messages'
ids keep it from counting twice.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import msgspec
from nats.aio.msg import Msg

from slipway_bus.publishing import ACK_TIMEOUT_SECONDS
from slipway_bus.wire import ReconnectingClient
from slipway_errors import Busy, Fault, Unavailable

WAITING = 8192
"""Messages that may wait for their acknowledgement; more are refused at once."""
BATCH = 256
"""Messages of one batch; the server counts to 500 before it acknowledges by itself."""
BATCH_BYTES = 1024 * 1024
FLYING = 2
"""Batches on their way at once."""
_FLOW = 500
_START, _ADD, _COMMIT = 0, 1, 2
_SWEEP_SECONDS = 0.25

Single = Callable[..., Awaitable[int]]


class IngestFull(Busy):
    """More messages wait to be kept than the bus takes at once."""

    code = "bus.ingest_full"


@dataclass(slots=True)
class _Waiting:
    subject: str
    data: bytes
    id: str
    future: "asyncio.Future[None]"


@dataclass(slots=True)
class _Flight:
    messages: list[_Waiting]
    deadline: float


class _Acknowledged(msgspec.Struct, frozen=True):
    """What the server says of a batch: that it began, or (with `count`) that it ended, or an error."""

    count: int = 0
    batch: str = ""
    type: str = ""
    error: msgspec.Raw | None = None


_decoder = msgspec.json.Decoder(_Acknowledged)


class Ingest:
    """The batches of one connection. Streams must allow them (`Stream.fast_ingest`)."""

    def __init__(self, client: ReconnectingClient, inbox: str, single: Single) -> None:
        """`single` publishes one message the ordinary way."""
        self._client = client
        self._inbox = inbox
        self._single = single
        self._queued: deque[_Waiting] = deque()
        self._flying: dict[str, _Flight] = {}
        self._names = secrets.token_hex(6)
        self._count = 0
        self._waiting = 0
        self._due = False
        self._sweep_due: asyncio.TimerHandle | None = None
        self._alone: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen for acknowledgements; to be called once connected."""
        await self._client.subscribe(f"{self._inbox}.>", cb=self._acknowledged)

    @property
    def full(self) -> bool:
        return self._waiting >= WAITING

    def put(self, subject: str, data: bytes, id: str) -> "asyncio.Future[None]":
        """Send soon; the future is done once the message is in its stream. IngestFull when too many wait already."""
        if self._waiting >= WAITING:
            raise IngestFull("Too many messages wait to be kept.")
        if not self._client.is_connected:
            raise Unavailable("The message bus is away.")
        if not id.isascii() or not id.isprintable():
            raise ValueError(f"{id!r} can't be the id of a message")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        self._queued.append(_Waiting(subject, data, id, future))
        if not self._due and len(self._flying) < FLYING:
            self._due = True
            asyncio.get_running_loop().call_soon(self._fly)
        return future

    def close(self) -> None:
        """Nobody need wait any longer."""
        if self._sweep_due is not None:
            self._sweep_due.cancel()
            self._sweep_due = None
        for task in self._alone:
            task.cancel()
        self.lost()

    def lost(self) -> None:
        """The connection is gone: who waits may try again, and what arrived counts once."""
        flights, self._flying = list(self._flying.values()), {}
        for flight in flights:
            self._settle(flight.messages, Unavailable("The connection to the bus was lost."))
        queued, self._queued = list(self._queued), deque()
        self._settle(queued, Unavailable("The connection to the bus was lost."))

    def _fly(self) -> None:
        self._due = False
        while self._queued and len(self._flying) < FLYING:
            self._send(self._batch())

    def _batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._queued and len(batch) < BATCH and (not batch or size + len(self._queued[0].data) <= BATCH_BYTES):
            one = self._queued.popleft()
            size += len(one.data)
            batch.append(one)
        return batch

    def _send(self, messages: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        self._count += 1
        name = f"{self._names}{self._count}"
        self._flying[name] = _Flight(messages, loop.time() + ACK_TIMEOUT_SECONDS)
        if self._sweep_due is None:
            self._sweep_due = loop.call_later(_SWEEP_SECONDS, self._sweep)
        self._client.write_soon(_encoded(messages, f"{self._inbox}.{name}.{_FLOW}.fail"))

    async def _acknowledged(self, message: Msg) -> None:
        name = message.subject[len(self._inbox) + 1 :].partition(".")[0]
        flight = self._flying.get(name)
        if flight is None:
            return
        try:
            said = _decoder.decode(message.data)
        except msgspec.DecodeError:
            said = _Acknowledged(error=msgspec.Raw(b"{}"))
        if said.type:
            return
        del self._flying[name]
        kept = said.count if said.error is None else 0
        self._settle(flight.messages[:kept], None)
        for left in flight.messages[kept:]:
            self._alone_soon(left)
        self._fly()

    def _alone_soon(self, one: _Waiting) -> None:
        task = asyncio.create_task(self._publish_alone(one))
        self._alone.add(task)
        task.add_done_callback(self._alone.discard)

    async def _publish_alone(self, one: _Waiting) -> None:
        try:
            await self._single(one.subject, one.data, id=one.id)
        except Fault as fault:
            self._settle([one], fault)
        except asyncio.CancelledError:
            self._settle([one], Unavailable("The connection to the bus was closed before the message was kept."))
            raise
        else:
            self._settle([one], None)

    def _settle(self, messages: Iterable[_Waiting], fault: Fault | None) -> None:
        for one in messages:
            self._waiting -= 1
            if one.future.done():
                continue
            if fault is None:
                one.future.set_result(None)
            else:
                one.future.set_exception(fault)
                one.future.exception()  # who gave up waiting must not be told of it by the event loop

    def _sweep(self) -> None:
        """Runs only while somebody waits."""
        loop = asyncio.get_running_loop()
        for name in [name for name, flight in self._flying.items() if flight.deadline <= loop.time()]:
            fault = Unavailable("The bus didn't confirm in time that it keeps the message.")
            self._settle(self._flying.pop(name).messages, fault)
        self._sweep_due = loop.call_later(_SWEEP_SECONDS, self._sweep) if self._flying else None
        self._fly()


def _encoded(messages: list[_Waiting], reply: str) -> bytes:
    """A whole batch in the client protocol."""
    parts: list[bytes] = []
    last = len(messages)
    for place, one in enumerate(messages, 1):
        operation = _COMMIT if place == last else _START if place == 1 else _ADD
        headers = f"NATS/1.0\r\nNats-Msg-Id: {one.id}\r\n\r\n".encode()
        size = len(headers)
        command = f"HPUB {one.subject} {reply}.{place}.{operation}.$FI {size} {size + len(one.data)}\r\n"
        parts += (command.encode(), headers, one.data, b"\r\n")
    return b"".join(parts)
