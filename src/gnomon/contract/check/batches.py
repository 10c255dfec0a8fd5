"""Rows of a frame, a file or JSON bodies, in columns to check."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from gnomon.contract.arrays import category_values, with_offsets
from gnomon.contract.check.column_judge import MOST_EXAMPLES, MOST_GOT, BrokenRule
from gnomon.contract.check.contract_report import Level, Rule
from gnomon.contract.check.plain_columns import Column, json_values, plain
from gnomon.contract.feature import Feature
from gnomon.contract.json_values import shown
from gnomon.contract.time_zones import zone_name

__all__ = ["Batch", "Frame", "batch_from_records", "batch_from_table", "columns_of", "rows_hit"]

Places = npt.NDArray[np.int64]
Frame: TypeAlias = pd.DataFrame | pa.Table | pa.RecordBatch


class Batch(NamedTuple):
    """Rows from any source.

    Attributes:
        rows: how many rows.
        columns: for each feature that is present, its values and the rows that have one.
        shapeless: the rows that are not records.
        unknown: the rows with a field that is not a feature, by the field's name.
    """

    rows: int
    columns: dict[str, tuple[Column, Places]]
    shapeless: BrokenRule
    unknown: dict[str, BrokenRule]


def columns_of(frame: Frame) -> dict[str, pa.Array | pa.ChunkedArray | list[Any]]:
    """Return the columns of a frame by name, without the index of a DataFrame."""
    if isinstance(frame, pd.DataFrame):
        return {str(name): _array(frame.iloc[:, i]) for i, name in enumerate(frame.columns)}
    return dict(zip(frame.schema.names, frame.columns, strict=True))


def batch_from_table(
    table: Mapping[str, pa.Array | pa.ChunkedArray | list[Any]], features: Mapping[str, Feature]
) -> Batch:
    """Make a batch from rows that have the same columns."""
    table = {
        name: column
        if isinstance(column, list) or name not in features
        else with_offsets(column, features[name])
        for name, column in table.items()
    }
    rows = len(next(iter(table.values()))) if table else 0
    every = np.arange(rows)
    known = {n: column for n, column in table.items() if n in features}
    columns = {n: (c if isinstance(c, list) else plain(c), every) for n, c in known.items()}
    unknown = {n: _unknown(every, [_kind(c)]) for n, c in table.items() if n not in features}
    return Batch(rows, columns, _shapeless([], []), unknown)


def batch_from_records(records: Sequence[Any], features: Collection[str]) -> Batch:
    """Make a batch from records of parsed JSON, which may have different fields."""
    objects = {place: r for place, r in enumerate(records) if isinstance(r, dict)}
    columns = {}
    for name in features:
        present = [place for place, record in objects.items() if name in record]
        values = json_values([objects[place][name] for place in present])
        columns[name] = values, np.array(present, dtype=np.int64)
    shapeless_places = [place for place in range(len(records)) if place not in objects]
    shapeless = _shapeless(shapeless_places, [shown(records[place]) for place in shapeless_places])
    return Batch(len(records), columns, shapeless, _unknown_fields(objects, set(features)))


def rows_hit(
    rule: Rule, expected: str, level: Level, places: Sequence[int] | Places, got: Sequence[str]
) -> BrokenRule:
    """Describe rows that break a rule; ``got``: each row's value, or the one value of all."""
    positions = np.asarray(places, dtype=np.int64)
    if len(got) == 1:
        counted, first = {got[0]: len(positions)}, [got[0]] * min(len(positions), MOST_EXAMPLES)
    else:
        counted, first = dict(Counter(got).most_common(MOST_GOT)), list(got[:MOST_EXAMPLES])
    return BrokenRule(rule, expected, level, positions, counted, first)


def _unknown_fields(
    objects: Mapping[int, dict[str, Any]], features: set[str]
) -> dict[str, BrokenRule]:
    places_by_name: dict[str, list[int]] = defaultdict(list)
    for place, record in objects.items():
        if not record.keys() <= features:
            for name in record.keys() - features:
                places_by_name[name].append(place)
    return {
        name: _unknown(places, [shown(objects[place][name]) for place in places])
        for name, places in sorted(places_by_name.items())
    }


def _unknown(places: Sequence[int] | Places, got: Sequence[str]) -> BrokenRule:
    return rows_hit("unknown", "no such field", "allowed", places, got)


def _shapeless(places: Sequence[int], got: Sequence[str]) -> BrokenRule:
    return rows_hit("type", "an object", "broken", places, got)


def _array(column: pd.Series[Any]) -> pa.Array | pa.ChunkedArray | list[Any]:
    """Convert a pandas column to Arrow; to Python values if it has several types."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        kind = pa.timestamp(column.dtype.unit, zone_name(column.dtype.tz))
        return pa.array(column.dt.tz_convert(None).to_numpy(), kind)
    try:
        if isinstance(column.dtype, pd.CategoricalDtype):
            return category_values(column)
        return pa.Array.from_pandas(column)
    except (pa.ArrowException, OverflowError):
        return column.astype(object).where(column.notna(), None).tolist()


def _kind(column: pa.Array | pa.ChunkedArray | list[Any]) -> str:
    return "a column of several types" if isinstance(column, list) else f"a column of {column.type}"
