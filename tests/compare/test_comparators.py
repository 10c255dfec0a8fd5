import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from gnomon.compare.comparators import Compared, compare
from gnomon.errors import TableError
from gnomon.policy import Decision, Policy, Tolerance


def numbers(left: list[object], right: list[object], **tolerance: float) -> Compared:
    policy = Policy(compare={"x": Tolerance(kind="number", **tolerance)})  # type: ignore[arg-type]
    sides = [pa.record_batch({"x": side}) for side in (left, right)]
    return compare(*sides, policy.rules(sides[0].schema))


@pytest.mark.parametrize(
    ("tolerance", "left", "right", "agree"),
    [
        ({"absolute": 0.1}, 1.0, 1.05, True),
        ({"absolute": 0.1}, 1.0, 1.2, False),
        ({"relative": 0.01}, 1000.0, 1009.0, True),
        ({"relative": 0.01}, 1000.0, 1011.0, False),
        ({"relative": 0.01}, -1000.0, 1000.0, False),
        ({"ulps": 1}, 1.0, math.nextafter(1.0, 2), True),
        ({"ulps": 1}, 1.0, math.nextafter(math.nextafter(1.0, 2), 2), False),
        ({"ulps": 2}, 5e-324, -5e-324, True),
        ({"ulps": 1}, 5e-324, -5e-324, False),
        ({"ulps": 9}, -1.0, 1.0, False),
        ({"absolute": 0.0}, 0.0, -0.0, True),
        ({"absolute": 0.1, "relative": 0.5}, 1000.0, 600.0, True),
        ({"absolute": 1e300}, math.inf, 1.0, False),
        ({"relative": 1.0}, math.inf, 1.0, False),
        ({"ulps": 1}, math.inf, 1.7976931348623157e308, False),
        ({"absolute": 0.0}, math.inf, math.inf, True),
    ],
)
def test_numbers_agree_within_any_one_bound(
    tolerance: dict[str, float], left: float, right: float, agree: bool
) -> None:
    """Absolute, relative (of the larger) and ULP bounds; infinity agrees only with itself."""
    assert numbers([left], [right], **tolerance).agreed.tolist() == [agree]
    assert numbers([right], [left], **tolerance).agreed.tolist() == [agree]


def test_large_integers_are_compared_exactly() -> None:
    """Two integers one apart differ, also where a float could not hold the difference."""
    compared = numbers([2**62 + 1, 7], [2**62, 7], absolute=0.5)
    assert compared.agreed.tolist() == [False, True]
    assert compared.difference.tolist() == [1.0, 0.0]


INTEGERS = [pa.int32(), pa.int64(), pa.uint32(), pa.uint64(), pa.decimal128(38, 0)]
LARGE = 2**53 + 1
"""The smallest whole number that a float does not hold."""


def typed(
    left: pa.DataType, right: pa.DataType, values: tuple[list[object], list[object]], kind: str
) -> Compared:
    """Compare two columns of given types."""
    sides = [
        pa.record_batch({"x": pa.array(of, type_)})
        for of, type_ in zip(values, (left, right), strict=True)
    ]
    policy = Policy(compare={"x": Tolerance(kind=kind)})  # type: ignore[arg-type]
    return compare(*sides, policy.rules(sides[0].schema))


@pytest.mark.parametrize("kind", ["number", "label"])
@pytest.mark.parametrize("left", INTEGERS, ids=str)
@pytest.mark.parametrize("right", INTEGERS, ids=str)
def test_integers_of_two_types_are_compared_exactly(
    left: pa.DataType, right: pa.DataType, kind: str
) -> None:
    """Two integers that differ by one disagree whatever their types, up to the largest value."""
    narrow = min(2 ** (type_.bit_width) // 2 - 1 for type_ in (left, right))
    value = LARGE if narrow > LARGE else narrow - 1
    compared = typed(left, right, ([value, value, None], [value, value - 1, None]), kind)
    assert compared.agreed.tolist() == [True, False, True]
    if kind == "number":
        assert compared.columns["x"].difference is not None
        assert compared.columns["x"].difference[:2].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("kind", ["number", "label"])
def test_a_number_only_unsigned_integers_hold_does_not_equal_a_negative_one(kind: str) -> None:
    """2**64 - 1 and -1 have the same bits and disagree; two values near 2**64 differ by one."""
    top = 2**64 - 1
    compared = typed(pa.int64(), pa.uint64(), ([-1, -(2**63)], [top, 2**63]), kind)
    assert compared.agreed.tolist() == [False, False]
    compared = typed(pa.uint64(), pa.uint64(), ([top, top, None], [top, top - 1, top]), kind)
    assert compared.agreed.tolist() == [True, False, False]


def test_decimals_are_compared_exactly() -> None:
    """Decimals that round to the same float disagree, also with another scale or an integer."""
    one, other = Decimal("9007199254740993.001"), Decimal("9007199254740993.002")
    narrow, wide = pa.decimal128(20, 3), pa.decimal128(38, 10)
    compared = typed(narrow, wide, ([one, one, None, one], [one, other, None, None]), "number")
    assert compared.agreed.tolist() == [True, False, True, False]
    difference = compared.columns["x"].difference
    assert difference is not None
    assert difference[:2].tolist() == [0.0, -0.001]
    compared = typed(pa.uint64(), narrow, ([LARGE, LARGE], [Decimal(LARGE), one]), "number")
    assert compared.agreed.tolist() == [True, False]


def test_decimals_of_too_many_digits_are_compared_as_floats() -> None:
    """Two types whose difference Arrow cannot hold still compare, as accurately as floats."""
    wide, fine = pa.decimal128(38, 0), pa.decimal128(38, 38)
    compared = typed(wide, fine, ([0, 1], [Decimal(0), Decimal("0.5")]), "number")
    assert compared.agreed.tolist() == [True, False]


def test_the_extreme_integers_do_not_overflow() -> None:
    """The distance of the smallest and the largest integer is not a small number."""
    assert numbers([-(2**63)], [2**63 - 1], absolute=10.0).difference[0] == 2.0**64


def test_nan_counts_as_null() -> None:
    """Frames cannot tell NaN from null, so a comparison does not either."""
    compared = numbers([math.nan, None, 1.0, None], [None, math.nan, None, 1.0], absolute=9.0)
    column = compared.columns["x"]
    assert compared.agreed.tolist() == [True, True, False, False]
    assert column.both_null.tolist() == [True, True, False, False]
    assert column.right_null.tolist() == [False, False, True, False]
    assert column.left_null.tolist() == [False, False, False, True]
    assert np.isnan(compared.difference).all()


def test_integers_compare_with_floats() -> None:
    """A CSV file's 3 and a log's 3.0 are the same value."""
    assert numbers([3, 4], [3.0, 4.5], absolute=0.0).agreed.tolist() == [True, False]


def test_timestamps_differ_in_seconds() -> None:
    """Zones and units do not matter; the tolerance is in seconds."""
    noon = dt.datetime(2013, 4, 1, 12, tzinfo=dt.UTC)
    left = pa.array([noon, noon, None], pa.timestamp("us", "UTC"))
    right = pa.array([noon, noon - dt.timedelta(hours=4), None], pa.timestamp("s", "Asia/Tokyo"))
    compared = numbers(left, right)
    assert compared.agreed.tolist() == [True, False, True]
    difference = compared.columns["x"].difference
    assert difference is not None
    assert difference[:2].tolist() == [0.0, 14_400.0]
    assert numbers(left, right, absolute=14_400.0).agreed.all()


def test_labels_are_equal_or_not() -> None:
    """Strings, nulls and dictionaries compare by value; a changed prediction is a flip."""
    left = pa.record_batch({"prediction": ["a", "b", None, None]})
    right = pa.record_batch({"prediction": pa.array(["a", "c", "c", None]).dictionary_encode()})
    compared = compare(left, right, Policy().rules(left.schema))
    assert compared.agreed.tolist() == [True, False, False, True]
    assert compared.flipped.tolist() == [False, True, True, False]


def test_a_column_of_nulls_compares_with_any_type() -> None:
    """An empty column of a CSV file has no type, but is only null."""
    left, right = pa.record_batch({"x": ["a", None]}), pa.record_batch({"x": [None, None]})
    assert compare(left, right, Policy().rules(left.schema)).agreed.tolist() == [False, True]
    assert numbers([1.5, None], [None, None]).agreed.tolist() == [False, True]


def test_a_feature_does_not_flip_a_decision() -> None:
    """Only the prediction, or the policy's decision, decides."""
    left, right = pa.record_batch({"carrier": ["UA"]}), pa.record_batch({"carrier": ["AA"]})
    compared = compare(left, right, Policy().rules(left.schema))
    assert not compared.agreed.any()
    assert not compared.flipped.any()


def test_a_flip_is_a_crossing_of_the_decisions_threshold() -> None:
    """With a decision, rows flip across its threshold and labels no longer count."""
    policy = Policy(decision=Decision(output="probability_1", threshold=0.3))
    left = pa.record_batch({"prediction": [0, 0, 1], "probability_1": [0.29, 0.1, 0.6]})
    right = pa.record_batch({"prediction": [0, 0, 0], "probability_1": [0.30, 0.2, 0.4]})
    compared = compare(left, right, policy.rules(left.schema))
    assert compared.flipped.tolist() == [True, False, False]


def test_the_rows_difference_is_its_largest() -> None:
    """It is the largest difference of the row's outputs."""
    left = pa.record_batch({"probability_0": [0.5, 0.2], "probability_1": [0.5, 0.8]})
    right = pa.record_batch({"probability_0": [0.5, 0.3], "probability_1": [0.1, 0.8]})
    compared = compare(left, right, Policy().rules(left.schema))
    assert compared.difference.tolist() == pytest.approx([0.4, 0.1])


@pytest.mark.parametrize(
    ("right", "message"),
    [
        ({"x": ["1", "2"]}, "cannot compare `double` with `string` as numbers at x"),
        ({"y": [1.0, 2.0]}, "the right side has no column `x`. its columns are y"),
        ({"x": [1.0]}, "cannot compare 2 rows with 1"),
        ({"x": [dt.datetime(2013, 1, 1)] * 2}, "cannot compare `double` with `timestamp"),
    ],
)
def test_what_does_not_compare_is_refused(right: dict[str, list[object]], message: str) -> None:
    """Treating them as equal would hide errors: text is not a number, and the column must exist."""
    left = pa.record_batch({"x": [1.0, 2.0]})
    with pytest.raises(TableError) as caught:
        compare(left, pa.record_batch(right), Policy().rules(left.schema))
    assert message in str(caught.value)


def test_a_zoned_timestamp_does_not_compare_with_a_naive_one() -> None:
    """A naive time could be any instant, and guessing the zone is a typical cause of skew."""
    left = pa.array([0], pa.timestamp("us", "UTC"))
    with pytest.raises(TableError, match="cannot compare"):
        numbers(left, pa.array([0], pa.timestamp("us")))


def test_a_score_that_is_null_on_one_side_flips_the_decision() -> None:
    """Without a score no decision is made, which differs from any decision; null on both sides is
    equal.
    """
    policy = Policy(decision=Decision(output="probability_1", threshold=0.3))
    left = pa.record_batch({"probability_1": pa.array([0.1, None, 0.9, None, None], pa.float64())})
    right = pa.record_batch({"probability_1": pa.array([None, 0.1, None, 0.9, None], pa.float64())})
    compared = compare(left, right, policy.rules(left.schema))
    assert compared.agreed.tolist() == [False, False, False, False, True]
    assert compared.flipped.tolist() == [True, True, True, True, False]
