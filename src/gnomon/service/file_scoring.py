"""The rows of a file scored through a server, as :mod:`gnomon.offline.scoring` does without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from gnomon.contract import Contract
from gnomon.offline.offline_table import read_table
from gnomon.offline.scoring import answer_names, as_requests, kept_columns
from gnomon.service.client import Client

__all__ = ["score_at_server"]

HEAD_COLUMNS = 3
"""Of a batch of answers, before the outputs: where the row is in the log, and who answered. The
last column is the error."""


def score_at_server(
    path: Path,
    client: Client,
    *,
    keep: Sequence[str] | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> tuple[pa.Table, list[str]]:
    """The answers to every row of a file, in its order, as a stream through a server gives them.

    Args:
        path: a CSV or Parquet file, as for :func:`gnomon.offline.scoring.score_file`.
        client: of the server.
        keep: columns of the file to have beside the answers; so, too.
        progress: called with the number of rows scored since the last call.

    Returns:
        The table that :func:`~gnomon.offline.scoring.score_file` gives, and which artifacts
        answered.

    Raises:
        TableError: the file cannot be read, lacks a column to keep, or has one called as an output.
        GnomonError: whatever the server ended the stream with.
    """
    contract = client.contract()
    table = read_table(path, contract, option="FILE")
    kept = kept_columns(table, contract, keep, str(path))
    features = [name for name in contract.input_schema.names if name in table.column_names]
    asked = as_requests(table.select(features), contract)
    answers = list(client.predict_batches(asked, progress=progress)) if table.num_rows else []
    for name, place, kind in _answer_columns(contract):
        column = pa.chunked_array([batch.column(place) for batch in answers], kind)
        kept = kept.append_column(name, column)
    tags = dict.fromkeys(tag for batch in answers for tag in batch.column("artifact").to_pylist())
    return kept, list(tags)


def _answer_columns(contract: Contract) -> Iterator[tuple[str, int, pa.DataType]]:
    """What to call the columns of answers, where they are in a batch, and their types."""
    kinds = [*contract.output_schema.types, pa.string()]
    places = [*range(HEAD_COLUMNS, HEAD_COLUMNS + len(kinds) - 1), -1]
    yield from zip(answer_names(contract), places, kinds, strict=True)
