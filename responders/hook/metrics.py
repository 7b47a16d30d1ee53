"""What the hook counts and times, in Prometheus' text format. One of these per process; no personal data in labels.

Counted for every message, in one thread: so with plain numbers, from which the client library makes its text when
somebody asks. Its own counters take a lock each time.
"""

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

PREFIX = "webmail_panel_hook"
_DELIVERY = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STEP = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_AGE = (1, 2, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400, 432_000)
_BATCH = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class _Observed:
    """How often a value was in each bucket (up to its bound, included), and the sum of all."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        """The counts up to each bound, and the sum."""
        total, found = 0, []
        for bound, count in zip((*map(float, self._bounds), None), self._counts, strict=True):
            total += count
            found.append(("+Inf" if bound is None else str(bound), float(total)))
        return found, self._sum


class _Timing:
    """Times what is done within it, also where that fails."""

    __slots__ = ("_begun", "_observed")

    def __init__(self, observed: _Observed) -> None:
        self._observed = observed

    def __enter__(self) -> None:
        self._begun = time.perf_counter()

    def __exit__(self, *_raised: object) -> None:
        self._observed.observe(time.perf_counter() - self._begun)


class _Delivery(_Timing):
    """The same, counted while it lasts."""

    __slots__ = ("_metrics",)

    def __init__(self, metrics: "Metrics", observed: _Observed) -> None:
        super().__init__(observed)
        self._metrics = metrics

    def __enter__(self) -> None:
        self._metrics.deciding += 1
        super().__enter__()

    def __exit__(self, *raised: object) -> None:
        self._metrics.deciding -= 1
        super().__exit__(*raised)


class Metrics(Collector):
    """Names and meanings stand in docs/operate.md."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._decisions, self._deferred = Counter[str](), Counter[str]()
        self._quarantined = self._refusals = 0
        self._deliveries, self._age = _Observed(_DELIVERY), _Observed(_AGE)
        self._steps = defaultdict[str, _Observed](partial(_Observed, _STEP))
        self._batches = defaultdict[str, _Observed](partial(_Observed, _BATCH))
        self._oldest = 0.0
        self.connections = 0  # open now
        self.deciding = 0  # messages that wait for their decision
        self._registry.register(self)

    def decided(self, reason: str) -> None:
        self._decisions[reason] += 1

    def deferred(self, trouble: Exception) -> None:
        """The cause is the kind of trouble: outage, relayunavailable, beinganswered."""
        self._deferred[type(trouble).__name__.lower()] += 1

    def quarantined(self) -> None:
        self._quarantined += 1

    def refused(self) -> None:
        self._refusals += 1

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

    def shared(self, step: str, size: int) -> _Timing:
        """Times a part that so many share, and counts them."""
        self._batches[step].observe(size)
        return self.timed(step)

    def timed(self, step: str) -> _Timing:
        """Times a part of a delivery."""
        return _Timing(self._steps[step])

    def delivery(self) -> _Delivery:
        """Times a whole delivery, and counts it while it lasts."""
        return _Delivery(self, self._deliveries)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """What the client library asks for."""
        yield _counter("decisions", "Decisions by reason", self._decisions, "reason")
        yield _counter("deferred", "Copies told to come again, by cause", self._deferred, "cause")
        yield _counter("quarantined", "Messages kept for the operator", self._quarantined)
        yield _counter("refusals", "Replies that Postfix reported as refused", self._refusals)
        yield _histogram("delivery_seconds", "From a message to its answer", self._deliveries)
        yield _histogram("step_seconds", "Parts of a delivery", self._steps, "step")
        yield _histogram("batch_size", "Messages that shared a statement", self._batches, "step")
        yield _histogram("copy_age_seconds", "How old a copy is when it comes", self._age)
        yield GaugeMetricFamily(f"{PREFIX}_connections", "Open LMTP connections", self.connections)
        yield GaugeMetricFamily(f"{PREFIX}_deciding", "Messages that wait for their decision", self.deciding)


def _counter(name: str, words: str, counted: int | Counter[str], label: str = "") -> Metric:
    if isinstance(counted, int):
        return CounterMetricFamily(f"{PREFIX}_{name}", words, counted)
    family = CounterMetricFamily(f"{PREFIX}_{name}", words, labels=[label])
    for value, count in sorted(counted.items()):
        family.add_metric([value], count)
    return family


def _histogram(name: str, words: str, observed: _Observed | dict[str, _Observed], label: str = "") -> Metric:
    family = HistogramMetricFamily(f"{PREFIX}_{name}", words, labels=[label] if label else [])
    for value, one in (observed if isinstance(observed, dict) else {"": observed}).items():
        buckets, total = one.buckets()
        family.add_metric([value] if label else [], buckets, total)
    return family
