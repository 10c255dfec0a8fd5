"""SQL on a snapshot, with DuckDB."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from gnomon.errors import LogError
from gnomon.log.table.columns import View

if TYPE_CHECKING:
    import duckdb
    import pyarrow.dataset

__all__ = ["connection"]

_CONFINEMENT = (
    ("python_enable_replacements", False),
    ("autoinstall_known_extensions", False),
    ("autoload_known_extensions", False),
    ("allow_community_extensions", False),
    ("allow_persistent_secrets", False),
    ("enable_external_access", False),
    ("lock_configuration", True),
)
"""In this order: after the last, no setting can be changed."""

_CONFINED = (
    "a query can read the log but no files; to let it use all files that this account can, "
    "pass --unsafe, or unsafe=True in Python"
)

_UNREADABLE = ("LocalFileSystem", "registered as 'sealed' failed")
"""Parts of what DuckDB says where a data file of the table is gone, cut or another one."""

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_TYPES = {pa.float64(): "DOUBLE", pa.string(): "VARCHAR"}


@contextlib.contextmanager
def connection(
    view: View,
    wanted: pa.Schema,
    sealed: pyarrow.dataset.Dataset | None,
    unsealed: Iterator[pa.RecordBatch],
    *,
    unsafe: bool = False,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection with the view ``log``: the table in place, and a copy of other rows.

    The other rows are usually those of a few segments. What does not fit in memory is written to a
    temporary folder that only this account may read.

    Args:
        view: maps stored columns to wanted ones.
        wanted: the columns of ``log``.
        sealed: the table.
        unsealed: the other rows.
        unsafe: let SQL read and write files, use the network, load extensions and read the
            variables of the calling Python code. Otherwise it can read only ``log``.

    Raises:
        LogError: the SQL is wrong; with DuckDB's message.
    """
    import duckdb

    damage: list[LogError] = []
    rows = pa.RecordBatchReader.from_batches(wanted, _noting(unsealed, damage))
    with tempfile.TemporaryDirectory(prefix="gnomon-sql-") as folder, duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        opened.execute(f"SET temp_directory = '{folder}'")
        opened.register("unsealed_rows", rows)
        try:
            opened.execute("CREATE TEMP TABLE unsealed AS SELECT * FROM unsealed_rows")
        except duckdb.Error as error:
            raise (damage or [LogError(f"DuckDB: {error}")])[0] from None
        parts = ["SELECT * FROM unsealed"]
        if sealed is not None:
            opened.register("sealed", sealed)
            parts.append(f"SELECT {_columns(view, wanted, sealed.schema)} FROM sealed")
        opened.execute(f"CREATE TEMP VIEW log AS {' UNION ALL '.join(parts)}")
        if not unsafe:
            _confine(opened)
        try:
            yield opened
        except duckdb.Error as error:
            refused = isinstance(error, duckdb.PermissionException) or "locked" in str(error)
            hint = _CONFINED if refused and not unsafe else "the log is the relation `log`"
            if any(sign in str(error) for sign in _UNREADABLE):
                hint = "gnomon log repair sets damaged files aside and counts their rows as lost"
            raise LogError(f"DuckDB: {_ANSI.sub('', str(error))}", hint=hint) from None


def _noting(batches: Iterator[pa.RecordBatch], damage: list[LogError]) -> Iterator[pa.RecordBatch]:
    """Yield the batches; keep their error, because DuckDB would only quote its text."""
    try:
        yield from batches
    except LogError as error:
        damage.append(error)
        raise


def _confine(opened: duckdb.DuckDBPyConnection) -> None:
    """Restrict SQL to the registered relations; no later statement can undo this.

    See https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview. DuckDB can still
    write to its temporary folder, which is exempt.
    """
    for setting, value in _CONFINEMENT:
        opened.execute(f"SET {setting} = {value}")


def _columns(view: View, wanted: pa.Schema, stored: pa.Schema) -> str:
    """Return SQL for the wanted columns, in their order, from the table's columns."""
    sources = view.sources(stored, stored=True)
    found = []
    for field in wanted:
        parts = [_as(field.type, stored.field(name)) for name in sources[field.name]] or ["NULL"]
        found.append(f"COALESCE({', '.join(parts)}) AS {_quoted(field.name)}")
    return ", ".join(found)


def _as(wanted: pa.DataType, stored: pa.Field) -> str:
    """Cast a stored column to the common type of its name; a list becomes JSON."""
    name = _quoted(stored.name)
    if wanted not in _TYPES or wanted == stored.type:
        return name
    if pa.types.is_list(stored.type):
        name = f"to_json({name})"
    return f"CAST({name} AS {_TYPES[wanted]})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
