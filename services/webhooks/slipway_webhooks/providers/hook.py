"""A hook for CI systems, signed as Standard Webhooks says: they tell that an image is ready, or a ref moved.

{"type": "image.pushed", "data": {"image": "ghcr.io/acme/shop", "tag": "1.4", "digest": "sha256:…"}}
{"type": "push", "data": {"repository": "acme/shop", "ref": "refs/heads/main", "before": "…", "after": "…"}}
{"type": "ping"}
"""

import msgspec

from slipway_contracts.git import GIT_PUSHED, Push
from slipway_webhooks.providers.provider import (
    NOTHING,
    Accepted,
    Delivery,
    Ignored,
    Outcome,
    Part,
    Provider,
    always,
    id_in,
    ping,
    same_repository,
)
from slipway_webhooks.providers.registries import image, other_image
from slipway_webhooks.signatures import standard


class Envelope(Part, frozen=True):
    type: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class Image(Part, frozen=True):
    image: str
    tag: str = ""
    digest: str = ""
    pusher: str = ""


class Moved(Part, frozen=True):
    repository: str
    ref: str
    after: str
    before: str = NOTHING
    clone_url: str = ""
    pusher: str = ""
    paths: list[str] | None = None


_envelope = msgspec.json.Decoder(Envelope)
_image = msgspec.json.Decoder(Image)
_moved = msgspec.json.Decoder(Moved)


def told(delivery: Delivery) -> Outcome:
    """What the CI system says."""
    envelope = _envelope.decode(delivery.body)
    if envelope.type == "image.pushed":
        return _image_pushed(delivery, _image.decode(envelope.data))
    if envelope.type == "push":
        return _pushed(delivery, _moved.decode(envelope.data))
    if envelope.type == "ping":
        return ping(delivery)
    return Ignored(f"There is no {envelope.type[:64]!r} here: send image.pushed, push or ping.")


def _image_pushed(delivery: Delivery, said: Image) -> Outcome:
    return other_image(delivery, said.image) or image(
        delivery, 0, name=said.image, tag=said.tag, digest=said.digest, pusher=said.pusher
    )


def _pushed(delivery: Delivery, said: Moved) -> Outcome:
    link = delivery.link
    foreign = same_repository(link, said.repository)
    if foreign is not None:
        return foreign
    message = Push(
        link_id=link.id,
        delivery_id=delivery.id,
        provider=link.provider,
        organization_id=link.organization_id,
        repository=said.repository,
        clone_url=link.clone_url or said.clone_url,
        ref=said.ref,
        before=said.before,
        after=said.after,
        paths=said.paths,
        pusher=said.pusher,
        received_at=delivery.received_at,
    )
    return Accepted(GIT_PUSHED, message, message.repository, message.ref, message.after)


PROVIDER = Provider(
    name="hook",
    proof=standard,
    delivery_id=id_in("webhook-id"),
    event=always("event"),
    events={"event": told},
)
