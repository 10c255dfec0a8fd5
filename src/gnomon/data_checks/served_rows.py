"""A sample of the rows that an artifact served, from the log, with their labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.bottom_k import BottomK
from gnomon.contract import Contract
from gnomon.contract.frames import as_trained
from gnomon.errors import TableError
from gnomon.leakage import ScoredStage
from gnomon.leakage.model_answers import class_scores
from gnomon.offline.column_names import KEYS
from gnomon.offline.logged import Range, Rows
from gnomon.offline.offline_table import key_fields, read_table, with_keys

__all__ = ["ServedLabels", "ServedRows", "draw"]

MOST_ROWS = 20_000
"""The most rows that are kept from a log of any size."""

_SEED = 0


@dataclass(frozen=True)
class ServedRows:
    """Rows sampled from the log.

    Attributes:
        rows: how many rows were answered.
        frame: a sample of them, in the form that the pipeline got.
        live: answers with their known labels; None if none were given.
    """

    rows: int
    frame: pd.DataFrame
    live: ScoredStage | None


class ServedLabels:
    """A table of the labels of rows, by key."""

    def __init__(self, path: Path, on: str | Sequence[str], label: str, contract: Contract) -> None:
        """
        Args:
            path: the path of the file.
            on: the key columns; the contract's entity key when not given.
            label: the column of the label.
            contract: the joint contract of the served rows.

        Raises:
            TableError: it cannot be read, lacks a column, or has a key twice or of another type.
        """
        fields = key_fields(on or contract.entity_key, contract)
        table = read_table(path, contract, option="--labels")
        table = with_keys(table, [field.name for field in fields])
        missing = [n for n in [*(f.name for f in fields), label] if n not in table.column_names]
        if missing:
            raise TableError(
                f"the file of labels has no column `{missing[0]}`",
                where=str(path),
                hint=f"its columns are {', '.join(table.column_names)}",
            )
        self._on = [field.name for field in fields]
        self._index = _index([_cast(table.column(f.name), f, path) for f in fields])
        self.labels = table.column(label).to_pandas().to_numpy()
        if self._index.has_duplicates:
            duplicate = self._index[self._index.duplicated()][0]
            raise TableError(
                f"the file of labels has the key {duplicate} more than once",
                where=str(path),
                hint="give each key one label, or join on more columns",
            )

    def find(self, rows: Rows) -> npt.NDArray[np.intp]:
        """Return the position of each row's label, -1 where there is none."""
        columns = [
            (rows.envelope if name in KEYS else rows.inputs).column(name) for name in self._on
        ]
        return np.asarray(self._index.get_indexer(_index(columns)))


def draw(
    source: Range, served_labels: ServedLabels | None, progress: Callable[[int], None] | None = None
) -> ServedRows:
    """Read a range of the log once and keep a uniform random sample of its rows."""
    contract = source.artifact.contract
    random = np.random.default_rng(_SEED)
    features, answered = _sample(), _sample()
    for chunk in source.chunks():
        features.offer(random.random(chunk.num_rows), chunk.inputs)
        if served_labels is not None:
            places = served_labels.find(chunk)
            known = pa.array(np.flatnonzero(places >= 0))
            answers = chunk.outputs.append_column(_PLACE, pa.array(places)).take(known)
            answered.offer(random.random(answers.num_rows), answers)
        if progress:
            progress(chunk.num_rows)
    inputs = features.kept()
    if inputs is not None:
        inputs = inputs.rename_columns(contract.input_schema.names)
    frame = as_trained(_batch(inputs, contract.input_schema), contract)
    live = None if served_labels is None else _live_stage(answered.kept(), served_labels, contract)
    return ServedRows(features.seen, frame, live)


_PLACE = "place of the label"


def _sample() -> BottomK[pa.Table]:
    return BottomK(MOST_ROWS, lambda table, rows: table.take(pa.array(rows)), pa.concat_tables)


def _live_stage(
    table: pa.Table | None, served_labels: ServedLabels, contract: Contract
) -> ScoredStage:
    if table is None:
        width = max(len(contract.classes), 1)
        return ScoredStage("live", np.array([]), np.empty((0, width)), contract.classes)
    labels = served_labels.labels[table.column(_PLACE).to_numpy()]
    answers = class_scores(_batch(table.drop_columns([_PLACE]), contract.output_schema), contract)
    return ScoredStage("live", labels, answers, contract.classes)


def _batch(table: pa.Table | None, schema: pa.Schema) -> pa.RecordBatch:
    """Return a table as one batch."""
    if table is None or not table.num_rows:
        return pa.RecordBatch.from_pylist([], schema)
    return table.combine_chunks().to_batches()[0]


def _index(columns: Sequence[pa.ChunkedArray]) -> pd.Index:
    arrays: list[Any] = [column.to_pandas() for column in columns]
    return pd.Index(arrays[0]) if len(arrays) == 1 else pd.MultiIndex.from_arrays(arrays)


def _cast(column: pa.ChunkedArray, field: pa.Field, path: Path) -> pa.ChunkedArray:
    try:
        return pc.cast(column, field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TableError(
            f"the key cannot be converted to the log's type: {error}",
            where=f"{path}: {field.name}",
        ) from None
