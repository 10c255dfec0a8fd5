"""Compare two batches of the same rows, row by row and column by column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import TableError
from gnomon.policy import Comparator, Rules

__all__ = ["Compared", "ComparedColumn", "compare", "ulps"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ComparedColumn:
    """One column of one pair of batches, row by row. NaN counts as null.

    Attributes:
        agree: within the tolerance, or null on both sides.
        exact: equal without tolerance, or null on both sides.
        left_null: null on the left only.
        right_null: null on the right only.
        both_null: null on both sides.
        difference: ``left - right`` in the column's unit (seconds for timestamps), NaN where
            either is null; None for labels.
        smape: each row's ``2 |l - r| / (|l| + |r|)``, 0 where both are equal; None for labels and
            timestamps, which have no meaningful zero.
        flip: the decision differs; None for a column that decides nothing.
    """

    agree: Mask
    exact: Mask
    left_null: Mask
    right_null: Mask
    both_null: Mask
    difference: Floats | None = None
    smape: Floats | None = None
    flip: Mask | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """One pair of batches, row by row.

    Attributes:
        agreed: every column agrees.
        flipped: the decision differs: across the policy's threshold, or else in the label.
        difference: the row's largest ``|left - right|`` over its number and probability columns,
            without timestamps; NaN where there is none.
    """

    left: pa.RecordBatch | pa.Table
    right: pa.RecordBatch | pa.Table
    columns: dict[str, ComparedColumn]
    agreed: Mask
    flipped: Mask
    difference: Floats


def compare(
    left: pa.RecordBatch | pa.Table, right: pa.RecordBatch | pa.Table, rules: Rules
) -> Compared:
    """Compare the same rows in the same order, on exactly the columns in ``rules``.

    >>> from gnomon.policy import Policy
    >>> online = pa.record_batch({"hour": [7, 8, None]})
    >>> offline = pa.record_batch({"hour": [11, 8, None]})
    >>> compare(online, offline, Policy().rules(online.schema)).agreed.tolist()
    [False, True, True]

    Raises:
        TableError: the sides have different numbers of rows, a column is on one side only (to skip
            it would look like agreement), or types cannot be compared.
    """
    if left.num_rows != right.num_rows:
        raise TableError(f"cannot compare {left.num_rows} rows with {right.num_rows} row by row")
    columns = {
        name: _column(name, _side(left, name, "left"), _side(right, name, "right"), rule, rules)
        for name, rule in rules.comparators.items()
    }
    agreed, flipped = np.ones(left.num_rows, dtype=bool), np.zeros(left.num_rows, dtype=bool)
    largest = np.full(left.num_rows, np.nan)
    for column in columns.values():
        agreed &= column.agree
        if column.flip is not None:
            flipped |= column.flip
        if column.difference is not None and column.smape is not None:
            largest = np.fmax(largest, np.abs(column.difference))
    return Compared(left, right, columns, agreed, flipped, largest)


def _side(side: pa.RecordBatch | pa.Table, name: str, which: str) -> pa.Array:
    if name not in side.schema.names:
        raise TableError(
            f"the {which} side has no column `{name}`",
            hint="its columns are " + ", ".join(side.schema.names),
        )
    column = side.column(name)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _column(
    name: str, left: pa.Array, right: pa.Array, rule: Comparator, rules: Rules
) -> ComparedColumn:
    try:
        if rule.kind == "label":
            return _labels(left, right, decides=name in rules.decides)
        return _numbers(left, right, rule, rules.decides.get(name))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        raise TableError(
            f"cannot compare `{left.type}` with `{right.type}` as {rule.kind}s",
            where=name,
            hint="convert one side, or set the column's `kind` in the policy",
        ) from None


def _labels(left: pa.Array, right: pa.Array, *, decides: bool) -> ComparedColumn:
    if pa.types.is_null(left.type) != pa.types.is_null(right.type):
        left, right = _cast_null(left, right.type), _cast_null(right, left.type)
    left_null, right_null, both_null = _nulls(
        *(
            pc.is_null(side, nan_is_null=True).to_numpy(zero_copy_only=False)
            for side in (left, right)
        )
    )
    agree = _equal(left, right) | both_null
    return ComparedColumn(
        agree, agree, left_null, right_null, both_null, flip=~agree if decides else None
    )


def _equal(left: pa.Array, right: pa.Array) -> Mask:
    """Return which values are equal; lists are equal if all their items are."""
    if pa.types.is_nested(left.type) and pa.types.is_nested(right.type):
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return np.array([a is not None and a == b for a, b in pairs], dtype=bool)
    if pa.types.is_integer(left.type) and pa.types.is_integer(right.type):
        # Arrow would compare a signed with an unsigned type as int64, and refuse large values.
        left, right = left.cast(_ANY_INTEGER), right.cast(_ANY_INTEGER)
    equal: Mask = pc.fill_null(pc.equal(left, right), False).to_numpy(zero_copy_only=False)
    return equal


def _numbers(
    left: pa.Array, right: pa.Array, rule: Comparator, threshold: float | None
) -> ComparedColumn:
    seconds = 1e-6 if _is_timestamp(left, right) else 1.0
    left_floats, right_floats = _floats(left), _floats(right)
    left_null, right_null, both_null = _nulls(np.isnan(left_floats), np.isnan(right_floats))
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        difference = _difference(left, right, left_floats, right_floats)
        distance = np.abs(difference)
        largest = np.fmax(np.abs(left_floats), np.abs(right_floats))
        within = distance * seconds <= rule.absolute
        if rule.relative:
            within |= distance <= rule.relative * largest
        if rule.ulps:
            within |= ulps(left_floats, right_floats) <= np.uint64(rule.ulps)
        within &= np.isfinite(distance)
        smape = np.where(
            distance == 0, 0.0, distance / (np.abs(left_floats) / 2 + np.abs(right_floats) / 2)
        )
    exact = (distance == 0) | both_null
    flip = None
    if threshold is not None:
        flip = ((left_floats >= threshold) != (right_floats >= threshold)) | left_null | right_null
    return ComparedColumn(
        agree=exact | within,
        exact=exact,
        left_null=left_null,
        right_null=right_null,
        both_null=both_null,
        difference=difference * seconds,
        smape=smape if seconds == 1.0 else None,
        flip=flip,
    )


def _difference(
    left: pa.Array, right: pa.Array, left_floats: Floats, right_floats: Floats
) -> Floats:
    """Return left minus right; NaN where either is null.

    Above 2**53, floats lose differences that whole numbers and decimals still have.
    """
    difference = np.where(left_floats == right_floats, 0.0, left_floats - right_floats)
    if _is_whole(left) and _is_whole(right):
        exact_difference = (_integers(left) - _integers(right)).astype(np.float64)
        difference = np.where(np.abs(difference) < 2**53, exact_difference, difference)
        difference[np.isnan(left_floats) | np.isnan(right_floats)] = np.nan
    elif (decimal_type := _common_decimal(left.type, right.type)) is not None:
        difference = _floats(pc.subtract(left.cast(decimal_type), right.cast(decimal_type)))
    return difference


def _nulls(left: Mask, right: Mask) -> tuple[Mask, Mask, Mask]:
    return left & ~right, right & ~left, left & right


def _cast_null(side: pa.Array, other: pa.DataType) -> pa.Array:
    return side.cast(other) if pa.types.is_null(side.type) else side


def _is_timestamp(left: pa.Array, right: pa.Array) -> bool:
    """Whether both sides are timestamps; one with a time zone and one without are refused."""
    sides = [side.type for side in (left, right) if not pa.types.is_null(side.type)]
    stamps = [type_ for type_ in sides if pa.types.is_timestamp(type_)]
    if stamps and (len(stamps) != len(sides) or len({type_.tz is None for type_ in stamps}) > 1):
        raise pa.ArrowInvalid("timestamps can only be compared with timestamps of the same kind")
    return bool(stamps)


_NUMBERS: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_decimal,
    pa.types.is_null,
    pa.types.is_timestamp,
)


_ANY_INTEGER = pa.decimal128(20, 0)
"""A type that holds every value of every integer type."""


def _is_whole(side: pa.Array) -> bool:
    return bool(pa.types.is_integer(side.type) or pa.types.is_timestamp(side.type))


def _common_decimal(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return a type that holds all values of two types exactly, one of which is a decimal.

    None where the other is neither a decimal nor an integer, or where their difference would have
    more digits than Arrow has.
    """
    types = [_ANY_INTEGER if pa.types.is_integer(type_) else type_ for type_ in (left, right)]
    if not all(pa.types.is_decimal(type_) for type_ in types):
        return None
    scale = max(0, *(type_.scale for type_ in types))
    digits = scale + max(type_.precision - type_.scale for type_ in types)
    return pa.decimal256(digits, scale) if digits < _MOST_DIGITS else None


_MOST_DIGITS = 76
"""The digits of Arrow's largest decimal. A difference has one more than the values."""


def _integers(side: pa.Array) -> npt.NDArray[np.int64]:
    """Return whole numbers, or timestamps as microseconds since 1970; 0 where null.

    Numbers of 2**63 and more are returned modulo 2**64, so differences below 2**63 stay exact.
    """
    if pa.types.is_timestamp(side.type):
        side = side.cast(pa.timestamp("us", side.type.tz), safe=False)
    if pa.types.is_uint64(side.type):
        return np.asarray(side.fill_null(0).to_numpy(zero_copy_only=False)).view(np.int64)
    integers: npt.NDArray[np.int64] = (
        side.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    )
    return integers


def _floats(side: pa.Array) -> Floats:
    """Convert numbers to 64-bit floats, NaN where null. Strings are refused, even digits."""
    if not any(test(side.type) for test in _NUMBERS):
        raise pa.ArrowInvalid(f"{side.type} is not a number")
    if pa.types.is_timestamp(side.type):
        nulls = side.is_null().to_numpy(zero_copy_only=False)
        return np.where(nulls, np.nan, _integers(side).astype(np.float64))
    if pa.types.is_boolean(side.type):
        side = side.cast(pa.int8())
    floats = side.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(floats, dtype=np.float64)


def ulps(left: Floats, right: Floats) -> npt.NDArray[np.uint64]:
    """Count the representable floats between two floats, by the distance of their bit patterns.

    The patterns are first mapped to integers in the order of the floats.

    Source: Bruce Dawson, "Comparing floating point numbers, 2012 edition".
    """
    left_bits, right_bits = (
        _ordered(np.ascontiguousarray(side).view(np.int64)) for side in (left, right)
    )
    high, low = np.maximum(left_bits, right_bits), np.minimum(left_bits, right_bits)
    return high.astype(np.uint64) - low.astype(np.uint64)


def _ordered(bits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)
