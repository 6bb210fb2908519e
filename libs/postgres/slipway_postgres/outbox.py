"""The outbox: messages written in the transaction of the change they tell of.

Order: the messages of one aggregate go out in the order of their commits, provided that a transaction locks or changes
the aggregate's own row before it adds (it has to, to know the version).
"""

from typing import TypeVar

import msgspec
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import get_contextvars

from slipway_contracts.base import Message, Topic
from slipway_postgres.connections import Connection

M = TypeVar("M", bound=Message)
REQUEST_ID = "Slipway-Request-Id"
ADD = "INSERT INTO outbox (id, aggregate, subject, payload, headers) VALUES ($1, $2, $3, $4, $5)"
_propagator = TraceContextTextMapPropagator()


class Outbox:
    """Messages that go out when the transaction of this connection commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, topic: Topic[M], message: M, *, id: str, aggregate: str, **ids: str) -> None:
        """Publish `message` after the commit. `id` is stable: publishing it again is no second message."""
        subject = topic.subject(**ids)
        headers = msgspec.json.encode(_headers()).decode()
        await self._connection.execute(ADD, id, aggregate, subject, msgspec.json.encode(message), headers)


def _headers() -> dict[str, str]:
    """The trace and request of now: by the time the relay publishes, both are over."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    if request_id := get_contextvars().get("request_id"):
        carrier[REQUEST_ID] = str(request_id)
    return carrier
