"""What is counted in plain numbers is what ``/metrics`` shows."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram

from gnomon.service.metrics import _observe

BUCKETS = (0.1, 0.5, 1.0)
VALUES = [0.05, 0.1, 0.100001, 0.7, 1.0, 30.0, 0.0]


def test_values_observed_together_are_as_if_one_by_one() -> None:
    """Buckets, count and sum, also for values on a bucket's edge and past the last."""
    shown = []
    for together in (True, False):
        registry = CollectorRegistry()
        histogram = Histogram("seconds", "s", buckets=BUCKETS, registry=registry)
        if together:
            _observe(histogram, VALUES)
            _observe(histogram, [])
        else:
            for value in VALUES:
                histogram.observe(value)
        [metric] = registry.collect()
        shown.append(
            [
                (s.name, s.labels, round(s.value, 9))
                for s in metric.samples
                if "created" not in s.name
            ]
        )
    assert shown[0] == shown[1]
