"""The training profile: bins fixed on training data, in which later data is counted.

It has one row for each raw feature (``input``), each column of each preprocessing step (``step``)
and each output (``output``). Numbers are counted in bins between quantiles, or by value if there
are few distinct ones; everything else is counted by value.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact.golden import step_outputs
from gnomon.contract.contract import Contract
from gnomon.contract.frames import as_input, from_frame
from gnomon.pipeline.predicting import outputs

__all__ = ["SCHEMA", "as_numbers", "check", "profile"]

BINS = 20
MOST_VALUES = 50
MOST_ROWS = 50_000

SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("nulls", pa.int64(), nullable=False),
        pa.field("mean", pa.float64()),
        pa.field("std", pa.float64()),
        pa.field("minimum", pa.float64()),
        pa.field("maximum", pa.float64()),
        pa.field("edges", pa.list_(pa.float64())),
        pa.field("values", pa.list_(pa.string())),
        pa.field("counts", pa.list_(pa.int64()), nullable=False),
    ]
)
"""Columns of a profile.

``edges`` are the inner edges of a number's bins: n edges make n + 1 bins, the first and the last
open, and a value equal to an edge is in the bin above it. If a number has no more distinct values
than there are bins, each value has a separate bin. ``values`` are the most frequent values of other
columns, most frequent first; ``counts`` then has one more entry, for all other values. Nulls are
not counted in either. A boolean is counted by value.
"""


def profile(pipeline: Any, frame: pd.DataFrame, contract: Contract) -> pa.Table:
    """Return the profile of a training frame, including carried columns.

    Of frames with more than :data:`MOST_ROWS` rows, that many evenly spaced rows are counted.
    """
    if len(frame) > MOST_ROWS:
        frame = frame.iloc[np.linspace(0, len(frame) - 1, num=MOST_ROWS, dtype=int)]
    rows = list(_rows(pipeline, frame, contract))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def check(table: pa.Table) -> None:
    """Check that a profile is one that :func:`profile` could have made.

    Raises:
        ValueError: it is not; names the row and what is wrong with it.
    """
    seen = set()
    for row in table.to_pylist():
        place = f"{row['kind']} `{row['name']}`"
        if wrong := _wrong(row):
            raise ValueError(f"{place}: {wrong}")
        if (row["kind"], row["name"]) in seen:
            raise ValueError(f"{place}: expected one row, got several")
        seen.add((row["kind"], row["name"]))


def _wrong(row: dict[str, Any]) -> str | None:
    """Return what is wrong with a row of a profile; None if nothing is."""
    missing = [field.name for field in SCHEMA if not field.nullable and row[field.name] is None]
    if missing:
        return f"expected {missing[0]}, got null"
    counts, edges, values = row["counts"], row["edges"], row["values"]
    if any(count is None or count < 0 for count in (*counts, row["nulls"])):
        return "expected counts of 0 or more"
    inner = edges if edges is not None else values or []
    if len(counts) != len(inner) + 1:
        return f"expected {len(inner) + 1} counts, got {len(counts)}"
    if row["rows"] != row["nulls"] + sum(counts):
        return f"expected counts of {row['rows']} rows, got {row['nulls'] + sum(counts)}"
    if edges is None:
        return "expected values that are not null" if None in inner else None
    if not all(edge is not None and math.isfinite(edge) for edge in edges):
        return "expected edges that are finite numbers"
    if any(a >= b for a, b in itertools.pairwise(edges)):
        return "expected edges that increase"
    bounds = (row["minimum"], row["maximum"])
    if edges and not all(bound is not None and math.isfinite(bound) for bound in bounds):
        return "expected a minimum and a maximum"
    return None


def _rows(pipeline: Any, frame: pd.DataFrame, contract: Contract) -> Iterator[dict[str, Any]]:
    inputs = from_frame(frame, contract)
    for name, column in zip(inputs.schema.names, inputs.columns, strict=True):
        yield {"kind": "input", "name": name, **_counted(column)}
    given = as_input(frame, contract)
    steps = step_outputs(pipeline, given)
    for name, column in zip(steps.column_names, steps.columns, strict=True):
        yield {"kind": "step", "name": name, **_counted(column.combine_chunks())}
    answers = outputs(pipeline, given, contract)
    for name, column in zip(answers.schema.names, answers.columns, strict=True):
        yield {"kind": "output", "name": name, **_counted(column)}


def as_numbers(column: pa.Array) -> npt.NDArray[np.float64] | None:
    """Return a column as the numbers that are counted; None if it is counted by value.

    Timestamps and dates become seconds since 1970, and a list its length; a list of floats, such as
    an embedding, its Euclidean length. Values that are null or not finite become NaN.
    """
    if pa.types.is_list(column.type):
        return _lengths(column)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(column.type):
        # Not cast safely: 9999-12-31, which means "for ever", has more microseconds than 2 ** 53.
        column = pc.divide(pc.cast(pc.cast(column, pa.int64()), pa.float64(), safe=False), 1e6)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return None
    values = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(values), values, np.nan)


def _lengths(column: pa.ListArray) -> npt.NDArray[np.float64]:
    lengths = pc.list_value_length(column).cast(pa.float64())
    found: npt.NDArray[np.float64] = lengths.to_numpy(zero_copy_only=False)
    if pa.types.is_floating(column.type.value_type):
        rows = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
        squares = np.square(pc.list_flatten(column).to_numpy(zero_copy_only=False), dtype=float)
        norms = np.sqrt(np.bincount(rows, squares, minlength=len(column)))
        found = np.where(np.isnan(found), np.nan, norms)
    return found


def _counted(column: pa.Array) -> dict[str, Any]:
    values = as_numbers(column)
    return _values(column) if values is None else _number(values)


def _number(column: npt.NDArray[np.float64]) -> dict[str, Any]:
    values = column[~np.isnan(column)]
    found: dict[str, Any] = {"rows": len(column), "nulls": len(column) - len(values)}
    if not len(values):
        return {**found, "edges": [], "counts": [0]}
    edges = _edges(values)
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return {
        **found,
        "mean": float(values.mean()),
        "std": float(values.std()),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        "edges": edges.tolist(),
        "counts": counts.tolist(),
    }


def _edges(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    distinct = np.unique(values)
    if len(distinct) <= BINS:  # Quantiles would put a rare 1 into the bin of the 0.
        return distinct[1:]
    return np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))


def _values(column: pa.Array) -> dict[str, Any]:
    text = pc.cast(column.drop_null(), pa.string())
    counted = sorted(
        ((entry["counts"], entry["values"]) for entry in pc.value_counts(text).to_pylist()),
        key=lambda pair: (-pair[0], pair[1]),
    )
    kept = counted[:MOST_VALUES]
    others = sum(count for count, _ in counted[MOST_VALUES:])
    return {
        "rows": len(column),
        "nulls": column.null_count,
        "values": [value for _, value in kept],
        "counts": [*(count for count, _ in kept), others],
    }
