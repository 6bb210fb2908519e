"""Publishing into streams: every message is acknowledged, and only so many may wait for that at once.

nats-py's `publish_async` has no time-out for an acknowledgement: one that is lost holds its place for ever. Here each
has a deadline, and one sweep looks at all that wait.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error, MaxPayloadError

from slipway_bus.wire import BusRefused, ReconnectingClient, decode_reply, status_of
from slipway_contracts.base import Message, Topic
from slipway_errors import Fault, TooLarge, Unavailable

ACK_TIMEOUT_SECONDS = 5.0
WINDOW = 1024
"""Messages of one connection that may wait for their acknowledgement at once."""
_SWEEP_SECONDS = 0.1


@dataclass(frozen=True)
class Outgoing:
    """One message of a batch: what `Bus.publish` takes, as data."""

    topic: Topic[Any]
    message: Message
    ids: Mapping[str, str]
    id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Waiting:
    subject: str
    deadline: float
    future: "asyncio.Future[int]"


class AckWindow:
    """The messages of one connection that wait for their acknowledgement."""

    def __init__(self, client: ReconnectingClient, inbox: str, window: int = WINDOW) -> None:
        self._client = client
        self._inbox = inbox
        self._slots = asyncio.Semaphore(window)
        self._waiting: dict[str, _Waiting] = {}
        self._count = 0
        self._sweep_due: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Listen for acknowledgements; to be called once connected."""
        await self._client.subscribe(f"{self._inbox}.*", cb=self._acknowledged)

    def close(self) -> None:
        """Nobody need wait any longer."""
        if self._sweep_due is not None:
            self._sweep_due.cancel()
        for token in list(self._waiting):
            self._settle(token, Unavailable("The connection to the bus was closed before the message was kept."))

    async def publish(
        self, subject: str, data: bytes, headers: dict[str, str], timeout_seconds: float = ACK_TIMEOUT_SECONDS
    ) -> "asyncio.Future[int]":
        """Send a message once there is room in the window; the future is its sequence in the stream."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise Unavailable(f"Too many messages wait to be kept; {subject} was not sent.") from None
        return await self._send(subject, data, headers, timeout_seconds)

    async def _send(
        self, subject: str, data: bytes, headers: dict[str, str], timeout_seconds: float
    ) -> "asyncio.Future[int]":
        loop = asyncio.get_running_loop()
        self._count += 1
        token = str(self._count)
        waiting = _Waiting(subject, loop.time() + timeout_seconds, loop.create_future())
        self._waiting[token] = waiting
        if self._sweep_due is None:
            self._sweep_due = loop.call_later(_SWEEP_SECONDS, self._sweep)
        # Somebody who gave up waiting must not be told of it by the event loop.
        waiting.future.add_done_callback(_look_at_error)
        try:
            await self._client.publish(subject, data, reply=f"{self._inbox}.{token}", headers=headers or None)
        except MaxPayloadError:
            self._settle(token, TooLarge(f"A message of {len(data)} bytes is more than the bus takes."))
        except Error as error:
            self._settle(token, Unavailable(f"The bus is away: {error}."))
        except BaseException:
            self._settle(token, Unavailable("Publishing was cancelled."))
            raise
        return waiting.future

    def refused(self, subject: str) -> None:
        """The server does not allow this user to publish there: don't wait for the time-out."""
        for token, waiting in list(self._waiting.items()):
            if waiting.subject.lower() == subject:
                self._settle(token, BusRefused(f"This user may not publish to {waiting.subject}."))

    async def _acknowledged(self, message: Msg) -> None:
        token = message.subject.rpartition(".")[2]
        waiting = self._waiting.get(token)
        if waiting is None:
            return
        if status_of(message) == "503":
            self._settle(token, Unavailable(f"No stream takes {waiting.subject}, or the bus is starting."))
            return
        try:
            reply = decode_reply(message.data, f"keep a message on {waiting.subject}")
            self._settle(token, int(reply["seq"]))
        except Fault as fault:
            self._settle(token, fault)
        except (KeyError, TypeError, ValueError):
            self._settle(token, Unavailable(f"The bus acknowledged {waiting.subject} unreadably."))

    def _settle(self, token: str, outcome: int | Fault) -> None:
        waiting = self._waiting.pop(token, None)
        if waiting is None:
            return
        self._slots.release()
        if waiting.future.done():
            return
        if isinstance(outcome, Fault):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)

    def _sweep(self) -> None:
        """Runs only while somebody waits: an idle connection costs nothing."""
        loop = asyncio.get_running_loop()
        late = [token for token, waiting in self._waiting.items() if waiting.deadline <= loop.time()]
        for token in late:
            subject = self._waiting[token].subject
            self._settle(token, Unavailable(f"The bus didn't confirm in time that it keeps {subject}."))
        self._sweep_due = loop.call_later(_SWEEP_SECONDS, self._sweep) if self._waiting else None


def _look_at_error(future: "asyncio.Future[int]") -> None:
    if not future.cancelled():
        future.exception()


def encode(message: Message) -> bytes:
    """A message as it travels."""
    return msgspec.json.encode(message)
