"""SQL over a snapshot, by DuckDB."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from gnomon.errors import LogError
from gnomon.log.columns import View

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
"""In this order: after the last none can be set."""

_CONFINED = (
    "a query sees the log and no files; to let it read and write whatever this account may, "
    "say --unsafe, or unsafe=True in Python"
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
    """A connection with the view ``log``: the table where it lies, and a copy of other rows.

    Those are of a few segments as a rule. What does not fit in memory goes to a temporary folder,
    which only this account may read.

    Args:
        view: which stored columns make a wanted one.
        wanted: the columns of ``log``.
        sealed: the table.
        unsealed: the other rows.
        unsafe: let SQL read and write files, reach the network, load extensions and see the
            variables of the Python code that calls. Otherwise it sees ``log`` and nothing else.

    Raises:
        LogError: the SQL run in it is wrong; with what DuckDB says.
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
    """The batches; what is wrong with them is noted, as DuckDB would only quote it."""
    try:
        yield from batches
    except LogError as error:
        damage.append(error)
        raise


def _confine(opened: duckdb.DuckDBPyConnection) -> None:
    """Leave SQL nothing but what was registered; no later statement can take this back.

    See https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview. What DuckDB
    spills stays possible: its temporary folder is exempt.
    """
    for setting, value in _CONFINEMENT:
        opened.execute(f"SET {setting} = {value}")


def _columns(view: View, wanted: pa.Schema, stored: pa.Schema) -> str:
    """The wanted columns, in their order, out of the table's."""
    sources = view.sources(stored, stored=True)
    found = []
    for field in wanted:
        parts = [_as(field.type, stored.field(name)) for name in sources[field.name]] or ["NULL"]
        found.append(f"COALESCE({', '.join(parts)}) AS {_quoted(field.name)}")
    return ", ".join(found)


def _as(wanted: pa.DataType, stored: pa.Field) -> str:
    """A stored column in the type that unites it with others of its name; a list is JSON then."""
    name = _quoted(stored.name)
    if wanted not in _TYPES or wanted == stored.type:
        return name
    if pa.types.is_list(stored.type):
        name = f"to_json({name})"
    return f"CAST({name} AS {_TYPES[wanted]})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
