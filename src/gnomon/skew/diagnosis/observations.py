"""Observations about a column that differs, without its cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.quantities import MINUS, duration, rows, signed
from gnomon.report.numbers import value
from gnomon.skew.consistency.reported_columns import quantiles
from gnomon.skew.diagnosis.replaced_inputs import without_lists
from gnomon.skew.diagnosis.traced_rows import TracedRows

__all__ = ["facts"]

_PAIRS = 3


def facts(traced: TracedRows, column: str, name: str, names: tuple[str, str]) -> Iterator[str]:
    """Yield plain sentences about the rows on which ``column`` differs.

    Args:
        name: the name of the column in the sentences.
        names: the names of the sides.
    """
    compared = traced.compared.columns[column]
    mask = pa.array(traced.differs(column))
    left, right = (
        without_lists(side.column(column).filter(mask)) for side in (traced.left, traced.right)
    )
    for nulls, side in zip((compared.left_null, compared.right_null), names, strict=True):
        if nulls.any():
            yield f"`{name}` is null {side} only on {rows(int(nulls.sum()))}."
    for values, side in zip((left, right), names, strict=True):
        distinct = pc.unique(values.drop_null())
        if len(distinct) == 1 and len(values) > 1:
            yield f"Where they differ, `{name}` is always {value(distinct[0].as_py())} {side}."
    if _same_values(left, right):
        yield "Both sides have the same values in another order: check how rows were matched."
    if compared.difference is None:
        yield from _pairs(left, right, names)
    elif q := quantiles(compared.difference[traced.differs(column)]):
        middle, low, high = (_amount(q[name], left.type) for name in ("p50", "min", "max"))
        yield (
            f"{names[0].capitalize()} minus {names[1]}, where they differ: median {middle}, from "
            f"{low} to {high}."
        )


def _amount(difference: float, type_: pa.DataType) -> str:
    """Write a difference, as a duration if it is of times."""
    if not pa.types.is_timestamp(type_):
        return signed(difference)
    return f"{MINUS if difference < 0 else ''}{duration(abs(difference))}"


def _pairs(left: pa.ChunkedArray, right: pa.ChunkedArray, names: tuple[str, str]) -> Iterator[str]:
    """Yield the most frequent pairs of different labels."""
    counts = Counter(zip(left.to_pylist(), right.to_pylist(), strict=True))
    for (first, second), n in counts.most_common(_PAIRS):
        yield f"{value(first)} {names[0]} is {value(second)} {names[1]} on {rows(n)}."


def _same_values(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    if len(left) < 3 or pc.count_distinct(left).as_py() < 3:
        return False
    return sorted(left.to_pylist(), key=str) == sorted(right.to_pylist(), key=str)
