"""What the hook counts and times, in Prometheus' text format. One of these per process; no personal data in labels."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

PREFIX = "webmail_panel_hook"
_DELIVERY = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STEP = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_AGE = (1, 2, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400, 432_000)
_BATCH = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Metrics:
    """Names and meanings stand in docs/operate.md."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._decisions = Counter(f"{PREFIX}_decisions", "Decisions by reason", ["reason"], registry=registry)
        self._deferred = Counter(
            f"{PREFIX}_deferred", "Copies told to come again, by cause", ["cause"], registry=registry
        )
        self._quarantined = Counter(f"{PREFIX}_quarantined", "Messages kept for the operator", registry=registry)
        self._refusals = Counter(f"{PREFIX}_refusals", "Replies that Postfix reported as refused", registry=registry)
        self._deliveries = Histogram(
            f"{PREFIX}_delivery_seconds",
            "From a message to its answer",
            registry=registry,
            buckets=_DELIVERY,
        )
        self._steps = Histogram(
            f"{PREFIX}_step_seconds", "Parts of a delivery", ["step"], registry=registry, buckets=_STEP
        )
        self._batches = Histogram(
            f"{PREFIX}_batch_size", "Messages that shared a statement", ["step"], registry=registry, buckets=_BATCH
        )
        self._age = Histogram(
            f"{PREFIX}_copy_age_seconds", "How old a copy is when it comes", registry=registry, buckets=_AGE
        )
        self._oldest = 0.0
        self.connections = Gauge(f"{PREFIX}_connections", "Open LMTP connections", registry=registry)
        self.deciding = Gauge(f"{PREFIX}_deciding", "Messages that wait for their decision", registry=registry)

    def decided(self, reason: str) -> None:
        self._decisions.labels(reason).inc()

    def deferred(self, trouble: Exception) -> None:
        """The cause is the kind of trouble: outage, relayunavailable, beinganswered."""
        self._deferred.labels(type(trouble).__name__.lower()).inc()

    def quarantined(self) -> None:
        self._quarantined.inc()

    def refused(self) -> None:
        self._refusals.inc()

    def came(self, received_at: datetime | None) -> None:
        """A copy with our own Received field: its age by this host's clock."""
        if received_at is not None:
            age = max(0.0, (datetime.now(UTC) - received_at).total_seconds())
            self._age.observe(age)
            self._oldest = max(self._oldest, age)

    def take_oldest(self) -> float:
        """The age in seconds of the oldest copy since this was asked last."""
        oldest, self._oldest = self._oldest, 0.0
        return oldest

    def batch(self, step: str, size: int) -> None:
        self._batches.labels(step).observe(size)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Times a part of a delivery, also one that fails."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._steps.labels(step).observe(time.perf_counter() - begun)

    @contextmanager
    def delivery(self) -> Iterator[None]:
        """Times a whole delivery, and counts it while it lasts."""
        begun = time.perf_counter()
        self.deciding.inc()
        try:
            yield
        finally:
            self.deciding.dec()
            self._deliveries.observe(time.perf_counter() - begun)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)
