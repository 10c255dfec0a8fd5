"""Score the rows of a file as a server would, to make offline predictions.

Each row is decoded by the contract as a request's record is, and scored by the same worker code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact import Artifact
from gnomon.contract import Contract, Decoder
from gnomon.contract.arrays import with_offsets
from gnomon.errors import InvalidRequest, TableError
from gnomon.offline.column_names import joint_contract
from gnomon.offline.offline_table import read_table
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from gnomon.worker.messages import ERROR, scored_schema

__all__ = ["FAILED", "answer_names", "as_body", "as_requests", "kept_columns", "score_file"]

CHUNK_ROWS = 2_048
FAILED = "error"
"""The name of the column with the reason why a row has no answer."""


def score_file(
    path: Path,
    artifact: Artifact,
    settings: Settings,
    *,
    keep: Sequence[str] | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> pa.Table:
    """Score every row of a file, in its order.

    Args:
        path: a CSV or Parquet file, as for :func:`~gnomon.offline.offline_table.read_table`.
        artifact: the artifact that scores them.
        settings: thread and time limits of the worker.
        keep: columns of the file to put next to the answers. Without it: the entity key and the
            event time, or all columns if the contract has neither. A feature with the name of an
            output, such as ``prediction``, becomes ``input/prediction``.
        progress: called with the number of rows scored since the last call.

    Returns:
        The kept columns, the artifact's outputs, and ``error``: the reason if a row has no answer,
        else null.

    Raises:
        TableError: the file cannot be read, lacks a column to keep, or has one named as an output.
        ArtifactError, WorkerError: the artifact does not load, or its worker does not start.
    """
    contract = artifact.contract
    table = read_table(path, contract, option="FILE")
    scored = kept_columns(table, contract, keep, str(path))
    decoder = Decoder(contract)
    parts: list[pa.RecordBatch] = []
    with WorkerClient(artifact, settings) as worker:
        for start in range(0, table.num_rows, CHUNK_ROWS):
            chunk = as_requests(table.slice(start, CHUNK_ROWS), contract).to_pylist()
            parts.append(_score(worker, decoder, chunk))
            progress(len(chunk))
    answers = pa.Table.from_batches(parts, schema=scored_schema(contract.output_schema))
    for name, column in zip(answer_names(contract), answers.columns, strict=True):
        scored = scored.append_column(name, column)
    return scored


def kept_columns(
    table: pa.Table, contract: Contract, keep: Sequence[str] | None, where: str
) -> pa.Table:
    """Select the columns of a file to put next to the answers; see :func:`score_file`.

    Raises:
        TableError: a column does not exist, or has the name of an output.
    """
    if keep is None:
        keys = [*contract.entity_key, *([contract.event_time] if contract.event_time else [])]
        keep = [name for name in keys or table.column_names if name in table.column_names]
    for name in keep:
        if name not in table.column_names:
            raise TableError(
                f"the file has no column `{name}`",
                where=where,
                hint="it has " + ", ".join(table.column_names),
            )
    columns = table.select(list(dict.fromkeys(keep)))
    joint = joint_contract(contract, answer_names(contract)).input_schema.names
    joint_names = dict(zip(contract.input_schema.names, joint, strict=True))
    columns = columns.rename_columns([joint_names.get(name, name) for name in columns.column_names])
    taken = set(answer_names(contract)).intersection(columns.column_names)
    if taken:
        raise TableError(
            f"the file has a column `{min(taken)}`, which is also a column of the answers",
            where=where,
            hint="choose with --keep which columns to put next to the answers",
        )
    return columns


def answer_names(contract: Contract) -> list[str]:
    """Return the names of the outputs, then that of the column with the reasons."""
    return [*contract.output_schema.names, FAILED]


def as_requests(table: pa.Table, contract: Contract) -> pa.Table:
    """Convert a file's values to the form they have in requests; see :func:`with_offsets`."""
    for feature in contract.features:
        position = table.schema.get_field_index(feature.name)
        if position >= 0:
            table = table.set_column(
                position, feature.name, with_offsets(table.column(position), feature)
            )
    return table


def _score(worker: WorkerClient, decoder: Decoder, records: list[dict[str, Any]]) -> pa.RecordBatch:
    """Score some rows; those that the contract refuses are not sent and get an ``error``."""
    rows, refused = [], dict[int, str]()
    try:
        rows = list(decoder.decode(as_body(records)).rows)
    except InvalidRequest:
        for number, record in enumerate(records):
            try:
                rows.append(decoder.decode(as_body([record])).rows[0])
            except InvalidRequest as error:
                refused[number] = str(error).replace("$.rows[0]", "$")
    scored = worker.score(decoder.batch(rows)) if rows else _none(decoder)
    if not refused:
        return scored
    order, scored_rows = [], 0
    for number in range(len(records)):
        order.append(None if number in refused else scored_rows)
        scored_rows += number not in refused
    answers = scored.take(pa.array(order, pa.int64()))
    reasons = pa.array([refused.get(number) for number in range(len(records))], pa.string())
    position = answers.schema.get_field_index(ERROR)
    return answers.set_column(
        position, answers.schema.field(position), pc.coalesce(reasons, answers.column(position))
    )


def as_body(records: list[dict[str, Any]]) -> bytes:
    """Return the body of a request with some records."""
    return msgspec.json.encode({"rows": records}, enc_hook=str)


def _none(decoder: Decoder) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], scored_schema(decoder.contract.output_schema))
