"""Gitea and Forgejo: the signature is bare hex, also where GitHub's headers come along."""

from slipway_webhooks.providers.provider import Provider, id_in
from slipway_webhooks.providers.pushes import pushed
from slipway_webhooks.providers.requests import commented, requested
from slipway_webhooks.signatures import header, signed

PROVIDER = Provider(
    name="gitea",
    proof=signed("X-Forgejo-Signature", "X-Gitea-Signature"),
    delivery_id=id_in("X-Forgejo-Delivery", "X-Gitea-Delivery"),
    event=header("X-Forgejo-Event", "X-Gitea-Event"),
    events={
        "push": pushed,
        "pull_request": requested,
        "pull_request_sync": requested,
        "pull_request_label": requested,
        "issue_comment": commented,
        "pull_request_comment": commented,
    },
)
