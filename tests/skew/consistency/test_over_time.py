"""Consistency of each column, hour by hour."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.compare.comparators import Compared, compare
from gnomon.policy import Policy, Rules
from gnomon.report import MetricsBucket
from gnomon.skew.consistency.over_time import ColumnTimeSeries
from gnomon.skew.consistency.reported_columns import Kind

RULES = Policy().rules(
    pa.schema([pa.field("prediction", pa.float64()), pa.field("carrier", pa.string())]), same=True
)
KINDS: dict[str, Kind] = {"prediction": "output", "carrier": "feature"}

HOUR = 3_600


def sides(count: int) -> Compared:
    """Every third prediction is 2 higher on the left; every fourth carrier is null there."""
    numbers = np.arange(count)
    left = pa.table(
        {
            "prediction": np.where(numbers % 3 == 0, 3.0, 1.0),
            "carrier": pa.array([None if n % 4 == 0 else "AA" for n in numbers], pa.string()),
        }
    )
    right = pa.table({"prediction": np.ones(count), "carrier": ["AA"] * count})
    return compare(left, right, RULES)


def buckets_of(series: ColumnTimeSeries) -> dict[str, list[MetricsBucket]]:
    return {c.column: list(c.buckets) for c in series.build(KINDS)}


def test_each_hour_has_its_own_metrics() -> None:
    """Shares are of the rows of that hour; differences of those with both values."""
    series = ColumnTimeSeries()
    series.add(np.repeat([10.0, 5 * HOUR], 12), sides(24).columns)
    found = buckets_of(series)
    first, second = found["prediction"]
    assert (first.start, second.start) == (
        "1970-01-01T00:00:00+00:00",
        "1970-01-01T05:00:00+00:00",
    )
    assert (first.rows, first.coverage) == (12, 1.0)
    assert first.consistency == pytest.approx(8 / 12)
    assert first.mean_difference == pytest.approx(4 * 2 / 12)
    assert first.smape == pytest.approx(4 * 1.0 / 12)
    carrier = found["carrier"][0]
    assert (carrier.left_null, carrier.coverage) == (0.25, 0.75)
    assert carrier.smape is None


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 300), max_size=4), st.randoms())
def test_batches_and_their_order_change_nothing(cuts: list[int], random: object) -> None:
    """Sums are those of one batch, also where the range is so long that buckets widen."""
    row_times = np.arange(300) * 9.0 * HOUR
    whole = sides(300)
    one, many = ColumnTimeSeries(), ColumnTimeSeries()
    one.add(row_times, whole.columns)
    edges = [0, *sorted(cuts), 300]
    parts = list(pairwise(edges))
    random.shuffle(parts)  # type: ignore[attr-defined]
    for begin, end in parts:
        many.add(
            row_times[begin:end],
            compare(
                whole.left.slice(begin, end - begin), whole.right.slice(begin, end - begin), RULES
            ).columns,
        )
    assert buckets_of(one).keys() == buckets_of(many).keys()
    assert buckets_of(one) == buckets_of(many)
    assert one.sums.seconds > HOUR


def test_weights_make_a_sample_stand_for_all_rows() -> None:
    """A diverging row that stands for one and an agreeing one that stands for nine: 90% agree."""
    series = ColumnTimeSeries()
    compared = sides(2)
    series.add(np.zeros(2), compared.columns, np.array([1.0, 9.0]))
    (bucket,) = buckets_of(series)["prediction"]
    assert (bucket.rows, bucket.consistency) == (2, 0.9)


def test_rows_without_a_time_are_left_out() -> None:
    """There is no hour to count them in."""
    series = ColumnTimeSeries()
    series.add(np.array([np.nan, np.nan]), sides(2).columns)
    assert not buckets_of(series)


def test_no_column_makes_no_course() -> None:
    """A table without steps has none to count."""
    series = ColumnTimeSeries()
    series.add(np.zeros(3), compare(sides(3).left, sides(3).right, Rules(comparators={})).columns)
    assert not buckets_of(series)
