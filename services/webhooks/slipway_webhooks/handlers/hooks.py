"""One delivery: size, signature over the raw bytes, decode, publish, and 202 only once it is durable.

Nothing here waits for a database, and a delivery that was answered with 202 is in the stream.
"""

import asyncio
import re
import time
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
import structlog
from aiohttp import web

from slipway_contracts.base import Topic
from slipway_contracts.git import GitLink
from slipway_errors import Busy, Fault, Kind, Unavailable
from slipway_http import Call, problem_of
from slipway_webhooks import bodies
from slipway_webhooks.answers import Answer
from slipway_webhooks.app import Webhooks
from slipway_webhooks.problems import Overloaded, UnknownLink, Unreadable, WrongSignature
from slipway_webhooks.providers import PROVIDERS, Accepted, Provider
from slipway_webhooks.providers.provider import Delivery, Outcome
from slipway_webhooks.signatures import Headers, Sent
from slipway_webhooks.stores.deliveries import Logged

DELIVERY_ID = re.compile(r"[A-Za-z0-9._:{}-]{1,128}")
LINK_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
EVENT = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
REASON_CHARACTERS = 500
RETRY_SECONDS = 0.2
Messages = list[tuple[str, bytes, str]]
ACCEPTED = b'{"status":"accepted"}'
log = structlog.get_logger()


class Received:
    """What is known of a delivery so far, for the log."""

    __slots__ = (
        "accepted",
        "address",
        "delivery_id",
        "event",
        "id",
        "link",
        "provider",
        "received_at",
        "size_bytes",
        "started",
        "verified",
    )

    def __init__(self, id: str, link: GitLink, provider: Provider, address: str, received_at: datetime) -> None:
        self.id = id
        self.link = link
        self.provider = provider
        self.address = address
        self.received_at = received_at
        self.started = time.perf_counter()
        self.delivery_id = ""
        self.event = ""
        self.size_bytes = 0
        self.verified = False
        self.accepted: Accepted | None = None


async def receive(app: Webhooks, request: web.BaseRequest, call: Call[None]) -> web.StreamResponse:
    """POST /hooks/{provider}/{link}."""
    token = request.rel_url.query.get("token", "")
    answer = await deliver(app, request, call.path["provider"], call.path["link"], token, call.address)
    return answer.as_response()


def crowded(app: Webhooks) -> Answer | None:
    """An early refusal while too much is on its way: better than slowing everybody."""
    if app.open_requests < app.settings.open_requests and not app.bus.ingest_full:
        return None
    app.figures.count("", "put_off")
    return refused(Overloaded(), app.new_id(), close=True)


async def deliver(
    app: Webhooks, request: web.BaseRequest, provider_name: str, link_id: str, token: str, address: str
) -> Answer:
    """Take a delivery, or refuse it; the answer's request id is that of its line in the log."""
    if (early := crowded(app)) is not None:
        return early
    app.open_requests += 1
    received = None
    try:
        received = known(app, provider_name, link_id, address)
        settings = app.settings
        bodies.check_headers(request, settings.max_body_bytes, received.provider.content_types)
        with app.budget.reserved() as reservation:
            body = await bodies.read(request, settings.max_body_bytes, settings.body_seconds, reservation)
            outcome = judged(app, received, request.headers, body, token)
        if isinstance(outcome, Accepted):
            messages = normalised(app, received, outcome)
            try:
                await put(app, received, messages)
            except (Unavailable, Busy) as fault:
                await put_again(app, received, messages, fault)
        return answered(app, received, outcome)
    except Fault as fault:
        return refusal(app, received, fault)
    finally:
        app.open_requests -= 1


def known(app: Webhooks, provider_name: str, link_id: str, address: str) -> Received:
    """The beginning of a delivery to a link that there is."""
    link, provider = _link(app, provider_name, link_id)
    return Received(app.new_id(), link, provider, address, app.now())


def judged(app: Webhooks, received: Received, headers: Headers, body: bytes, token: str) -> Outcome:
    """What a delivery means, once it is proven whose it is."""
    provider = received.provider
    received.size_bytes = len(body)
    sent = Sent(headers, body, token, received.received_at.timestamp())
    if not provider.proof(sent, app.links.secrets(received.link)):
        raise WrongSignature("The signature doesn't fit this link's secret: compare it with the provider's.")
    received.verified = True
    outcome = _read(received, sent)
    if isinstance(outcome, Accepted):
        received.accepted = outcome
    return outcome


def _link(app: Webhooks, provider_name: str, link_id: str) -> tuple[GitLink, Provider]:
    provider = PROVIDERS.get(provider_name)
    if provider is None:
        raise UnknownLink("No provider of this name is known here.")
    if not app.links.loaded:
        # Not knowing a link yet is no reason to say that there is none: GitHub would never ask again.
        raise Unavailable("The links are being loaded: send it again.")
    if not LINK_ID.fullmatch(link_id):
        raise UnknownLink
    link = app.links.get(link_id)
    if link.provider != provider.name:
        raise UnknownLink
    return link, provider


def _read(received: Received, sent: Sent) -> Outcome:
    provider = received.provider
    received.delivery_id = _checked(provider.delivery_id(sent), DELIVERY_ID, "its id")
    received.event = _checked(provider.event(sent.headers), EVENT, "its event")
    delivery = Delivery(received.link, received.delivery_id, received.event, sent.body, received.received_at)
    try:
        return provider.normalise(delivery)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"The body is not a {received.event} of {provider.name}: {error}.") from None
    except RecursionError:
        raise Unreadable("The body is nested too deeply.") from None


def _checked(value: str, pattern: re.Pattern[str], what: str) -> str:
    if not pattern.fullmatch(value):
        raise Unreadable(f"The delivery doesn't say {what} in the provider's header.")
    return value


def normalised(app: Webhooks, received: Received, outcome: Accepted) -> Messages:
    """Subject, message and id of everything that the delivery tells: at every attempt the same."""
    provider, id = received.provider.name, f"{received.link.id}.{received.delivery_id}"
    if not outcome.more:
        return [(subject(outcome.topic, provider), app.encode(outcome.message), id)]
    return [
        (subject(one.topic, provider), app.encode(one.message), f"{id}.{number}")
        for number, one in enumerate((outcome, *outcome.more))
    ]


def put(app: Webhooks, received: Received, messages: Messages) -> "asyncio.Future[Any]":
    """Into the stream: done once all of it is durable. Unavailable or Busy, at once or later, when it can't be."""
    if len(messages) == 1:
        return app.bus.ingest(*messages[0])
    return asyncio.gather(*[app.bus.ingest(*message) for message in messages])


async def put_again(app: Webhooks, received: Received, messages: Messages, fault: Fault) -> None:
    """A bus that restarts is waited for as long as the sender waits for us; what it has already isn't kept twice."""
    log.warning("publish again", link=received.link.id, reason=fault.detail)
    try:
        async with asyncio.timeout(app.settings.publish_seconds):
            while True:
                await asyncio.sleep(RETRY_SECONDS)
                try:
                    await put(app, received, messages)
                    return
                except (Unavailable, Busy) as again:
                    log.debug("publish again", link=received.link.id, reason=again.detail)
    except TimeoutError:
        raise Unavailable("The delivery can't be kept now: send it again.", retry_after_seconds=5.0) from None


@cache
def subject(topic: Topic[Any], provider: str) -> str:
    """Providers are few: their subjects are made once."""
    return topic.subject(provider=provider)


def answered(app: Webhooks, received: Received, outcome: Outcome) -> Answer:
    if isinstance(outcome, Accepted):
        _note(app, received, "accepted", "", 202)
        return Answer(202, ACCEPTED, received.id)
    _note(app, received, "ignored", outcome.reason, 202)
    return Answer(202, msgspec.json.encode({"status": "ignored", "reason": outcome.reason}), received.id)


def refusal(app: Webhooks, received: Received | None, fault: Fault) -> Answer:
    put_off = fault.kind in (Kind.UNAVAILABLE, Kind.BUSY)
    outcome = "put_off" if put_off else "refused"
    answer = refused(fault, received.id if received else app.new_id(), close=put_off)
    if received is None:
        app.figures.count("", outcome)
    else:
        _note(app, received, outcome, fault.detail, answer.status)
    return answer


def refused(fault: Fault, request_id: str, *, close: bool = False) -> Answer:
    """What is left of the body is not read where that could take long: the connection ends."""
    status, body, headers = problem_of(fault, request_id)
    return Answer(status, body, request_id, headers, close=close or status in (408, 413, 415))


def _note(app: Webhooks, received: Received, outcome: str, reason: str, status: int) -> None:
    link, accepted = received.link, received.accepted
    seconds = time.perf_counter() - received.started
    app.figures.count(received.provider.name, outcome, seconds)
    app.log.note(
        Logged(
            id=received.id,
            link_id=link.id,
            organization_id=link.organization_id,
            service_id=link.service_id,
            delivery_id=received.delivery_id,
            provider=received.provider.name,
            event=received.event,
            verified=received.verified,
            outcome=outcome,
            reason=reason[:REASON_CHARACTERS],
            status=status,
            repository=accepted.repository if accepted else link.repository,
            ref=accepted.ref if accepted else "",
            after=accepted.after if accepted else "",
            bytes=received.size_bytes,
            milliseconds=seconds * 1000,
            address=received.address,
            received_at=received.received_at,
        )
    )
