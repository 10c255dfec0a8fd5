"""A snapshot of a model's log: the sealed table and unsealed segments, each row once."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import operator
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, Self, TypedDict, Unpack

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import LogError
from gnomon.log.log_position import LogPosition
from gnomon.log.segments.layout import REQUESTS, folders, stream_segments, synced_position
from gnomon.log.segments.missing_segments import MissingSegment, missing_segments
from gnomon.log.segments.tail import EmptySegment, SegmentReader
from gnomon.log.sql import connection
from gnomon.log.table.columns import View
from gnomon.log.table.delta import found_key, sealed_segment, sealed_up_to, stored_schema
from gnomon.log.table.log_table import LogTable
from gnomon.log.table.row_addresses import addressed
from gnomon.time_range import in_utc

if TYPE_CHECKING:
    import duckdb
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset

__all__ = ["Role", "Snapshot", "Where"]

Role = Literal["live", "shadow"]

_TRIES = 10
_BATCH_ROWS = 16_384


class Where(TypedDict, total=False):
    """Which rows to read; ``None`` means no restriction.

    Attributes:
        role: ``live`` or ``shadow``.
        artifact: a tag, ``flights:7``.
        outcome: one of the outcomes in :mod:`gnomon.log.segments.schema`.
        start: arrived at this time or later; UTC if it has no zone.
        end: arrived before this time.
    """

    role: Role | None
    artifact: str | None
    outcome: str | None
    start: dt.datetime | None
    end: dt.datetime | None


class Unsealed(NamedTuple):
    """A segment that is not in the table, up to its size when it was opened."""

    reader: SegmentReader
    end: int

    @property
    def role(self) -> Role:
        """The role of its rows."""
        return "live" if self.reader.path.parent.name == REQUESTS else "shadow"

    @property
    def name(self) -> str:
        """``<slice>/<stream>/<segment>``, as in the address of its rows."""
        metadata = self.reader.schema.metadata
        slice_name, stream = metadata[b"gnomon.slice"], metadata[b"gnomon.stream"]
        return f"{slice_name.decode()}/{stream.decode()}/{self.reader.sequence:08d}"


class Snapshot:
    """A fixed view of the log that can be read any number of times; close it when done.

    It contains every row once, whatever the sealer does meanwhile: segments are opened before the
    table's version is fixed, segments that the table has are left out, and a deleted file stays
    readable while it is open. A shadow's segments are opened before the requests they belong to, so
    a shadow's row always has its live row. The table's files are kept for an hour.

    Attributes:
        ledgers: the sealers' ledgers just before; the table has at least what they record.
        view: the columns.
    """

    def __init__(self, table: LogTable, spool: Path | None) -> None:
        self.ledgers = tuple(table.ledgers().values())
        self._table, self._segments = _consistent(table, spool)
        schemas = [(segment.reader.schema, False) for segment in self._segments]
        if self._table is not None:
            schemas.insert(0, (stored_schema(self._table), True))
        self.view = View(schemas)

    @property
    def table(self) -> DeltaTable | None:
        """The sealed table; ``None`` when nothing is sealed."""
        return self._table

    def sealed_up_to(self, stream_key: str) -> int:
        """Return the highest segment of a stream that is in the table; -1 when none is."""
        return _reached(self._table, stream_key)

    def position(self) -> LogPosition:
        """Return how far the snapshot goes in each stream."""
        version = None if self._table is None else int(self._table.version())
        return LogPosition(
            table_version=version,
            sealed={
                name: self.sealed_up_to(f"{name}/{sealed.identity}")
                for ledger in self.ledgers
                for name, sealed in ledger.streams.items()
            },
            unsealed={segment.name: segment.end for segment in self._segments},
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a table nor a segment."""
        return self._table is None and not self._segments

    def scan(
        self, *, columns: str | Sequence[str] | None = None, **where: Unpack[Where]
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows, as :meth:`gnomon.log.reader.InferenceLog.scan` does."""
        wanted = self.view.pick(columns)
        condition = _condition(where)
        yield from self._scan_table(wanted, condition)
        for segment in self._segments:
            if where.get("role") in (None, segment.role):
                yield from self._scan_segment(segment, wanted, condition)

    @contextlib.contextmanager
    def connection(
        self, *, columns: str | Sequence[str] | None = None, unsafe: bool = False
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a DuckDB connection with the snapshot as the view ``log``, of these columns or all.

        Unsealed rows are copied into it; fewer columns are copied faster. SQL can read only the
        log, unless it is ``unsafe``.

        Raises:
            LogError: the log has no such column, or the SQL is wrong.
        """
        wanted = self.view.pick(columns)
        unsealed = (
            batch
            for segment in self._segments
            for batch in self._scan_segment(segment, wanted, None)
        )
        sealed = None if self._table is None else self._table.to_pyarrow_dataset()
        with connection(self.view, wanted, sealed, unsealed, unsafe=unsafe) as opened:
            yield opened

    def close(self) -> None:
        """Close the segments."""
        for segment in self._segments:
            segment.reader.close()
        self._segments = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _scan_table(
        self, wanted: pa.Schema, condition: pc.Expression | None
    ) -> Iterator[pa.RecordBatch]:
        if self._table is None:
            return
        stored = self.view.sources(stored_schema(self._table), stored=True)
        names = {source for name in wanted.names for source in stored[name]}
        try:
            for batch in _batches(self._table.to_pyarrow_dataset(), sorted(names), condition):
                if batch.num_rows:
                    yield self.view.conform(batch, wanted, stored=True)
        except (FileNotFoundError, pa.ArrowException) as error:
            raise LogError(
                f"cannot read the sealed log: {error}",
                where=self._table.table_uri,
                hint="compaction may remove files that a read of over an hour still needs: read a "
                "shorter range",
            ) from None

    def _scan_segment(
        self, segment: Unsealed, wanted: pa.Schema, condition: pc.Expression | None
    ) -> Iterator[pa.RecordBatch]:
        for batch in addressed(segment.reader, segment.end):
            kept = batch if condition is None else batch.filter(condition)
            if kept.num_rows:
                yield self.view.conform(kept, wanted, stored=False)


def _batches(
    dataset: Dataset, names: list[str], condition: pc.Expression | None
) -> Iterator[pa.RecordBatch]:
    """Yield the table's rows by row group: a scan of all would read ahead up to 1 GiB."""
    for file in dataset.get_fragments(condition):
        for group in file.split_by_row_group(condition, schema=dataset.schema):
            yield from group.to_batches(
                schema=dataset.schema, columns=names, filter=condition, batch_size=_BATCH_ROWS
            )


def _consistent(table: LogTable, spool: Path | None) -> tuple[DeltaTable | None, list[Unsealed]]:
    """Return the table and the segments it lacks, read without a commit in between."""
    for last in [False] * _TRIES + [True]:
        with contextlib.ExitStack() as opened:
            before = table.read()
            segments = []
            for segment in _open_segments(spool):
                opened.enter_context(segment.reader)
                segments.append(segment)
            after = table.read()
            if last or _version(before) == _version(after):
                _check_none_missing(table, after, spool)
                opened.pop_all()
                return after, _not_in(after, segments)
    raise AssertionError


def _open_segments(spool: Path | None) -> Iterator[Unsealed]:
    for slice_folder in folders(spool) if spool is not None else ():
        streams = folders(slice_folder)
        for stream in sorted(streams, key=lambda path: path.name == REQUESTS):
            synced = synced_position(stream)  # First: what is there only grows.
            for segment in stream_segments(stream):
                promised = synced.offset if segment.sequence == synced.sequence else 0
                with contextlib.suppress(FileNotFoundError, EmptySegment):
                    reader = SegmentReader(segment.path, segment.closed, promised)
                    yield Unsealed(reader, max(reader.end, promised))


def _check_none_missing(table: LogTable, known: DeltaTable | None, spool: Path | None) -> None:
    """Check that no segment is missing. One sealed meanwhile is in a newer table.

    Raises:
        LogError: a segment is missing.
    """
    for slice_folder in folders(spool) if spool is not None else ():
        for stream in folders(slice_folder):
            if missing_segments(stream, lambda key: _reached(known, key)):
                for gone in missing_segments(stream, lambda key: _reached(table.load(), key)):
                    raise MissingSegment.of(gone)


def _reached(table: DeltaTable | None, key: str | None) -> int:
    return -1 if table is None or key is None else sealed_segment(table, key)


def _not_in(table: DeltaTable | None, segments: list[Unsealed]) -> list[Unsealed]:
    kept = []
    for segment in segments:
        metadata = segment.reader.schema.metadata
        reached = max(sealed_up_to(table, metadata), _reached(table, found_key(metadata)))
        if segment.reader.sequence > reached:
            kept.append(segment)
        else:
            segment.reader.close()
    return kept


def _version(table: DeltaTable | None) -> int:
    return -1 if table is None else int(table.version())


def _condition(where: Where) -> pc.Expression | None:
    exact = ("role", "artifact", "outcome")
    conditions = [pc.field(key) == where.get(key) for key in exact if where.get(key) is not None]
    if (start := where.get("start")) is not None:
        conditions.append(pc.field("arrived") >= _instant(start))
    if (end := where.get("end")) is not None:
        conditions.append(pc.field("arrived") < _instant(end))
    return functools.reduce(operator.and_, conditions) if conditions else None


def _instant(time: dt.datetime) -> pa.Scalar:
    return pa.scalar(in_utc(time), pa.timestamp("us", tz="UTC"))
