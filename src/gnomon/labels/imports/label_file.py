"""A file of labels, read in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from gnomon.errors import TableError
from gnomon.files import refuse_special

__all__ = ["LabelFile", "open_label_file"]

_CSV = (".csv", ".csv.gz")
_PARQUET = (".parquet", ".pq")


class LabelFile(NamedTuple):
    """An open file.

    Attributes:
        names: its columns.
        is_text: whether all values are text, as in CSV.
        read: returns its rows in order, with these columns, in batches of so many rows; the last
            has fewer. It raises TableError if the file cannot be read to its end.
    """

    names: Sequence[str]
    is_text: bool
    read: Callable[[Sequence[str], int], Iterator[pa.Table]]


def open_label_file(path: Path) -> LabelFile:
    """Open a CSV or Parquet file.

    Raises:
        TableError: it cannot be opened, or has another ending.
    """
    try:
        refuse_special(path)
        if path.name.endswith(_PARQUET):
            return _parquet(path)
        if path.name.endswith(_CSV):
            return _csv(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None
    raise TableError(
        f"expected a file that ends in {', '.join((*_CSV, *_PARQUET))}", where=str(path)
    )


def _parquet(path: Path) -> LabelFile:
    with pyarrow.parquet.ParquetFile(path) as opened:
        names = opened.schema_arrow.names

    def read(columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield from _parts(path, file.iter_batches(rows, columns=list(columns)), rows)

    return LabelFile(names, False, read)


def _csv(path: Path) -> LabelFile:
    with pyarrow.csv.open_csv(path) as opened:
        names = opened.schema.names

    def read(columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        options = pyarrow.csv.ConvertOptions(
            include_columns=list(columns),
            column_types=dict.fromkeys(columns, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
        )
        with pyarrow.csv.open_csv(path, convert_options=options) as reader:
            yield from _parts(path, reader, rows)

    return LabelFile(names, True, read)


def _parts(path: Path, batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Yield the rows in parts of one size: an import that is run again makes the same parts."""
    waiting: pa.Table | None = None
    try:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            waiting = table if waiting is None else pa.concat_tables([waiting, table])
            while waiting.num_rows >= rows:
                yield waiting.slice(0, rows)
                waiting = waiting.slice(rows)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None
    if waiting is not None and waiting.num_rows:
        yield waiting


def _unreadable(path: Path, error: Exception) -> TableError:
    reason = error.strerror if isinstance(error, OSError) else None
    return TableError(
        f"cannot read the file: {reason or str(error).partition(chr(10))[0]}", where=str(path)
    )
