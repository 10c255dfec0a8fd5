"""The context of traced rows: what is known in addition to the compared columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract import Contract
from gnomon.offline.column_names import KNOWN_AT, LABEL
from gnomon.offline.shifts import SHIFTS, History, Shift
from gnomon.skew.diagnosis.case import RowContext, Version
from gnomon.skew.diagnosis.replaced_inputs import hours, numbers
from gnomon.skew.diagnosis.traced_rows import TracedRows

__all__ = ["surroundings"]

Floats = npt.NDArray[np.float64]

_MOST_GROUPS = 6


_SHIFTS = (*SHIFTS, Shift(step=-2), Shift(step=-3), Shift(step=2))


def surroundings(
    traced: TracedRows, contract: Contract, history: History | None = None
) -> RowContext:
    """Collect the times, answers, groupings and labels of the traced rows."""
    about, inputs = traced.sample.pairs.about, traced.inputs
    left, right = traced.sample.pairs.left, traced.sample.pairs.right
    times = [f for f in contract.features if f.type == "timestamp"]
    output_names = [o.name for o in contract.outputs if o.name in left.column_names]
    outputs = {name: _as_numbers(left.column(name)) for name in output_names}
    return RowContext(
        row_times=hours(about.column("time")),
        feature_times={f.name: hours(inputs.column(f.name)) for f in times},
        zones=tuple(f.timezone for f in times if f.timezone),
        outputs={name: values for name, values in outputs.items() if values is not None},
        groups=_groups(inputs, contract),
        domains={
            f.name: frozenset(map(str, f.domain))
            for f in contract.features
            if f.domain and f.type in ("string", "category")
        },
        label=_as_numbers(right.column(LABEL)) if LABEL in right.column_names else None,
        known=hours(right.column(KNOWN_AT)) if KNOWN_AT in right.column_names else None,
        **({"versions": _versions(about, history)} if history else {}),
    )


def _versions(about: pa.Table, history: History) -> Callable[[str], Iterator[Version]]:
    joined = cache(partial(history, about))  # many columns ask for the same versions

    def versions(column: str) -> Iterator[Version]:
        for shift in _SHIFTS:
            shifted = joined(shift)
            if column in shifted.right.column_names and shifted.there.any():
                known = hours(shifted.right.column(KNOWN_AT))
                yield Version(shift, shifted.right.column(column).combine_chunks(), known)

    return versions


def _as_numbers(column: pa.ChunkedArray) -> Floats | None:
    """Return numbers as floats, two labels as 0 and 1 in sorted order, and None for the rest."""
    type_ = column.type
    if pa.types.is_boolean(type_) or pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return numbers(column)
    if not pa.types.is_string(type_):
        return None
    distinct = sorted(pc.unique(column.drop_null()).to_pylist())
    if len(distinct) != 2:
        return None
    return numbers(pc.cast(pc.equal(column, distinct[1]), pa.float64()))


def _groups(inputs: pa.RecordBatch, contract: Contract) -> list[tuple[str, npt.NDArray[np.int64]]]:
    """List groupings by which rows may have a history: the entity key, then recurring values."""
    n = inputs.num_rows
    groups = []
    keys = {" and ".join(contract.entity_key), *contract.entity_key}
    keys_alone = [(name,) for name in contract.entity_key]
    full_key = [contract.entity_key] if len(contract.entity_key) > 1 else []
    texts = [
        (f.name,)
        for f in contract.features
        if f.type in ("string", "category", "integer") and f.name not in contract.entity_key
    ]
    for key in (*full_key, *keys_alone, *texts):
        codes = _codes([inputs.column(name) for name in key])
        distinct = len(np.unique(codes))
        name = " and ".join(key)
        if 1 < distinct <= (0.9 * n if name in keys else n / 3):
            groups.append((name, codes))
    return groups[:_MOST_GROUPS]


def _codes(columns: list[pa.Array]) -> npt.NDArray[np.int64]:
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        encoded = pc.fill_null(pc.cast(column, pa.string()), "").dictionary_encode()
        part = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        codes = np.unique(codes * (part.max() + 1) + part, return_inverse=True)[1].astype(np.int64)
    return codes
