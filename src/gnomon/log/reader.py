"""The reader of a model's log: sealed and unsealed rows as one dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import pyarrow as pa

from gnomon.errors import LogError
from gnomon.log.row_counts import LogRowCounts
from gnomon.log.segments.layout import folders
from gnomon.log.snapshot import Snapshot, Where
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

__all__ = ["InferenceLog", "Where"]

_ACCOUNTS = """
SELECT role, artifact, outcome, count(*) AS rows FROM log GROUP BY ALL ORDER BY ALL
"""


class InferenceLog:
    """The log of one model under the storage root of ``settings``.

    Without a spool folder, as on another machine, it has only the sealed rows.

    ::

        log = gnomon.open_log("flights")
        log.sql("SELECT outcome, count(*) AS rows FROM log GROUP BY ALL")
        log.to_frame(columns=["arrived", "output_prediction"], role="live")

    Libraries that read Arrow streams (``polars.from_arrow(log)``, ``pyarrow.table(log)``)
    accept it directly.
    """

    def __init__(self, settings: Settings, model: str) -> None:
        self._settings = settings
        self._model = model
        self._spool = settings.local_spool

    @property
    def folder(self) -> Path | None:
        """The folder of the model's segments; ``None`` when they are on another machine."""
        return None if self._spool is None else self._spool / self._model

    def snapshot(self) -> Snapshot:
        """Return a snapshot of the log, which can be read many times; close it when done.

        Raises:
            LogError: there is no log of this model yet, or it cannot be read.
        """
        snapshot = Snapshot(LogTable(self._settings, self._model), self.folder)
        if snapshot.is_empty and not (self.folder and self.folder.exists()):
            raise self._nothing()
        return snapshot

    def scan(
        self, *, columns: str | Sequence[str] | None = None, **where: Unpack[Where]
    ) -> Iterator[pa.RecordBatch]:
        """Yield each row once, in batches of some thousands; memory does not grow with the log.

        They have no particular order; sort by ``slice``, ``stream``, ``segment``, ``offset`` and
        ``row`` for the order in which they were written.

        Args:
            columns: the columns to read, in this order; by default all.
            where: the rows to read, see :class:`Where`.

        Raises:
            LogError: there is no log yet, it has no such column, or it cannot be read.
        """
        with self.snapshot() as snapshot:
            yield from snapshot.scan(columns=columns, **where)

    def table(
        self, *, columns: str | Sequence[str] | None = None, **where: Unpack[Where]
    ) -> pa.Table:
        """Return the rows of :meth:`scan` as a table in memory.

        Raises:
            LogError: as ``scan``.
        """
        with self.snapshot() as snapshot:
            batches = snapshot.scan(columns=columns, **where)
            return pa.Table.from_batches(batches, snapshot.view.pick(columns))

    def reader(
        self, *, columns: str | Sequence[str] | None = None, **where: Unpack[Where]
    ) -> pa.RecordBatchReader:
        """Return the rows of :meth:`scan` as an Arrow stream over a snapshot of the log.

        Raises:
            LogError: as ``scan``.
        """
        snapshot = self.snapshot()
        try:
            schema = snapshot.view.pick(columns)
        except BaseException:
            snapshot.close()
            raise

        def batches() -> Iterator[pa.RecordBatch]:
            with snapshot:
                yield from snapshot.scan(columns=columns, **where)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the complete log to libraries that read the Arrow PyCapsule interface."""
        return self.reader().__arrow_c_stream__(requested_schema)

    def to_frame(
        self, *, columns: str | Sequence[str] | None = None, **where: Unpack[Where]
    ) -> pd.DataFrame:
        """Return the rows of :meth:`scan` as a pandas frame of Arrow types.

        The types of the log are kept: a column of integers with nulls stays exact, while in numpy
        it would become floats.

        Raises:
            LogError: as ``scan``.
        """
        import pandas as pd

        frame: pd.DataFrame = self.table(columns=columns, **where).to_pandas(
            types_mapper=pd.ArrowDtype
        )
        return frame

    @contextmanager
    def connection(self, *, unsafe: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a DuckDB connection to a snapshot of the log, as the relation ``log``.

        For pandas, convert through Arrow (``.to_arrow_table().to_pandas()``): with pandas 3.1,
        DuckDB's ``.df()`` warns about columns with a time zone.

        Args:
            unsafe: as for :meth:`sql`.

        Raises:
            LogError: as ``sql``.
        """
        with self.snapshot() as snapshot, snapshot.connection(unsafe=unsafe) as connection:
            yield connection

    def accounts(self) -> LogRowCounts:
        """Count the rows of the log by role, artifact and outcome.

        Raises:
            LogError: as ``scan``.
        """
        return LogRowCounts(self._model, self.sql(_ACCOUNTS))

    def sql(self, query: str, *, unsafe: bool = False) -> pa.Table:
        """Return the result of a DuckDB query; the log is the relation ``log``.

        Args:
            query: the SQL.
            unsafe: allow the query to read and write files, use the network and load extensions.

        Raises:
            LogError: there is no log yet, the query is wrong, or it accesses more than the log.
        """
        with self.snapshot() as snapshot, snapshot.connection(unsafe=unsafe) as connection:
            answer = connection.sql(query)
            if answer is None:
                raise LogError(
                    "expected SQL, got nothing", hint="for example: SELECT count(*) FROM log"
                )
            return answer.to_arrow_table()

    def _nothing(self) -> LogError:
        logged = [] if self._spool is None else [path.name for path in folders(self._spool)]
        return LogError(
            f"there is no log of a model `{self._model}`",
            where=self._settings.root,
            hint=f"there are logs of {', '.join(logged)}"
            if logged
            else "serve the model and send it a request first; is GNOMON_ROOT right?",
        )
