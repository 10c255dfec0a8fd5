"""The counts of the parts of a log add up to the counts of the log."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.drift.bins import Bins
from gnomon.drift.drift_counts import DriftCounts
from gnomon.offline.time_buckets import NO_TIME
from tests.drift.columns import batch, frozen

ROWS = 600
RANDOM = np.random.default_rng(11)
NUMBER = frozen(np.arange(200.0))
CATEGORY = frozen(["a", "b", "c"] * 40)
NUMBERS = np.where(RANDOM.random(ROWS) < 0.1, np.nan, RANDOM.normal(100, 90, ROWS))
NAMES = RANDOM.choice(["a", "b", "new", *map(str, range(700))], ROWS)
MOMENTS = np.where(RANDOM.random(ROWS) < 0.02, np.nan, np.sort(RANDOM.random(ROWS)) * 9e5)
SEGMENTS = RANDOM.choice(["x", "y"], ROWS)


def some(counts: DriftCounts, bins: Bins, values: Any, places: list[int]) -> None:
    rows = batch(bins, values[places], MOMENTS[places], SEGMENTS[places].tolist())
    named = type(rows)(rows.columns, rows.row_times, [f"r{i}/0" for i in places], rows.segments)
    counts.add(named)


def state(counts: DriftCounts) -> Any:
    """The complete state in a comparable form."""
    return (
        counts.seconds,
        counts.rows,
        counts.buckets,
        [
            (
                {cell: vector.tolist() for cell, vector in column.cells.items()},
                column.names,
                column.example_rows,
            )
            for column in counts
        ],
    )


@pytest.mark.slow
@pytest.mark.parametrize(("bins", "values"), [(NUMBER, NUMBERS), (CATEGORY, NAMES)])
@given(data=st.data())
def test_any_split_and_order_merges_to_the_same(
    bins: Bins, values: Any, data: st.DataObject
) -> None:
    """Counts are a commutative monoid: cells, new names and example rows."""
    whole = DriftCounts([bins])
    some(whole, bins, values, list(range(ROWS)))
    order = data.draw(st.permutations(range(ROWS)))
    cuts = sorted(data.draw(st.lists(st.integers(0, ROWS), max_size=6)))
    parts = []
    for begin, end in zip([0, *cuts], [*cuts, ROWS], strict=True):
        part = DriftCounts([bins])
        half = (begin + end) // 2
        some(part, bins, values, list(order[begin:half]))
        some(part, bins, values, list(order[half:end]))
        parts.append(part)
    merged = DriftCounts([bins])
    for part in data.draw(st.permutations(parts)):
        merged.merge(part)
    assert state(merged) == state(whole)


def test_buckets_widen_with_the_range() -> None:
    """Ten years of minutes are held in no more buckets than an hour, and no row is lost."""
    counts = DriftCounts([NUMBER])
    counts.add(batch(NUMBER, np.arange(60.0)))
    assert (counts.seconds, len(counts.buckets)) == (60, 60)
    row_times = np.arange(5_000) * 63_072.0
    counts.add(batch(NUMBER, np.zeros(5_000), row_times, first=60))
    assert len(counts.buckets) <= 120
    assert next(iter(counts)).total().vector.sum() == counts.rows == 5_060


def test_rows_without_a_time_count_in_the_whole_only() -> None:
    """They count in the total and in no bucket."""
    counts = DriftCounts([NUMBER])
    counts.add(batch(NUMBER, [1.0, 2.0], [np.nan, 30.0]))
    column = next(iter(counts))
    assert {cell.bucket for cell in column.cells} == {NO_TIME, 0}
    assert [int(rows.vector.sum()) for rows in column.by_bucket().values()] == [1]
    assert column.total().vector.sum() == 2


def test_new_values_are_named_with_their_rows() -> None:
    """Null does not count as a value."""
    counts = DriftCounts([CATEGORY])
    counts.add(batch(CATEGORY, ["a", "z", "z", None, "y"]))
    assert next(iter(counts)).names == {"z": 2, "y": 1}


def test_no_rows_are_no_change() -> None:
    """An empty batch changes nothing."""
    counts = DriftCounts([NUMBER])
    counts.add(batch(NUMBER, np.array([])))
    assert (counts.rows, counts.buckets) == (0, [])
