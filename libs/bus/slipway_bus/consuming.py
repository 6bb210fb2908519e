"""Durable consumers: every message is handled until it succeeds, or ends in the stream DEAD with the reason.

The messages of one subscription are handled up to `max_in_flight` at once (one: in order). A fault that says "later"
(busy, unavailable) is tried again for ever with growing delays; any other counts as an attempt. Messages in hand are
kept alive by heartbeats, so a handler may take as long as it needs.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
import structlog

from slipway_bus.declaring import declare_consumer
from slipway_bus.deliveries import Delivery, Pull
from slipway_bus.tracing import continued
from slipway_contracts.base import Message, Topic
from slipway_contracts.dead import DIED, DeadLetter
from slipway_errors import Fault, Kind, Unavailable

if TYPE_CHECKING:
    from slipway_bus.connection import Bus

A = TypeVar("A")
M = TypeVar("M", bound=Message)

ACK_WAIT_SECONDS = 30.0
HEARTBEAT_SECONDS = 10.0
WAIT_SECONDS = 30.0
"""How long one pull waits when there is nothing."""
STOP_SECONDS = 15.0
"""How long handlers may go on after `stopping`; what is not finished then comes again."""
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
_REMEMBERED = 10_000
_subject_ids: ContextVar[Mapping[str, str]] = ContextVar("subject_ids")


def subject_ids() -> Mapping[str, str]:
    """Inside a handler: the ids in the subject of its message. The server vouches for them."""
    return _subject_ids.get({})


@dataclass(frozen=True)
class Subscription(Generic[A, M]):
    """What handles a topic: `handler(app, message)`, under the durable name `durable` (unique in its stream)."""

    topic: Topic[M]
    handler: Callable[[A, M], Awaitable[None]]
    durable: str
    max_in_flight: int = 1
    """Messages handled at once by one process; one: in order."""
    attempts: int = 8
    """How often a message is tried before it is given up."""
    filter_ids: Mapping[str, str] = field(default_factory=dict)
    """Ids that narrow the topic; all others match anything."""


def delay_seconds(attempt: int) -> float:
    """How long to wait after this attempt: doubling, bounded, scattered so that many don't come back at once."""
    grown: float = FIRST_DELAY_SECONDS * 2.0 ** min(attempt - 1, 16)
    return min(grown, LONGEST_DELAY_SECONDS) * random.uniform(0.8, 1.2)  # noqa: S311


async def consume(bus: "Bus", subscription: Subscription[Any, Any], app: object, stopping: asyncio.Event) -> None:
    """Handle messages until `stopping`. Restarts of the server, and a deleted consumer, are healed."""
    await _Consumer(bus, subscription, app, stopping).run()


class _Consumer:
    def __init__(self, bus: "Bus", subscription: Subscription[Any, Any], app: object, stopping: asyncio.Event) -> None:
        assert subscription.topic.stream is not None, f"{subscription.topic.pattern} is not kept"
        self._bus = bus
        self._subscription = subscription
        self._app = app
        self._stopping = stopping
        self._log = structlog.get_logger().bind(durable=subscription.durable)
        self._stream = subscription.topic.stream.name
        self._decoder = msgspec.json.Decoder(subscription.topic.message)
        self._in_hand: dict[asyncio.Task[None], Delivery] = {}
        self._excused: dict[int, int] = {}
        """Sequence → deliveries that ended in "later": they are no attempts."""
        self._declared = False
        self._freed = asyncio.Event()

    async def run(self) -> None:
        heartbeats = asyncio.create_task(self._heartbeats(), name=f"{self._subscription.durable}-heartbeats")
        try:
            while not self._stopping.is_set():
                try:
                    await self._turn()
                except Fault as fault:
                    self._declared = False
                    self._log.warning("bus.consumer_waits", reason=fault.detail)
                    await self._pause(1.0)
            await self._finish()
        finally:
            heartbeats.cancel()
            for task in self._in_hand:
                task.cancel()
            await asyncio.gather(heartbeats, *self._in_hand, return_exceptions=True)

    async def _turn(self) -> None:
        if not self._declared:
            await declare_consumer(
                self._bus,
                self._stream,
                self._subscription.durable,
                self._subscription.topic.filter(**self._subscription.filter_ids),
                ACK_WAIT_SECONDS,
            )
            self._declared = True
        free = self._subscription.max_in_flight - len(self._in_hand)
        if free <= 0:
            self._freed.clear()
            await self._first(self._freed.wait())
            return
        for delivery in await self._pull(free):
            self._start(delivery)

    async def _pull(self, batch: int) -> list[Delivery]:
        pull = Pull(self._bus, self._stream, self._subscription.durable)
        waker = asyncio.create_task(self._wake(pull))
        try:
            return await pull.run(batch, WAIT_SECONDS)
        finally:
            waker.cancel()

    async def _wake(self, pull: Pull) -> None:
        await self._stopping.wait()
        pull.wake()

    def _start(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._handle(delivery))
        self._in_hand[task] = delivery
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._in_hand.pop(task, None)
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("bus.consumer_bug", exc_info=error)

    async def _handle(self, delivery: Delivery) -> None:
        try:
            if self._stopping.is_set():
                await delivery.nak(0)
                return
            with continued(delivery.headers):
                await self._attempt(delivery)
        except Unavailable as fault:
            # The answer was lost with the connection: the message comes again.
            self._log.warning("bus.answer_lost", reason=fault.detail)

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            message = self._decoder.decode(delivery.data)
        except msgspec.DecodeError as error:
            await self._give_up(delivery, "message.unreadable", str(error))
            return
        _subject_ids.set(self._subscription.topic.parse(delivery.subject))
        try:
            await self._subscription.handler(self._app, message)
        except Fault as fault:
            if fault.kind in (Kind.BUSY, Kind.UNAVAILABLE) and fault.code != "internal":
                await self._later(delivery, fault)
            else:
                await self._failed(delivery, fault.code, fault.detail)
        except Exception as error:
            self._log.exception("bus.handler_failed", sequence=delivery.sequence)
            await self._failed(delivery, "internal", f"{type(error).__name__}: {error}")
        else:
            self._excused.pop(delivery.sequence, None)
            await delivery.ack()

    async def _later(self, delivery: Delivery, fault: Fault) -> None:
        excused = self._excused.pop(delivery.sequence, 0) + 1
        self._excused[delivery.sequence] = excused
        if len(self._excused) > _REMEMBERED:
            self._excused.pop(next(iter(self._excused)))
        delay = max(delay_seconds(excused), getattr(fault, "retry_after_seconds", 0.0))
        self._log.info("bus.handled_later", sequence=delivery.sequence, reason=fault.detail)
        await delivery.nak(delay)

    async def _failed(self, delivery: Delivery, code: str, reason: str) -> None:
        attempt = delivery.deliveries - self._excused.get(delivery.sequence, 0)
        if attempt >= self._subscription.attempts:
            await self._give_up(delivery, code, reason)
            return
        self._log.warning("bus.attempt_failed", sequence=delivery.sequence, attempt=attempt, code=code, reason=reason)
        await delivery.nak(delay_seconds(attempt))

    async def _give_up(self, delivery: Delivery, code: str, reason: str) -> None:
        """Keep the message with the reason in DEAD, then take it out of the way."""
        letter = DeadLetter(
            stream=self._stream,
            consumer=self._subscription.durable,
            subject=delivery.subject,
            sequence=delivery.sequence,
            # Without the server's own: with its old id the message could not be sent again for two minutes.
            headers={name: value for name, value in delivery.headers.items() if not name.startswith("Nats-")},
            data=delivery.data,
            reason=reason,
            code=code,
            deliveries=delivery.deliveries,
            at=datetime.now(UTC),
        )
        id = f"{self._stream}.{self._subscription.durable}.{delivery.sequence}"
        try:
            await self._bus.publish(DIED, letter, id=id, stream=self._stream, consumer=self._subscription.durable)
        except Fault as fault:
            self._log.warning("bus.dead_letter_waits", reason=fault.detail)
            await delivery.nak(LONGEST_DELAY_SECONDS)
            return
        self._excused.pop(delivery.sequence, None)
        self._log.error("bus.given_up", sequence=delivery.sequence, code=code, reason=reason)
        await delivery.term(code)

    async def _heartbeats(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            for delivery in list(self._in_hand.values()):
                try:
                    await delivery.in_progress()
                except Unavailable:
                    break

    async def _finish(self) -> None:
        if self._in_hand:
            await asyncio.wait(list(self._in_hand), timeout=STOP_SECONDS)

    async def _pause(self, seconds: float) -> None:
        await self._first(asyncio.sleep(seconds))

    async def _first(self, work: Any) -> None:
        """Wait for this or for `stopping`."""
        tasks = [asyncio.ensure_future(work), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
