"""A file of labels, read in parts."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from gnomon.errors import TableError
from gnomon.files import refuse_special
from gnomon.labels.imports.csv_check import csv_columns

__all__ = ["LabelFile", "open_label_file"]

_CSV = (".csv", ".csv.gz")
_PARQUET = (".parquet", ".pq")


class LabelFile(NamedTuple):
    """An open file.

    Attributes:
        names: its columns.
        read: returns its rows in order, with these columns, in batches of so many rows; the last
            has fewer. It raises TableError, before the first row, if the file cannot be read to its
            end, or if a value of a CSV file has a line break: it may be a quotation mark too many.
    """

    names: Sequence[str]
    read: Callable[[Sequence[str], int], Iterator[pa.Table]]


def open_label_file(path: Path) -> LabelFile:
    """Open a CSV or Parquet file.

    Raises:
        TableError: it cannot be opened, or has another ending.
    """
    with _reading(path):
        refuse_special(path)
        if path.name.endswith(_PARQUET):
            return _parquet(path)
        if path.name.endswith(_CSV):
            return _csv(path)
    raise TableError(
        f"expected a file that ends in {', '.join((*_CSV, *_PARQUET))}", where=str(path)
    )


def _parquet(path: Path) -> LabelFile:
    with pyarrow.parquet.ParquetFile(path) as opened:
        names = opened.schema_arrow.names

    def read(columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        def batches() -> Iterator[pa.RecordBatch]:
            with pyarrow.parquet.ParquetFile(path) as file:
                yield from file.iter_batches(rows, columns=list(columns))

        with _reading(path):
            deque(batches(), maxlen=0)
        yield from _parts(path, batches(), rows)

    return LabelFile(names, read)


def _csv(path: Path) -> LabelFile:
    names = csv_columns(path)

    def read(columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        def batches() -> Iterator[pa.RecordBatch]:
            options = pyarrow.csv.ConvertOptions(
                include_columns=list(columns),
                column_types=dict.fromkeys(columns, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            )
            parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
            with pyarrow.csv.open_csv(
                path, convert_options=options, parse_options=parsing
            ) as reader:
                yield from reader

        with _reading(path):
            _refuse_breaks(path, batches())
        yield from _parts(path, batches(), rows)

    return LabelFile(names, read)


def _refuse_breaks(path: Path, batches: Iterator[pa.RecordBatch]) -> None:
    before = 0
    for batch in batches:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            place = pc.index(pc.match_substring_regex(column, "[\r\n]"), True).as_py()
            if place >= 0:
                raise TableError(
                    f"the value of `{name}` in row {before + place + 1} has a line break: it "
                    f"begins with {column[place].as_py()[:40]!r}",
                    where=str(path),
                    hint="a quotation mark may be missing or too many; remove line breaks",
                )
        before += batch.num_rows


def _parts(path: Path, batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Yield the rows in parts of one size: an import that is run again makes the same parts."""
    waiting: pa.Table | None = None
    with _reading(path):
        for batch in batches:
            table = pa.Table.from_batches([batch])
            waiting = table if waiting is None else pa.concat_tables([waiting, table])
            while waiting.num_rows >= rows:
                yield waiting.slice(0, rows)
                waiting = waiting.slice(rows)
    if waiting is not None and waiting.num_rows:
        yield waiting


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise TableError(
            f"cannot read the file: {reason or str(error).partition(chr(10))[0]}", where=str(path)
        ) from None
