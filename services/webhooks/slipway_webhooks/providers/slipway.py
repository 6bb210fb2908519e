"""The built-in remote (services/git): it signs like everybody else."""

import msgspec

from slipway_contracts.git import GIT_PUSHED, Push, RemotePush
from slipway_webhooks.providers.provider import Accepted, Delivery, Outcome, Provider, id_in, ping, same_repository
from slipway_webhooks.signatures import header, signed

_decoder = msgspec.json.Decoder(RemotePush)


def pushed(delivery: Delivery) -> Outcome:
    """A ref of a repository of the built-in remote moved."""
    payload = _decoder.decode(delivery.body)
    link = delivery.link
    foreign = same_repository(link, payload.repository)
    if foreign is not None:
        return foreign
    message = Push(
        link_id=link.id,
        delivery_id=delivery.id,
        provider=link.provider,
        organization_id=link.organization_id,
        repository=payload.repository,
        clone_url=link.clone_url or payload.clone_url,
        ref=payload.ref,
        before=payload.before,
        after=payload.after,
        forced=payload.forced,
        head=payload.head,
        commit_count=payload.commit_count,
        paths=payload.paths,
        pusher=payload.pusher,
        received_at=delivery.received_at,
    )
    return Accepted(GIT_PUSHED, message, message.repository, message.ref, message.after)


PROVIDER = Provider(
    name="slipway",
    proof=signed("X-Slipway-Signature", prefix="sha256="),
    delivery_id=id_in("X-Slipway-Delivery"),
    event=header("X-Slipway-Event"),
    events={"push": pushed, "ping": ping},
)
