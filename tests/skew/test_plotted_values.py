from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from gnomon.compare.comparators import compare
from gnomon.offline.paired_rows import Pairs
from gnomon.policy import Decision, Policy
from gnomon.skew.diagnosis.traced_rows import Sampled
from gnomon.skew.plotted_values import distribution, examples


def column(values: list[object], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def test_whole_numbers_get_a_bin_each() -> None:
    """Hours lie in the middle of their bins; weights count, nulls do not."""
    left, right = column([0.0, 1.0, 2.0, None]), column([1.0, 1.0, 2.0, 2.0])
    shape = distribution("hour", left, right, np.array([1.0, 1.0, 5.0, 1.0]), "hour")
    assert shape is not None
    assert shape.edges == (-0.5, 0.5, 1.5, 2.5)
    assert (shape.left, shape.right) == ((1, 1, 5), (0, 2, 6))
    assert (shape.rows, shape.sampled) == (8, 4)


def test_probabilities_keep_the_whole_axis() -> None:
    """0 to 1 whatever the values, so that plots can be compared."""
    values = column([0.2, 0.25])
    shape = distribution("probability_late", values, values, np.ones(2), None, is_share=True)
    assert shape is not None
    assert (shape.edges[0], shape.edges[-1]) == (0.0, 1.0)
    assert sum(shape.left) == 2


def test_a_constant_has_a_width() -> None:
    """One value on both sides still has a bin around it."""
    values = column([0.1, 0.1])
    shape = distribution("x", values, values, np.ones(2), None)
    assert shape is not None
    assert shape.edges[0] < 0.1 < shape.edges[-1]
    assert sum(shape.left) == 2


def test_labels_are_counted_most_frequent_first() -> None:
    """Anything that is no number is counted by value, null included."""
    left, right = column(["a", "b", None]), column(["b", "b", "b"])
    shape = distribution("kind", left, right, np.ones(3), None)
    assert shape is not None
    assert (shape.labels, shape.left, shape.right) == (("b", "a", "null"), (1, 1, 1), (3, 0, 0))


def test_times_and_nulls_are_not_drawn() -> None:
    """No histogram of instants, and none of nothing."""
    times = column([datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("us", tz="UTC"))
    assert distribution("at", times, times, np.ones(1), None) is None
    nothing = column([None], pa.float64())
    assert distribution("x", nothing, nothing, np.ones(1), None) is None


def test_changed_decisions_come_before_larger_differences() -> None:
    """A row whose decision changes matters more than one with a larger difference on the same
    side.
    """
    left = [0.10, 0.40, 0.95, 0.62, 0.20]
    right = [0.40, 0.55, 0.60, 0.42, 0.20]
    policy = Policy(decision=Decision(output="probability_1", threshold=0.5))
    sides = [pa.table({"probability_1": side}) for side in (left, right)]
    rules = policy.rules(sides[0].schema)
    compared = compare(*sides, rules)
    about = pa.table(
        {
            "request_id": [f"r{i}" for i in range(5)],
            "row": pa.array([0] * 5, pa.int32()),
            "arrived": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * 5),
            "difference": compared.difference,
            "flipped": compared.flipped,
        }
    )
    rows = Sampled(Pairs(about, *sides), ~compared.agreed, np.ones(5))
    shown = list(examples(rows, *sides, rules, keys=(), wanted=()))
    assert [example.request_id for example in shown] == ["r3", "r1", "r2", "r0"]
