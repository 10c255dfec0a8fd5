"""A bounded sample of a stream."""

from __future__ import annotations

import numpy as np

from gnomon.contract.check.sample import NumberSample


def test_a_short_stream_is_kept_whole() -> None:
    """The sample also knows how many rows it was given."""
    sample = NumberSample(10)
    sample.add(np.arange(4.0))
    sample.add(np.arange(4.0, 7.0))
    assert (sample.seen, sorted(sample.values)) == (7, list(range(7)))


def test_every_value_is_as_likely() -> None:
    """Early or late, in a large batch or in a small one: within four standard errors."""
    hits = 0
    for seed in range(400):
        sample = NumberSample(50, seed)
        sample.add(np.zeros(90))
        for _ in range(10):
            sample.add(np.ones(1))
        assert (len(sample.values), sample.seen) == (50, 100)
        hits += int(sample.values.sum())
    expected, error = 400 * 50 * 0.1, np.sqrt(400 * 50 * 0.1 * 0.9)
    assert abs(hits - expected) < 4 * error


def test_two_samples_merge_into_that_of_both() -> None:
    """The size stays, and what was seen adds up."""
    first, second = NumberSample(50, 1), NumberSample(50, 2)
    first.add(np.zeros(1_000))
    second.add(np.ones(1_000))
    first.merge(second)
    assert (first.seen, len(first.values)) == (2_000, 50)
    assert 10 < first.values.sum() < 40
