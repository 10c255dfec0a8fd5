"""SQL over a snapshot, by DuckDB."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from gnomon.errors import LogError
from gnomon.shadow.log.columns import View

if TYPE_CHECKING:
    import duckdb
    import pyarrow.dataset

__all__ = ["connection"]

_TYPES = {pa.float64(): "DOUBLE", pa.string(): "VARCHAR"}


@contextlib.contextmanager
def connection(
    view: View,
    wanted: pa.Schema,
    sealed: pyarrow.dataset.Dataset | None,
    unsealed: Iterator[pa.RecordBatch],
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the view ``log``: the table where it lies, and a copy of other rows.

    Those are of a few segments as a rule. What does not fit in memory goes to a temporary folder.

    Raises:
        LogError: the SQL run in it is wrong; with what DuckDB says.
    """
    import duckdb

    rows = pa.RecordBatchReader.from_batches(wanted, unsealed)
    with tempfile.TemporaryDirectory(prefix="gnomon-sql-") as folder, duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        opened.execute(f"SET temp_directory = '{folder}'")
        opened.register("unsealed_rows", rows)
        opened.execute("CREATE TEMP TABLE unsealed AS SELECT * FROM unsealed_rows")
        parts = ["SELECT * FROM unsealed"]
        if sealed is not None:
            opened.register("sealed", sealed)
            parts.append(f"SELECT {_columns(view, wanted, sealed.schema)} FROM sealed")
        opened.execute(f"CREATE TEMP VIEW log AS {' UNION ALL '.join(parts)}")
        try:
            yield opened
        except duckdb.Error as error:
            raise LogError(f"DuckDB: {error}", hint="the log is the relation `log`") from None


def _columns(view: View, wanted: pa.Schema, stored: pa.Schema) -> str:
    """The wanted columns, in their order, out of the table's."""
    sources = view.sources(stored, stored=True)
    found = []
    for field in wanted:
        parts = [_quoted(name) for name in sources[field.name]] or ["NULL"]
        if len(parts) > 1:
            parts = [f"CAST({part} AS {_TYPES[field.type]})" for part in parts]
        found.append(f"COALESCE({', '.join(parts)}) AS {_quoted(field.name)}")
    return ", ".join(found)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
