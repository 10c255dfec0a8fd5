"""The data of a report's plots: both sides' values, divergence over time, and example rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.comparators import compare
from gnomon.contract import Contract
from gnomon.policy import Rules
from gnomon.report import Axis, Bucket, Cell, Distribution, Example, Timeline, Value
from gnomon.skew.consistency.divergence import DivergenceOverTime
from gnomon.skew.diagnosis.traced_rows import Sampled

__all__ = ["distribution", "examples", "timeline"]

Floats = npt.NDArray[np.float64]

_BINS = 40
_MOST_LABELS = 12
_MOST_EXAMPLES = 10
_MOST_CELLS = 8


def timeline(time: DivergenceOverTime, contract: Contract) -> Timeline | None:
    """Return divergence over time; None when no row has a time."""
    time.settle()
    if not time.counts:
        return None
    return Timeline(
        axis=Axis(label=contract.event_time or "arrival", unit="UTC"),
        seconds=time.seconds,
        buckets=tuple(
            Bucket(
                start=_iso(number * time.seconds),
                end=_iso((number + 1) * time.seconds),
                rows=time.counts[number][0],
                diverged=time.counts[number][1],
            )
            for number in sorted(time.counts)
        ),
    )


def distribution(
    name: str,
    left: pa.ChunkedArray,
    right: pa.ChunkedArray,
    weights: Floats,
    unit: str | None,
    *,
    is_share: bool = False,
) -> Distribution | None:
    """Count one column's values on both sides; None for timestamps and for only nulls.

    Args:
        is_share: whether the values are between 0 and 1, and are drawn on that scale.
    """
    axis = Axis(label=name, unit=unit)
    if _is_number(left.type) and _is_number(right.type):
        return _numbers(axis, left, right, weights, is_share=is_share)
    if pa.types.is_timestamp(left.type):
        return None
    return _labels(axis, left, right, weights)


def examples(
    rows: Sampled,
    left: pa.Table,
    right: pa.Table,
    rules: Rules,
    *,
    keys: Sequence[str],
    wanted: Sequence[str],
) -> Iterator[Example]:
    """Yield the most important diverging rows: changed decisions, then largest differences.

    Args:
        left: every column to show, for the rows of ``rows``.
        keys: the columns of ``about`` that identify a row.
        wanted: the columns to show before others where they differ.
    """
    about = rows.pairs.about
    diverging = np.flatnonzero(rows.diverged)
    size = np.nan_to_num(about.column("difference").to_numpy()[diverging], nan=-1.0)
    flipped = about.column("flipped").to_numpy()[diverging]
    worst = diverging[np.lexsort((-size, ~flipped))[:_MOST_EXAMPLES]]
    chosen = pa.array(worst)
    about, left, right = about.take(chosen), left.take(chosen), right.take(chosen)
    compared = compare(left, right, rules).columns
    for position in range(len(worst)):
        differing = [name for name in compared if not compared[name].agree[position]]
        names = sorted(differing, key=lambda name: name not in wanted)[:_MOST_CELLS]
        yield Example(
            request_id=about.column("request_id")[position].as_py(),
            row=about.column("row")[position].as_py(),
            arrived=about.column("arrived")[position].as_py().isoformat(),
            key={name: _value(about.column(f"key_{name}")[position]) for name in keys},
            cells=tuple(
                Cell(
                    column=name,
                    left=_value(left.column(name)[position]),
                    right=_value(right.column(name)[position]),
                    diverged=True,
                )
                for name in names
            ),
        )


def _numbers(
    axis: Axis,
    left: pa.ChunkedArray,
    right: pa.ChunkedArray,
    weights: Floats,
    *,
    is_share: bool,
) -> Distribution | None:
    sides = [np.asarray(pc.cast(s, pa.float64(), safe=False).to_numpy()) for s in (left, right)]
    known = np.concatenate([side[np.isfinite(side)] for side in sides])
    if not len(known):
        return None
    edges = _edges(known, is_share=is_share)
    counts = [np.histogram(side, edges, weights=weights)[0].round().astype(int) for side in sides]
    return Distribution(
        axis=axis,
        rows=round(float(weights.sum())),
        sampled=len(weights),
        left=tuple(counts[0].tolist()),
        right=tuple(counts[1].tolist()),
        edges=tuple(edges.tolist()),
    )


def _edges(values: Floats, *, is_share: bool) -> Floats:
    """Return bins centred on each whole number if there are only whole numbers, else equal bins."""
    low, high = float(values.min()), float(values.max())
    if is_share and low >= 0 and high <= 1:
        return np.linspace(0.0, 1.0, _BINS + 1)
    if high - low <= 1.5 * _BINS and bool((values == np.round(values)).all()):
        return np.arange(low - 0.5, high + 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, _BINS + 1)


def _labels(
    axis: Axis, left: pa.ChunkedArray, right: pa.ChunkedArray, weights: Floats
) -> Distribution:
    counts = []
    for side in (left, right):
        totals: Counter[str] = Counter()
        for label, weight in zip(side.to_pylist(), weights.tolist(), strict=True):
            totals["null" if label is None else str(label)] += weight
        counts.append(totals)
    labels = [label for label, _ in (counts[0] + counts[1]).most_common(_MOST_LABELS)]
    return Distribution(
        axis=axis,
        rows=round(float(weights.sum())),
        sampled=len(weights),
        left=tuple(round(counts[0][label]) for label in labels),
        right=tuple(round(counts[1][label]) for label in labels),
        labels=tuple(labels),
    )


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def _value(scalar: pa.Scalar) -> Value:
    value = scalar.as_py()
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
