"""Gitea and Forgejo: the signature is bare hex, also where GitHub's headers come along.

A deleted branch comes as `delete` only; a deleted tag as that and as a push, and is told twice, which changes nothing.
"""

import msgspec

from slipway_contracts.git import GIT_PUSHED, Push
from slipway_webhooks.providers.provider import (
    HEADS,
    NOTHING,
    TAGS,
    Accepted,
    Delivery,
    Ignored,
    Outcome,
    Part,
    Provider,
    id_in,
    same_repository,
)
from slipway_webhooks.providers.pushes import Person, Repository, pushed
from slipway_webhooks.providers.requests import commented, requested
from slipway_webhooks.signatures import header, signed


class DeletedPayload(Part, frozen=True):
    ref: str
    ref_type: str
    repository: Repository
    sender: Person | None = None


_decoder = msgspec.json.Decoder(DeletedPayload)


def deleted(delivery: Delivery) -> Outcome:
    """A branch or tag went; which commit it was at is not told."""
    payload, link = _decoder.decode(delivery.body), delivery.link
    foreign = same_repository(link, payload.repository.full_name)
    if foreign is not None:
        return foreign
    kind = {"branch": HEADS, "tag": TAGS}.get(payload.ref_type)
    if kind is None:
        return Ignored(f"Nothing follows from a deleted {payload.ref_type[:64]}.")
    message = Push(
        link_id=link.id,
        delivery_id=delivery.id,
        provider=link.provider,
        organization_id=link.organization_id,
        repository=payload.repository.full_name,
        clone_url=link.clone_url or payload.repository.clone_url,
        ref=kind + payload.ref.removeprefix(kind),
        before="",
        after=NOTHING,
        pusher=(payload.sender.login or payload.sender.username) if payload.sender else "",
        received_at=delivery.received_at,
    )
    return Accepted(GIT_PUSHED, message, message.repository, message.ref, message.after)


PROVIDER = Provider(
    name="gitea",
    proof=signed("X-Forgejo-Signature", "X-Gitea-Signature"),
    delivery_id=id_in("X-Forgejo-Delivery", "X-Gitea-Delivery"),
    event=header("X-Forgejo-Event", "X-Gitea-Event"),
    events={
        "push": pushed,
        "delete": deleted,
        "pull_request": requested,
        "pull_request_sync": requested,
        "pull_request_label": requested,
        "issue_comment": commented,
        "pull_request_comment": commented,
    },
)
