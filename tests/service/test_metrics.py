"""What a gateway counts and measures."""

from __future__ import annotations

from contextlib import closing

import pytest

from gnomon.service.metrics import Metrics
from gnomon.shadow.shadow_counts import Latency

pytestmark = pytest.mark.filterwarnings("ignore:bentoml.metrics:DeprecationWarning")


def test_latency_is_of_the_present_live_artifact() -> None:
    """A promotion and a rollback begin anew; a batch that was under way then counts for nobody."""
    with closing(Metrics("toy")) as metrics:
        metrics.batch(1, 30_000, epoch=1)
        assert metrics.worker_latency(1) == Latency(p50=30, p99=30)
        assert metrics.worker_latency(2) is None
        metrics.batch(1, 5_000, epoch=2)
        metrics.batch(1, 30_000, epoch=1)
        assert metrics.worker_latency(2) == Latency(p50=5, p99=5)
        assert metrics.worker_latency(3) is None  # Rolled back: the one of epoch 1 is live again.
