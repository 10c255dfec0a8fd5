"""Columns on two sides, without a log, a worker or a pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.skew.diagnosis.case import Case, RowContext
from gnomon.skew.diagnosis.explain import Explanation, explain

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def near(left: Floats, right: Floats) -> Mask:
    """Compare with the tolerance of the default policy for one artifact."""
    return np.isclose(left, right, rtol=1e-9, atol=1e-12, equal_nan=True)


def case(left: Any, right: Any, kind: str = "feature", **context: Any) -> Case:
    """A case of two columns; NaN and None are null."""
    one, other = (_array(side) for side in (left, right))
    if pa.types.is_floating(one.type) and pa.types.is_floating(other.type):
        values = [side.to_numpy(zero_copy_only=False) for side in (one, other)]
        differs = ~near(values[0], values[1])
    else:
        differs = np.array(
            [a != b for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True)]
        )
    context.setdefault("row_times", np.arange(len(one), dtype=float))
    more = {name: context.pop(name) for name in ("moved", "raw_null", "agree") if name in context}
    return Case(
        column="x",
        kind=kind,  # type: ignore[arg-type]
        left=one,
        right=other,
        differs=differs,
        agrees=~differs,
        context=RowContext(**context),
        **{"agree": near, **more},
    )


def why(left: Any, right: Any, kind: str = "feature", **context: Any) -> list[str]:
    """The causes that account for everything that differs; else none."""
    found = explained(left, right, kind, **context)
    return [f.proposal.cause for f in found.found if f.is_confirmed] if found.is_whole else []


def explained(left: Any, right: Any, kind: str = "feature", **context: Any) -> Explanation:
    """What makes two columns differ."""
    return explain(case(left, right, kind, **context))


def _array(side: Any) -> pa.Array:
    if getattr(getattr(side, "dtype", None), "tz", None) is not None:
        naive = pa.array(side.dt.tz_convert(None).to_numpy()).cast(pa.timestamp("us"))
        return naive.cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
    return pa.array(side, from_pandas=True)
