"""What the handlers of the gateway may use."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from slipway_bus import Bus
from slipway_contracts.base import Message
from slipway_webhooks.bodies import Budget
from slipway_webhooks.deliverylog import DeliveryLog
from slipway_webhooks.figures import Figures
from slipway_webhooks.ids import Ids
from slipway_webhooks.links import Links
from slipway_webhooks.settings import Settings


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Webhooks:
    settings: Settings
    bus: Bus
    links: Links
    log: DeliveryLog
    budget: Budget
    open_requests: int = 0
    now: Callable[[], datetime] = field(default=_now)
    new_id: Callable[[], str] = field(default_factory=Ids)
    encode: Callable[[Message], bytes] = field(default_factory=lambda: msgspec.json.Encoder().encode)
    figures: Figures = field(init=False)

    def __post_init__(self) -> None:
        self.figures = Figures(lambda: self.open_requests, lambda: self.log.dropped)
