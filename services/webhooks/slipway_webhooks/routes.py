"""Everything that can reach the gateway."""

from slipway_contracts.access import Permission
from slipway_http import Route
from slipway_webhooks.handlers import deliveries, hooks
from slipway_webhooks.settings import MIB
from slipway_webhooks.stores.deliveries import Logged

ROUTES = (
    Route(
        "POST",
        "/hooks/{provider}/{link}",
        hooks.receive,
        needs=Permission.PUBLIC,  # the signature proves the link
        raw=True,
        max_body_bytes=32 * MIB,
        summary="Take a delivery of a Git provider",
        tag="Webhooks",
    ),
    Route(
        "GET",
        "/hooks/organization/{organizationId}/delivery",
        deliveries.of_organization,
        needs=Permission.READ,
        of="organization",
        query=deliveries.Page,
        returns=deliveries.DeliveryList,
        summary="List what came for an organization",
        tag="Webhooks",
    ),
    Route(
        "GET",
        "/hooks/link/{linkId}/delivery",
        deliveries.of_link,
        needs=Permission.SIGNED_IN,  # the handler checks READ on what the link is for
        query=deliveries.Page,
        returns=deliveries.DeliveryList,
        summary="List what came to a link",
        tag="Webhooks",
    ),
    Route(
        "POST",
        "/hooks/entry/{entryId}/replay",
        deliveries.replay,
        needs=Permission.SIGNED_IN,  # the handler checks DEPLOY on what the delivery was for
        returns=Logged,
        status=202,
        summary="Send what a delivery meant once more",
        tag="Webhooks",
    ),
)
