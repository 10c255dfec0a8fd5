import pyarrow as pa
import pytest

from gnomon.compare.comparators import compare
from gnomon.compare.comparison import Comparison
from gnomon.policy import Comparator, Policy
from gnomon.skew.consistency.reported_columns import columns_from_comparison, only, tolerance


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Comparator(kind="label"), "equal"),
        (Comparator(kind="number"), "equal"),
        (Comparator(kind="number", absolute=0.05), "within 0.05"),
        (
            Comparator(kind="number", absolute=1e-12, relative=1e-9, ulps=4),
            "within 1e-12 or 1e-9 of the larger or 4 representable floats",
        ),
    ],
)
def test_a_tolerance_is_said_in_words(rule: Comparator, said: str) -> None:
    """What counts as agreeing, in words."""
    assert tolerance(rule) == said


def test_sums_become_columns_of_a_report() -> None:
    """Every count of a comparison arrives in the report's column."""
    left = pa.record_batch({"x": [1.0, 2.0, None, None], "kind": ["a", "b", "c", None]})
    right = pa.record_batch({"x": [1.0, 3.0, 4.0, None], "kind": ["a", "b", "d", None]})
    rules = Policy().rules(left.schema, same=True)
    sums = Comparison()
    sums.add(compare(left, right, only(rules, ["x", "kind"])))
    x, kind = columns_from_comparison(
        sums, rules, {"x": "feature", "kind": "feature"}, {"x": "mile"}
    )
    assert (x.rows, x.exact, x.diverged) == (4, 2, 2)
    assert (x.left_null, x.right_null, x.both_null, x.unit) == (1, 0, 1, "mile")
    assert (x.quantiles["min"], x.quantiles["max"]) == (-1.0, 0.0)
    assert (kind.diverged, kind.share, kind.quantiles, kind.unit) == (1, 0.25, {}, None)
