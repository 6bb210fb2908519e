"""What a provider is to the gateway."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from slipway_contracts.base import Message, Topic
from slipway_contracts.git import Comment, GitLink
from slipway_webhooks.signatures import Headers, Proof, Sent

JSON = frozenset({"application/json"})
HEADS, TAGS = "refs/heads/", "refs/tags/"
NOTHING = "0" * 40
MOST_COMMITS = 2048
"""GitHub lists no more; then the changed paths are not all told."""
MESSAGE_CHARACTERS = 4000
PATHS = 5000
LABELS = 100
ARGUMENTS_CHARACTERS = 200
COMMAND = re.compile(r"^[ \t]*/slipway[ \t]+(preview|deploy)(?:[ \t]+([^\r\n]*))?[ \t]*\r?$", re.MULTILINE)


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A delivery that means something, normalised."""

    topic: Topic[Any]
    message: Message
    repository: str = ""
    ref: str = ""
    after: str = ""
    more: tuple["Accepted", ...] = ()
    """What else it means: a delivery may tell of several refs or images."""


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """A delivery that was understood, and why nothing follows from it."""

    reason: str


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A verified delivery, before it is read."""

    link: GitLink
    id: str
    event: str
    body: bytes
    received_at: datetime


Outcome = Accepted | Ignored
Normaliser = Callable[[Delivery], Outcome]


@dataclass(frozen=True)
class Provider:
    """How a provider speaks."""

    name: str
    """What a link and a normalised message call it."""
    proof: Proof
    delivery_id: Callable[[Sent], str]
    """Its id of the delivery, the same when it is sent again; empty when there is none."""
    event: Callable[[Headers], str]
    events: Mapping[str, Normaliser]
    """What is understood, by event."""
    content_types: frozenset[str] = JSON

    def normalise(self, delivery: Delivery) -> Outcome:
        """What a delivery means. msgspec's DecodeError when its body is not what its event promises."""
        normaliser = self.events.get(delivery.event)
        if normaliser is None:
            return Ignored(f"Slipway does nothing on the event {delivery.event!r}.")
        return normaliser(delivery)


def id_in(*names: str) -> Callable[[Sent], str]:
    """The id stands in the first of these headers that is there."""

    def read(sent: Sent) -> str:
        for name in names:
            value = sent.headers.get(name)
            if value is not None:
                return value
        return ""

    return read


def id_of_body(sent: Sent) -> str:
    """For those who send no id: the same bytes are the same delivery. Their bodies bear a time."""
    return hashlib.sha256(sent.body).hexdigest()


def always(event: str) -> Callable[[Headers], str]:
    """For those who say in the body what happened."""
    return lambda _: event


def ping(_: Delivery) -> Ignored:
    """The provider asks whether anybody is there."""
    return Ignored("The link works.")


def same_repository(link: GitLink, full_name: str) -> Ignored | None:
    """A link speaks for its own repository only."""
    if link.repository and full_name.lower() != link.repository.lower():
        return Ignored(f"This link is for {link.repository}, the delivery is about another repository.")
    return None


def several(events: list[Accepted]) -> Accepted:
    """One outcome of all of them."""
    first, *rest = events
    return Accepted(first.topic, first.message, first.repository, first.ref, first.after, tuple(rest))


def numbered(id: str, number: int) -> str:
    """The id of one of several things that a delivery tells: core takes each once."""
    return id if number == 0 else f"{id}.{number}"


def command(text: str | None) -> tuple[str, str] | None:
    """The first command to us in a comment, on a line of its own, and its arguments."""
    found = COMMAND.search(text or "")
    return (found[1], (found[2] or "").strip()[:ARGUMENTS_CHARACTERS]) if found else None


def no_command() -> Ignored:
    return Ignored("The comment has no line with a command: /slipway preview, /slipway deploy.")


def comment(delivery: Delivery, text: str | None, **fields: Any) -> Comment | None:
    """The message for a comment; None without a command in it."""
    found = command(text)
    if found is None:
        return None
    link = delivery.link
    return Comment(
        link_id=link.id,
        delivery_id=delivery.id,
        provider=link.provider,
        organization_id=link.organization_id,
        command=found[0],
        arguments=found[1],
        received_at=delivery.received_at,
        **fields,
    )


def aware(at: datetime | None) -> datetime | None:
    """A time that says where it is meant, or none."""
    return at if at is not None and at.tzinfo else None


class Part(msgspec.Struct, frozen=True, gc=False):
    """A part of a payload: only what is needed is decoded, the rest is skipped."""
