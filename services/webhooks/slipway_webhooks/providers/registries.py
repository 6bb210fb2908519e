"""Container registries: Docker Hub, Harbor, and the notifications of the Distribution registry that many others send.

None of them signs. Harbor and Distribution send a header that one chooses; Docker Hub can't, so its secret stands in
the address (`?token=`), which we log nowhere.
"""

import msgspec

from slipway_contracts.git import IMAGE_PUSHED, ImagePush
from slipway_webhooks.providers.provider import (
    JSON,
    Accepted,
    Delivery,
    Ignored,
    Outcome,
    Part,
    Provider,
    always,
    id_of_body,
    numbered,
    several,
)
from slipway_webhooks.signatures import in_authorization_or_address

IMAGES = 100
"""Harbor sends up to ten in one notification."""


def image(delivery: Delivery, number: int, *, name: str, tag: str, digest: str, pusher: str) -> Accepted:
    """One image among those that a delivery tells of."""
    link = delivery.link
    message = ImagePush(
        link_id=link.id,
        delivery_id=numbered(delivery.id, number),
        provider=link.provider,
        organization_id=link.organization_id,
        image=name,
        tag=tag,
        digest=digest,
        pusher=pusher,
        received_at=delivery.received_at,
    )
    return Accepted(IMAGE_PUSHED, message, name, tag, digest)


def other_image(delivery: Delivery, name: str) -> Ignored | None:
    """A link that names an image speaks for it alone."""
    wanted = delivery.link.repository.lower()
    if wanted and name.lower() != wanted and not name.lower().endswith("/" + wanted):
        return Ignored(f"This link is for {delivery.link.repository}, the delivery is about another image.")
    return None


class HubData(Part, frozen=True):
    tag: str
    pusher: str = ""


class HubRepository(Part, frozen=True):
    repo_name: str


class HubPayload(Part, frozen=True):
    push_data: HubData
    repository: HubRepository


_hub = msgspec.json.Decoder(HubPayload)


def _hub_pushed(delivery: Delivery) -> Outcome:
    payload = _hub.decode(delivery.body)
    name, data = payload.repository.repo_name, payload.push_data
    return other_image(delivery, name) or image(
        delivery, 0, name=f"docker.io/{name}", tag=data.tag, digest="", pusher=data.pusher
    )


class HarborResource(Part, frozen=True):
    digest: str = ""
    tag: str = ""
    resource_url: str = ""


class HarborRepository(Part, frozen=True):
    repo_full_name: str


class HarborData(Part, frozen=True):
    repository: HarborRepository
    resources: list[HarborResource]


class HarborPayload(Part, frozen=True):
    """Harbor's own form, or a CloudEvent with the same data in it."""

    type: str
    event_data: HarborData | None = None
    data: HarborData | None = None
    operator: str = ""


class HarborType(Part, frozen=True):
    type: str


_harbor = msgspec.json.Decoder(HarborPayload)
_harbor_type = msgspec.json.Decoder(HarborType)
HARBOR_PUSHES = ("PUSH_ARTIFACT", "harbor.artifact.pushed")


def _harbor_pushed(delivery: Delivery) -> Outcome:
    kind = _harbor_type.decode(delivery.body).type
    if kind not in HARBOR_PUSHES:
        return Ignored(f"Nothing follows from Harbor's {kind[:64]}.")
    payload = _harbor.decode(delivery.body)
    data = payload.event_data or payload.data
    if data is None or not data.resources:
        return Ignored("Harbor names no image.")
    other = other_image(delivery, data.repository.repo_full_name)
    return other or several(
        [
            image(
                delivery,
                number,
                name=_without_tag(one) or data.repository.repo_full_name,
                tag="" if one.tag.startswith("sha256:") else one.tag,
                digest=one.digest,
                pusher=payload.operator,
            )
            for number, one in enumerate(data.resources[:IMAGES])
        ]
    )


def _without_tag(resource: HarborResource) -> str:
    """The registry's host and the image: the address, without the tag or digest at its end."""
    name = resource.resource_url.partition("@")[0]
    return name.removesuffix(f":{resource.tag}") if resource.tag else name


class RegistryTarget(Part, frozen=True):
    repository: str = ""
    tag: str = ""
    digest: str = ""


class RegistryHost(Part, frozen=True):
    host: str = ""


class RegistryActor(Part, frozen=True):
    name: str = ""


class RegistryEvent(Part, frozen=True):
    action: str
    target: RegistryTarget
    request: RegistryHost | None = None
    actor: RegistryActor | None = None


class RegistryPayload(Part, frozen=True):
    events: list[RegistryEvent]


_registry = msgspec.json.Decoder(RegistryPayload)


def _registry_pushed(delivery: Delivery) -> Outcome:
    """Layers and manifests without a tag come as pushes too: only a tag is an image that somebody named."""
    tagged = [one for one in _registry.decode(delivery.body).events if one.action == "push" and one.target.tag]
    told = [one for one in tagged if other_image(delivery, one.target.repository) is None][:IMAGES]
    if not told:
        return Ignored("No tag was pushed of the image that this link is for.")
    return several(
        [
            image(
                delivery,
                number,
                name="/".join(
                    part for part in (one.request.host if one.request else "", one.target.repository) if part
                ),
                tag=one.target.tag,
                digest=one.target.digest,
                pusher=one.actor.name if one.actor else "",
            )
            for number, one in enumerate(told)
        ]
    )


DOCKERHUB = Provider(
    name="dockerhub",
    proof=in_authorization_or_address,
    delivery_id=id_of_body,
    event=always("push"),
    events={"push": _hub_pushed},
)
HARBOR = Provider(
    name="harbor",
    proof=in_authorization_or_address,
    delivery_id=id_of_body,
    event=always("notification"),
    events={"notification": _harbor_pushed},
    content_types=JSON | {"application/cloudevents+json"},
)
REGISTRY = Provider(
    name="registry",
    proof=in_authorization_or_address,
    delivery_id=id_of_body,
    event=always("notification"),
    events={"notification": _registry_pushed},
    content_types=JSON | {"application/vnd.docker.distribution.events.v1+json"},
)
