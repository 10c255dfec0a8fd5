"""Describe which rows differ: by a value that they share, and by the time of the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.report.numbers import value
from gnomon.skew.diagnosis.case import FEWEST_ROWS, Mask

__all__ = ["SharedValue", "segment", "since"]

Floats = npt.NDArray[np.float64]

_RECALL = 0.99
_OUTSIDE = 0.005
"""The largest share of the rows outside a segment that may differ."""

_INSIDE = 0.3
"""The smallest share of the rows inside a segment that must differ."""

_WIDEST = 0.8
"""The largest share of all rows that a segment may have."""

_MOST_VALUES = 60
_UNITED = 3


@dataclass(frozen=True, slots=True)
class SharedValue:
    """Rows that share a value.

    Attributes:
        attribute: a feature, ``client_id``, or an hour.
        values: the values of the attribute on these rows.
        rows: the mask of these rows.
        inside: the share of these rows that differ.
    """

    attribute: str
    values: tuple[str, ...]
    rows: Mask
    inside: float

    @property
    def text(self) -> str:
        """The condition in words, such as ``carrier is AA``."""
        return f"{self.attribute} is {' or '.join(self.values)}"


def segment(
    differs: Mask,
    inputs: pa.RecordBatch,
    about: pa.Table,
    weights: Floats,
    *,
    but: frozenset[str] = frozenset(),
) -> SharedValue | None:
    """Find the narrowest segment with (nearly) all rows that differ; None if there is none.

    Args:
        differs: the rows.
        inputs: features as they were online.
        about: ``arrived``, ``time`` and, where it was read, ``client_id``.
        weights: how many of all rows each row stands for.
        but: features to skip, because they are the ones that differ.
    """
    if differs.sum() < FEWEST_ROWS or (~differs).sum() < FEWEST_ROWS:
        return None
    best: SharedValue | None = None
    for name, codes, labels in _attributes(inputs, about):
        if name in but:
            continue
        candidate = _shared_value(name, codes, labels, differs, weights)
        if candidate is not None and (best is None or candidate.inside > best.inside + 1e-9):
            best = candidate
    return best


def since(differs: Mask, row_times: Floats) -> float | None:
    """Return the time of the first row that differs; None if rows differ from the start."""
    known = np.isfinite(row_times)
    if not (differs & known).any():
        return None
    first = float(row_times[differs & known].min())
    before = known & (row_times < first)
    after = known & (row_times >= first)
    rate = float(differs[after].mean())
    # If earlier rows differed at the same rate, none of n would with probability (1 - rate)^n.
    if before.sum() < FEWEST_ROWS or (1 - rate) ** before.sum() > 1e-4:
        return None
    return first


def _shared_value(
    name: str, codes: npt.NDArray[np.int64], labels: list[str], differs: Mask, weights: Floats
) -> SharedValue | None:
    totals = np.bincount(codes, weights, len(labels))
    differing = np.bincount(codes, weights * differs, len(labels))
    share = np.divide(differing, totals, where=totals > 0, out=np.zeros(len(labels)))
    ranked = np.argsort(-share, kind="stable")[:_UNITED]
    for count in range(1, len(ranked) + 1):
        top = ranked[:count]
        if share[top].min() < _INSIDE or totals[top].sum() > _WIDEST * weights.sum():
            return None
        rest = weights.sum() - totals[top].sum()
        if (
            differing[top].sum() >= _RECALL * differing.sum()
            and differing.sum() - differing[top].sum() <= _OUTSIDE * rest
        ):
            rows = np.isin(codes, top)
            if (~rows).sum() < FEWEST_ROWS:
                return None
            values = tuple(labels[i] for i in sorted(top.tolist()))
            return SharedValue(name, values, rows, float(differing[top].sum() / totals[top].sum()))
    return None


def _attributes(
    inputs: pa.RecordBatch, about: pa.Table
) -> Iterator[tuple[str, npt.NDArray[np.int64], list[str]]]:
    for name, column in zip(inputs.schema.names, inputs.columns, strict=True):
        if pa.types.is_timestamp(column.type) or pa.types.is_floating(column.type):
            if 0 < column.null_count < len(column):
                yield (
                    f"`{name}`",
                    *_factorize(pc.is_null(column), {True: "null", False: "not null"}),
                )
            continue
        if pc.count_distinct(column).as_py() <= _MOST_VALUES:
            yield f"`{name}`", *_factorize(column)
    if "client_id" in about.column_names:
        yield "client", *_factorize(about.column("client_id").combine_chunks())
    for name, what in (("arrived", "hour of arrival (UTC)"), ("time", "hour (UTC)")):
        times = about.column(name).combine_chunks()
        if len(times) and pc.count_distinct(pc.floor_temporal(times, unit="day")).as_py() > 1:
            yield what, *_factorize(pc.hour(times.cast(pa.timestamp("us", "UTC"))))


def _factorize(
    column: pa.Array, names: dict[bool, str] | None = None
) -> tuple[npt.NDArray[np.int64], list[str]]:
    codes, labels = pd.factorize(np.array(column.to_pylist(), dtype=object), use_na_sentinel=False)
    texts = [(names or {}).get(label) or value(label) for label in labels.tolist()]
    return codes.astype(np.int64), texts
