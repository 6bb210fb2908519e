"""Plain subscriptions: callbacks for what is live, and answers to requests.

Callbacks, not iterators: nats-py's iterator makes a task per message and is several times slower.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error

from slipway_bus.publishing import encode
from slipway_bus.tracing import continued
from slipway_bus.wire import ReconnectingClient
from slipway_contracts.base import Message, Topic
from slipway_errors import (
    Busy,
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)

if TYPE_CHECKING:
    from slipway_bus.connection import Bus

M = TypeVar("M", bound=Message)

Handler = Callable[[Any, str, dict[str, str]], Awaitable[None] | None]
Responder = Callable[[Any, dict[str, str]], Awaitable[Message]]

FAULT = "Slipway-Fault"
"""Header of an answer that is a fault; its value is the fault's kind."""
FAULTS: dict[str, type[Fault]] = {
    fault.kind.value: fault
    for fault in (
        Invalid,
        Unauthenticated,
        Forbidden,
        NotFound,
        Conflict,
        TooLarge,
        Unsupported,
        Busy,
        Unavailable,
    )
}
REQUESTS_AT_ONCE = 256
_REPLY_PREFIXES = ("_INBOX.", "_R_.")
"""Where an answer may go: to an inbox, or back through an import. Anything else would publish on the asker's behalf."""

log = structlog.get_logger()


class Listening:
    """A subscription that can be ended."""

    def __init__(self, client: ReconnectingClient, subscription: NatsSubscription) -> None:
        self._client = client
        self._subscription = subscription
        self._ended = False

    async def unsubscribe(self) -> None:
        """Hear nothing more. May be called twice, and after the connection was closed."""
        if self._ended or self._client.is_closed:
            return
        self._ended = True
        try:
            await self._subscription.unsubscribe()
        except Error:
            log.debug("bus.unsubscribed_late")


class FaultAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a fault travels in an answer."""

    kind: str
    code: str
    detail: str
    facts: dict[str, Any] = {}


def fault_of_answer(data: bytes) -> Fault:
    """The fault that the other side raised, as the class of its kind, with its own code."""
    answer = msgspec.json.decode(data, type=FaultAnswer)
    faults = FAULTS if answer.code != Fault.code else {}
    fault = faults.get(answer.kind, Fault)(answer.detail)
    fault.facts.update(answer.facts)
    fault.__dict__["code"] = answer.code
    return fault


def callback(topic: Topic[M], handler: Handler) -> Callable[[Msg], Awaitable[None]]:
    """What nats-py calls for each message: decodes it and hands it on, in order."""
    decoder = msgspec.json.Decoder(topic.message)

    async def received(raw: Msg) -> None:
        headers = raw.headers or {}
        try:
            message = decoder.decode(raw.data)
        except msgspec.DecodeError:
            log.warning("bus.unreadable_message", subject=raw.subject)
            return
        result = handler(message, raw.subject, headers)
        if inspect.isawaitable(result):
            await result

    return received


class Answering:
    """Answers requests on a topic, many at once but not without limit."""

    def __init__(self, bus: "Bus", topic: Topic[Any], responder: Responder) -> None:
        self._bus = bus
        self._topic = topic
        self._responder = responder
        self._decoder = msgspec.json.Decoder(topic.message)
        self._slots = asyncio.Semaphore(REQUESTS_AT_ONCE)

    async def received(self, raw: Msg) -> None:
        """Called by nats-py for each request; waits only when too many are being answered."""
        if not raw.reply.startswith(_REPLY_PREFIXES):
            log.warning("bus.request_refused", subject=raw.subject, reply=raw.reply)
            return
        await self._slots.acquire()
        self._bus.background(self._answer(raw))

    async def _answer(self, raw: Msg) -> None:
        try:
            with continued(raw.headers):
                data, headers = await self._respond(raw)
            await self._bus.client.publish(raw.reply, data, headers=headers)
        except Error as error:
            log.warning("bus.answer_lost", subject=raw.subject, reason=str(error))
        finally:
            self._slots.release()

    async def _respond(self, raw: Msg) -> tuple[bytes, dict[str, str] | None]:
        try:
            message = self._decoder.decode(raw.data)
            return encode(await self._responder(message, self._topic.parse(raw.subject))), None
        except msgspec.DecodeError as error:
            return _faulty(Invalid(f"The request can't be read: {error}."))
        except Fault as fault:
            return _faulty(fault)
        except Exception:
            log.exception("bus.responder_failed", subject=raw.subject)
            return _faulty(Fault("The other side failed; its log says why."))


def _faulty(fault: Fault) -> tuple[bytes, dict[str, str]]:
    answer = FaultAnswer(kind=fault.kind.value, code=fault.code, detail=fault.detail, facts=fault.facts)
    return msgspec.json.encode(answer), {FAULT: fault.kind.value}
