"""What the bus brings for deployments: pushes, reports, schedules."""

from typing import Any

from slipway_bus import Subscription, subject_ids
from slipway_contracts.git import GIT_PUSHED, IMAGE_PUSHED
from slipway_contracts.schedules import FIRED
from slipway_contracts.tasks import REPORTED, ClusterReport
from slipway_core.app import Core
from slipway_core.handlers import fired, git_events, image_events, reports

REPORTS_IN_HAND = 256
"""So many are handled in one transaction when they come at once."""


async def reported(app: Core, message: ClusterReport) -> None:
    """The server vouches for the cluster in the subject, the sender for what it says."""
    await reports.reported(app, message, subject_ids()["cluster_id"])


SUBSCRIPTIONS: list[Subscription[Core, Any]] = [
    Subscription(GIT_PUSHED, git_events.pushed, durable="core-pushes", max_in_flight=8),
    Subscription(IMAGE_PUSHED, image_events.pushed, durable="core-images", max_in_flight=8),
    Subscription(REPORTED, reported, durable="core-reports", max_in_flight=REPORTS_IN_HAND),
    Subscription(FIRED, fired.fired, durable="core-schedules", max_in_flight=8),
]
