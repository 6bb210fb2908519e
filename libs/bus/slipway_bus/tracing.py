"""What travels in the headers of every message: trace context (W3C traceparent) and the id of the request.

The request id lives in structlog's context, so that whoever binds `request_id` there has it on the bus as well.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars, get_contextvars

REQUEST_ID = "Slipway-Request-Id"

_propagator = TraceContextTextMapPropagator()


def outgoing_headers(headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """`headers` with the present trace and request id added."""
    carrier = dict(headers or {})
    _propagator.inject(carrier)
    request_id = get_contextvars().get("request_id")
    if request_id and REQUEST_ID not in carrier:
        carrier[REQUEST_ID] = str(request_id)
    return carrier


@contextmanager
def continued(headers: Mapping[str, str] | None) -> Iterator[None]:
    """Work inside the trace and request that a message came from."""
    headers = headers or {}
    token = context.attach(_propagator.extract(headers))
    try:
        if REQUEST_ID in headers:
            with bound_contextvars(request_id=headers[REQUEST_ID]):
                yield
        else:
            yield
    finally:
        context.detach(token)
