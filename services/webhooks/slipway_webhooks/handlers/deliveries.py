"""The delivery log, read: what came, what was decided, why."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from slipway_contracts.access import Permission
from slipway_contracts.base import Topic, uuid7
from slipway_contracts.git import GIT_COMMENTED, GIT_PULL_REQUESTED, GIT_PUSHED, IMAGE_PUSHED
from slipway_errors import NotFound
from slipway_http import Call
from slipway_postgres import reading
from slipway_webhooks.app import Webhooks
from slipway_webhooks.problems import NothingToReplay, UnknownLink
from slipway_webhooks.providers.provider import numbered
from slipway_webhooks.stores.deliveries import Deliveries, Logged

UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"

TOPICS: tuple[Topic[Any], ...] = (GIT_PUSHED, GIT_PULL_REQUESTED, GIT_COMMENTED, IMAGE_PUSHED)
NUMBERED = re.compile(r"\.[0-9]{1,3}$")
CLOCKS_APART, LONGEST = timedelta(seconds=30), timedelta(minutes=2)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the log."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    before: Annotated[str, Meta(pattern=UUID)] | None = None
    """Id of the oldest delivery that is known already."""


class DeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, the newest first."""

    results: list[Logged]


async def of_organization(app: Webhooks, call: Call[None]) -> DeliveryList:
    """What came for an organization."""
    page: Page = call.query
    async with reading(app.log.pool) as connection:
        found = await Deliveries(connection).of_organization(call.place.organization_id, page.before, page.limit)
    return DeliveryList(results=found)


async def replay(app: Webhooks, call: Call[None]) -> Logged:
    """Send what a delivery meant once more, as a delivery of its own."""
    if not re.fullmatch(UUID, call.path["entryId"]):
        raise NotFound
    async with reading(app.log.pool) as connection:
        entry = await Deliveries(connection).get(call.path["entryId"])
    if entry is None:
        raise NotFound
    kind, id = ("service", entry.service_id) if entry.service_id else ("organization", entry.organization_id)
    await call.locate(kind, id, Permission.DEPLOY)
    again = msgspec.structs.replace(
        entry,
        id=app.new_id(),
        delivery_id=f"{entry.delivery_id[:80]}.{uuid7()}",
        reason=f"Sent again by {call.caller.name}.",
        bytes=0,
        milliseconds=0.0,
        address=call.address,
        received_at=app.now(),
        replay_of=entry.id,
    )
    await _publish_again(app, entry, again)
    app.log.note(again)
    return again


async def _publish_again(app: Webhooks, entry: Logged, again: Logged) -> None:
    """The stream itself has what the delivery meant, for as long as it keeps it."""
    if entry.outcome != "accepted":
        raise NothingToReplay(f"It was {entry.outcome}: {entry.reason}" if entry.reason else "")
    found = [(topic, message) for topic in TOPICS async for message in _kept(app, topic, entry)]
    if not found:
        raise NothingToReplay("What it meant is no longer kept: let the provider send it again.")
    for number, (topic, message) in enumerate(found):
        changed = msgspec.structs.replace(
            message, delivery_id=numbered(again.delivery_id, number), received_at=again.received_at
        )
        id = f"{again.link_id}.{again.delivery_id}.{number}"
        await app.bus.publish(topic, changed, id=id, provider=again.provider)


async def _kept(app: Webhooks, topic: Topic[Any], entry: Logged) -> AsyncIterator[Any]:
    since, until = entry.received_at - CLOCKS_APART, entry.received_at + LONGEST
    async for stored in app.bus.history(topic, since=since, provider=entry.provider):
        message = stored.message
        id = message.delivery_id
        own = id == entry.delivery_id or NUMBERED.sub("", id) == entry.delivery_id
        if own and message.link_id == entry.link_id:
            yield message
        if stored.at > until:
            return


async def of_link(app: Webhooks, call: Call[None]) -> DeliveryList:
    """What came to one link, for those who may see the service (or organization) that it is for."""
    try:
        link = app.links.get(call.path["linkId"])
    except UnknownLink:
        # The same answer as for a link of somebody else.
        raise NotFound from None
    kind, id = ("service", link.service_id) if link.service_id else ("organization", link.organization_id)
    await call.locate(kind, id, Permission.READ)
    page: Page = call.query
    async with reading(app.log.pool) as connection:
        found = await Deliveries(connection).of_link(link.id, page.before, page.limit)
    return DeliveryList(results=found)
