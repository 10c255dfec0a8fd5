import numpy as np
import pyarrow as pa
import pytest

from gnomon.compare.comparators import compare
from gnomon.compare.comparison import Comparison
from gnomon.policy import Policy

RNG = np.random.default_rng(3)
POLICY = Policy()


def pair(rows: int) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    left = RNG.random(rows)
    right = np.clip(left + RNG.normal(0, 0.05, rows), 0, 1)
    return tuple(  # type: ignore[return-value]
        pa.record_batch({"prediction": (p > 0.5).astype(int), "probability_1": p})
        for p in (left, right)
    )


def total(left: pa.RecordBatch, right: pa.RecordBatch, batch: int) -> Comparison:
    comparison = Comparison(keep=5)
    for start in range(0, left.num_rows, batch):
        sides = left.slice(start, batch), right.slice(start, batch)
        ids = [f"row-{start + i}" for i in range(sides[0].num_rows)]
        comparison.add(compare(*sides, POLICY.rules(left.schema)), ids)
    return comparison


def test_batches_sum_to_the_whole() -> None:
    """Counts, quantiles and examples do not depend on how the rows were cut into batches."""
    left, right = pair(2_000)
    whole, parts = total(left, right, 2_000), total(left, right, 77)
    assert (whole.rows, whole.agreed, whole.flipped) == (parts.rows, parts.agreed, parts.flipped)
    assert whole.columns["probability_1"].quantiles == parts.columns["probability_1"].quantiles
    assert whole.columns["probability_1"].smape == pytest.approx(
        parts.columns["probability_1"].smape
    )
    assert whole.examples == parts.examples
    assert [e.row for e in whole.examples] == [e.row for e in parts.examples]


def test_comparisons_merge_to_the_whole() -> None:
    """Two halves compared apart and merged are the whole compared at once."""
    left, right = pair(1_000)
    whole = total(left, right, 1_000)
    merged = total(left.slice(500), right.slice(500), 500)
    merged.merge(total(left.slice(0, 500), right.slice(0, 500), 500))
    assert (whole.rows, whole.agreed, whole.flipped) == (merged.rows, merged.agreed, merged.flipped)
    assert whole.columns["prediction"].flips == merged.columns["prediction"].flips == whole.flipped
    assert whole.differences.quantiles([0.5, 0.9]) == merged.differences.quantiles([0.5, 0.9])
    assert [e.difference for e in whole.examples] == [e.difference for e in merged.examples]


def test_metrics_are_what_their_names_say() -> None:
    """Consistency, exact rate, nulls, smape and quantiles of a case worked by hand."""
    left = pa.record_batch({"x": [1.0, 2.0, 3.0, None, None, 100.0]})
    right = pa.record_batch({"x": [1.0, 2.01, 5.0, None, 1.0, None]})
    comparison = Comparison()
    comparison.add(compare(left, right, POLICY.rules(left.schema)))
    column = comparison.columns["x"]
    assert column.exact_rate == 2 / 6
    assert column.consistency == 3 / 6
    assert (column.left_null, column.right_null, column.both_null) == (1, 1, 1)
    assert column.smape == pytest.approx((0 + 2 * 0.01 / 4.01 + 2 * 2 / 8) / 3)
    assert column.quantiles["min"] == -2.0
    assert column.quantiles["max"] == 0.0
    assert column.quantiles["p50"] == pytest.approx(-0.01, rel=0.011)
    assert comparison.disagreed == 3


def test_examples_are_the_worst_rows_with_their_values() -> None:
    """Flips come first, then the largest differences; each names row, columns and both sides."""
    left = pa.record_batch({"prediction": [0, 0, 0], "probability_1": [0.4, 0.1, 0.2]})
    right = pa.record_batch({"prediction": [1, 0, 0], "probability_1": [0.6, 0.45, 0.2]})
    comparison = Comparison(keep=2)
    comparison.add(compare(left, right, POLICY.rules(left.schema)), ["a", "b", "c"])
    first, second = comparison.examples
    assert (first.row, first.flipped, first.columns) == ("a", True, ("prediction", "probability_1"))
    assert (first.left, first.right) == (left.to_pylist()[0], right.to_pylist()[0])
    assert (second.row, second.flipped, second.columns) == ("b", False, ("probability_1",))


def test_nothing_compared_has_no_rates() -> None:
    """No rows: None, not 100%."""
    empty = pa.record_batch({"x": pa.array([], pa.float64())})
    comparison = Comparison()
    comparison.add(compare(empty, empty, POLICY.rules(empty.schema)))
    column = comparison.columns["x"]
    assert (column.consistency, column.exact_rate, column.smape) == (None, None, None)
    assert column.quantiles == {}
    assert comparison.examples == []
