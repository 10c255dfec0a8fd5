"""The scoring of a file through a server; :mod:`gnomon.offline.scoring` does it without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from gnomon.contract import Contract
from gnomon.offline.offline_table import read_table
from gnomon.offline.scoring import answer_names, as_requests, kept_columns
from gnomon.service.client.clients import Client

__all__ = ["score_at_server"]

HEAD_COLUMNS = 3
"""The columns of a batch of answers before the outputs: request id, row and artifact. The last
column is the error."""


def score_at_server(
    path: Path,
    client: Client,
    *,
    keep: Sequence[str] | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> tuple[pa.Table, list[str]]:
    """Score every row of a file, in its order, with a stream to a server.

    Args:
        path: a CSV or Parquet file, as for :func:`gnomon.offline.scoring.score_file`.
        client: the server's client.
        keep: columns of the file to keep next to the answers, as for ``score_file``.
        progress: called with the number of rows scored since the last call.

    Returns:
        The same table as :func:`~gnomon.offline.scoring.score_file`, and the artifacts that
        answered.

    Raises:
        TableError: the file cannot be read, lacks a column to keep, or has one named like an
            output.
        GnomonError: the error with which the server ended the stream.
    """
    contract = client.contract()
    table = read_table(path, contract, option="FILE")
    scored = kept_columns(table, contract, keep, str(path))
    features = [name for name in contract.input_schema.names if name in table.column_names]
    requests = as_requests(table.select(features), contract)
    answers = list(client.predict_batches(requests, progress=progress)) if table.num_rows else []
    for name, place, kind in _answer_columns(contract):
        column = pa.chunked_array([batch.column(place) for batch in answers], kind)
        scored = scored.append_column(name, column)
    tags = dict.fromkeys(tag for batch in answers for tag in batch.column("artifact").to_pylist())
    return scored, list(tags)


def _answer_columns(contract: Contract) -> Iterator[tuple[str, int, pa.DataType]]:
    """Yield the name, the position in a batch and the type of each column of answers."""
    kinds = [*contract.output_schema.types, pa.string()]
    places = [*range(HEAD_COLUMNS, HEAD_COLUMNS + len(kinds) - 1), -1]
    yield from zip(answer_names(contract), places, kinds, strict=True)
