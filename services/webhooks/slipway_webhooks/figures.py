"""Figures of deliveries for Prometheus: counted in plain numbers, turned into samples when somebody asks."""

from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Figures(Collector):
    """How many deliveries became what, and how long they took."""

    def __init__(self, open_requests: Callable[[], int] = lambda: 0, dropped: Callable[[], int] = lambda: 0) -> None:
        self._outcomes: dict[tuple[str, str], int] = {}
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self._open = open_requests
        self._dropped = dropped

    def count(self, provider: str, outcome: str, seconds: float | None = None) -> None:
        key = (provider, outcome)
        self._outcomes[key] = self._outcomes.get(key, 0) + 1
        if seconds is not None:
            self._buckets[bisect_left(BUCKETS, seconds)] += 1
            self._seconds += seconds

    def collect(self) -> Iterable[Metric]:
        outcomes = CounterMetricFamily(
            "slipway_webhooks_deliveries", "Deliveries by what became of them", labels=["provider", "outcome"]
        )
        for labels, value in self._outcomes.items():
            outcomes.add_metric(labels, value)
        yield outcomes
        yield self._histogram()
        yield GaugeMetricFamily("slipway_webhooks_open", "Deliveries being handled", value=self._open())
        yield CounterMetricFamily(
            "slipway_webhooks_log_dropped", "Deliveries that the log had no room for", value=self._dropped()
        )

    def _histogram(self) -> Metric:
        cumulated, buckets = 0, []
        for limit, value in zip([*map(str, BUCKETS), "+Inf"], self._buckets, strict=True):
            cumulated += value
            buckets.append((limit, cumulated))
        histogram = HistogramMetricFamily("slipway_webhooks_delivery_seconds", "Time from headers to answer")
        histogram.add_metric([], buckets, self._seconds)
        return histogram


@asynccontextmanager
async def registered(figures: Figures, registry: CollectorRegistry = REGISTRY) -> AsyncIterator[Figures]:
    """Shown at /metrics until the end of the block."""
    registry.register(figures)
    try:
        yield figures
    finally:
        registry.unregister(figures)
