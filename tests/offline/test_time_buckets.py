"""Sums by time bucket stay exact while the buckets widen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.offline.time_buckets import (
    FROM_HOURS,
    FROM_MINUTES,
    FROM_SECONDS,
    NO_TIME,
    TimeSums,
    moved,
    numbered,
    wider,
)


@pytest.mark.parametrize("widths", [FROM_SECONDS, FROM_MINUTES, FROM_HOURS])
def test_each_width_is_a_whole_multiple_of_the_one_before(widths: tuple[int, ...]) -> None:
    """Otherwise buckets could not be merged."""
    for one, next_ in itertools.pairwise(widths):
        assert next_ % one == 0
        assert wider(widths, one) == next_
    assert wider(widths, widths[-1]) is None


def test_a_moment_without_a_time_has_a_bucket_of_its_own() -> None:
    """Before 1970 bucket numbers are negative, and each hour keeps its own."""
    times = np.array([0.0, 59.9, 60.0, -0.1, np.nan, np.inf])
    assert numbered(times, 60).tolist() == [0, 0, 1, -1, NO_TIME, NO_TIME]
    assert [moved(bucket, 60, 3_600) for bucket in (59, 60, -1, NO_TIME)] == [0, 1, -1, NO_TIME]


def summed(parts: list[list[float]], held: int) -> TimeSums:
    """Count one row for each time, in parts."""
    sums = TimeSums(FROM_MINUTES, held, 1)
    for part in parts:
        buckets, places = sums.split(np.array(part, float))
        counts = np.bincount(places, minlength=len(buckets)).astype(float)[:, None]
        sums.add(buckets, {"rows": counts})
    return sums


@given(st.lists(st.lists(st.floats(-1e9, 2e9), min_size=1, max_size=20), min_size=1, max_size=6))
def test_widening_loses_no_row_and_holds_no_more_than_it_may(parts: list[list[float]]) -> None:
    """For any range, the result is as if all times had been counted in the last width."""
    sums = summed(parts, held=8)
    everything = np.concatenate(parts)
    assert len(sums.numbers) <= 8 or sums.seconds == FROM_MINUTES[-1]
    numbers, counts = np.unique(numbered(everything, sums.seconds), return_counts=True)
    assert sums.numbers.tolist() == numbers.tolist()
    assert sums.series["rows"][:, 0].tolist() == counts.tolist()


def test_a_range_may_be_made_to_fit() -> None:
    """Two times an hour apart are two buckets, but sixty minutes of axis."""
    sums = summed([[0.0, 3_600.0]], held=100)
    assert sums.seconds == 60
    sums.fit(10)
    assert sums.seconds == 900
    assert sums.numbers.tolist() == [0, 4]
