"""Figures of the HTTP server for Prometheus: requests by route and status, their time, what is open."""

from functools import cache

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Measures:
    """One set per registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        self.requests = Counter(
            "slipway_http_requests_total", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "slipway_http_request_seconds",
            "Time from a request's headers to its answer",
            ["method", "route"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.open = Gauge("slipway_http_requests_open", "Requests being handled, sockets among them", registry=registry)

    def text(self) -> bytes:
        """What /metrics answers."""
        return generate_latest(self.registry)


@cache
def measures_of(registry: CollectorRegistry = REGISTRY) -> Measures:
    """The one set of a registry: several servers may share a process."""
    return Measures(registry)
