"""Golden rows: what the pipeline computed when it was packed, step by step.

They are a table with a column for every input (``input/<feature>``), every output of every step
(``step/<step>/<column>``) and every answer (``output/<name>``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract.contract import Contract
from gnomon.contract.frames import from_frame, to_input
from gnomon.errors import GoldenMismatch
from gnomon.pipeline.predicting import outputs
from gnomon.pipeline.tracing import trace
from gnomon.tolerances import ROUNDING, SINGLE_ROUNDING, close

__all__ = [
    "check_same",
    "choose_rows",
    "inputs",
    "record",
    "record_inputs",
    "step_outputs",
    "verify",
]


def choose_rows(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """Choose rows that represent a frame.

    They are the rows with each column's first null, smallest and largest value, then evenly
    spaced rows. The choice depends only on the frame.
    """
    chosen: dict[int, None] = {}
    for _, column in frame.items():
        chosen |= dict.fromkeys(_corners(column))
    spaced = np.linspace(0, len(frame) - 1, num=min(count, len(frame)), dtype=int)
    rows = [*list(chosen)[: count // 2], *(int(row) for row in spaced)]
    return frame.iloc[sorted(list(dict.fromkeys(rows))[:count])]


def _corners(column: pd.Series[Any]) -> list[int]:
    nulls = np.flatnonzero(column.isna().to_numpy())
    corners = [int(nulls[0])] if len(nulls) else []
    values = column.to_numpy()
    if pd.api.types.is_numeric_dtype(column.dtype) and len(nulls) < len(column):
        numbers = column.to_numpy(dtype="float64", na_value=np.nan)
        corners += [int(np.nanargmin(numbers)), int(np.nanargmax(numbers))]
    elif len(values):
        corners.append(0)
    return corners


def record(pipeline: Any, frame: pd.DataFrame, contract: Contract) -> pa.Table:
    """Return the golden table of some rows."""
    return record_inputs(pipeline, from_frame(frame, contract), contract)


def record_inputs(pipeline: Any, rows: pa.RecordBatch, contract: Contract) -> pa.Table:
    """Return the golden table of some rows in the contract's input schema."""
    given = to_input(rows, contract)
    steps = step_outputs(pipeline, given)
    answers = outputs(pipeline, given, contract)
    parts: Sequence[tuple[str, Any]] = (("input", rows), ("step", steps), ("output", answers))
    return pa.table(
        {
            f"{kind}/{name}": part.column(index)
            for kind, part in parts
            for index, name in enumerate(part.schema.names)
        }
    )


def verify(pipeline: Any, golden: pa.Table, contract: Contract, where: str) -> None:
    """Run the golden rows again.

    Args:
        where: the artifact's tag, for the message.

    Raises:
        GoldenMismatch: the results differ from the recorded ones; names the first step and column.
    """
    rows = inputs(golden, contract)
    try:
        again = record_inputs(pipeline, rows, contract)
    except Exception as error:
        raise GoldenMismatch(
            f"the golden rows raised {type(error).__name__}: {error}",
            where=where,
            hint="something that the pipeline's code relies on has changed",
        ) from error
    if again.column_names != golden.column_names:
        changed = sorted(set(again.column_names) ^ set(golden.column_names))
        raise _mismatch(changed[0] if changed else "columns", "its columns are not the same", where)
    check_same(golden, again, where)


def check_same(recorded: pa.Table, again: pa.Table, where: str) -> None:
    """Compare the columns of a golden table with the same ones of another.

    Raises:
        GoldenMismatch: a column differs, or the other table does not have it.
    """
    for name in recorded.column_names:
        if name not in again.column_names:
            raise _mismatch(name, "it was recorded and is not there", where)
        _compare(name, recorded[name], again[name], where)


def inputs(golden: pa.Table, contract: Contract) -> pa.RecordBatch:
    """Return the input rows of a golden table, in the contract's input schema."""
    columns = golden.select([f"input/{feature.name}" for feature in contract.features])
    rows = columns.rename_columns([feature.name for feature in contract.features])
    return rows.combine_chunks().to_batches()[0]


def step_outputs(pipeline: Any, given: Any) -> pa.Table:
    """Return every step's output for rows of the pipeline's input, as ``<step>/<column>``."""
    columns = {
        f"{step}/{name}": _array(part.iloc[:, position])
        for step, part in trace(pipeline, given).items()
        for position, name in enumerate(part.columns)
    }
    return pa.table(columns)


def write(table: pa.Table, path: Path) -> None:
    """Write a table as an Arrow file."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _array(column: pd.Series[Any]) -> pa.Array:
    """Convert a step's column to Arrow; NaN is null, and values of mixed types become text."""
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else str(value) for value in column], pa.string())


def _compare(name: str, expected: pa.ChunkedArray, found: pa.ChunkedArray, where: str) -> None:
    if expected.type != found.type:
        raise _mismatch(name, f"it was {expected.type} and is {found.type}", where)
    agree = _agree(expected, found)
    if agree.all():
        return
    row = int(np.argmin(agree))
    raise _mismatch(
        name,
        f"row {row} was {expected[row].as_py()!r} and is {found[row].as_py()!r} "
        f"({int((~agree).sum())} of {len(agree)} rows differ)",
        where,
    )


def _agree(expected: pa.ChunkedArray, found: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Return which rows are equal, floats within rounding; two nulls are equal."""
    if pa.types.is_nested(expected.type):
        pairs = zip(expected.to_pylist(), found.to_pylist(), strict=True)
        return np.array([one == other for one, other in pairs])
    if pa.types.is_floating(expected.type):
        relative = ROUNDING if expected.type == pa.float64() else SINGLE_ROUNDING
        left, right = (side.to_numpy().astype(np.float64) for side in (expected, found))
        both_nan: np.ndarray[Any, Any] = np.isnan(left) & np.isnan(right)
        return both_nan | close(left, right, relative=relative, absolute=relative * 1e-3)
    same = pc.fill_null(pc.equal(expected, found), False)
    nulls = pc.and_(pc.is_null(expected), pc.is_null(found))
    agree: np.ndarray[Any, Any] = pc.or_(same, nulls).to_numpy()
    return agree


def _mismatch(name: str, what: str, where: str) -> GoldenMismatch:
    kind, _, rest = name.partition("/")
    step, _, column = rest.rpartition("/")
    place = f"step `{step}`, column `{column}`" if kind == "step" else f"{kind} `{rest}`"
    return GoldenMismatch(
        f"{place}: {what}",
        where=where,
        hint="the code, a library or the machine behaves differently here than when packed",
    )
