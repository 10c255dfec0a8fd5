"""Read a table of labelled rows as the reference of an artifact."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact import Artifact
from gnomon.contract import Decoder
from gnomon.errors import InvalidRequest, TableError
from gnomon.estimates.answered_rows import AnsweredRows
from gnomon.estimates.estimation import ReferenceTable
from gnomon.log.sampling import units_of
from gnomon.offline.offline_table import read_table
from gnomon.offline.paired_rows import one_piece
from gnomon.offline.rerun import Rerun
from gnomon.offline.scoring import as_body, as_requests
from gnomon.rollout.quality.class_texts import class_texts
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from gnomon.worker.messages import ERROR

__all__ = ["read_reference"]

_CHUNK_ROWS = 2_048


def read_reference(
    path: Path, label: str, artifact: Artifact, settings: Settings
) -> ReferenceTable:
    """Read labelled rows, and answer them with an artifact as a server would.

    Rows that the pipeline raises on, and rows without a label, are left out.

    Args:
        path: a CSV or Parquet file with a column for each feature.
        label: the column of the label.
        artifact: the artifact whose quality is to be estimated.
        settings: thread and time limits of the worker.

    Raises:
        TableError: the file cannot be read, lacks the column, or has a row that the contract
            refuses.
        ArtifactError, WorkerError: the artifact does not load, or its worker does not start.
    """
    contract = artifact.contract
    table = read_table(path, contract, option="--reference")
    if label not in table.column_names:
        raise TableError(
            f"the reference has no column `{label}` with labels",
            where=str(path),
            hint=f"name it with --label; its columns are {', '.join(table.column_names)}",
        )
    decoder = Decoder(contract)
    decoded: list[pa.RecordBatch] = []
    answers: list[pa.RecordBatch] = []
    with WorkerClient(artifact, settings) as client:
        rerun = Rerun(client, artifact, settings)
        for start in range(0, table.num_rows, _CHUNK_ROWS):
            chunk = as_requests(table.slice(start, _CHUNK_ROWS), contract)
            decoded.append(_decoded(decoder, chunk, start, path))
            answers.append(rerun.score(decoded[-1]))
    return ReferenceTable(str(path), _labelled(artifact, table.column(label), decoded, answers))


def _decoded(decoder: Decoder, chunk: pa.Table, start: int, path: Path) -> pa.RecordBatch:
    try:
        return decoder.batch(decoder.decode(as_body(chunk.to_pylist())).rows)
    except InvalidRequest as error:
        raise TableError(
            f"the contract refuses a row of the reference: {error} (rows counted from {start:,})",
            where=str(path),
            hint="give rows as they would be sent; gnomon check FILE lists all that are refused",
        ) from None


def _labelled(
    artifact: Artifact,
    labels: pa.ChunkedArray,
    decoded: list[pa.RecordBatch],
    answers: list[pa.RecordBatch],
) -> AnsweredRows:
    contract, size = artifact.contract, len(labels)
    scored = pa.Table.from_batches(answers) if answers else None
    outputs = contract.output_schema.empty_table() if scored is None else scored
    time = pa.array([datetime.fromtimestamp(0, UTC)] * size, pa.timestamp("us", tz="UTC"))
    inputs = pa.Table.from_batches(decoded, contract.input_schema)
    request_ids = pa.array(map(str, range(size)), pa.string())
    facts = pa.table(
        {
            "request_id": request_ids,
            "row": pa.array(np.zeros(size), pa.int32()),
            "arrived": time,
            "time": time,
            "unit": units_of(inputs, request_ids, contract.entity_key),
        }
    )
    rows = AnsweredRows(
        facts,
        inputs,
        outputs.select(contract.output_schema.names),
        class_texts(one_piece(labels)),
    )
    if scored is None:
        return rows
    return rows.take(np.flatnonzero(np.asarray(pc.is_null(scored.column(ERROR)))))
