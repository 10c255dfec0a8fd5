"""The sealed part of a model's log: a Delta table under the storage root.

Delta keeps, with each commit, how far each stream is in the table ("application transaction"). A
segment is in the table when its number is not above that, and so can never be added twice. See
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#transaction-identifiers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from gnomon.errors import LogError
from gnomon.settings import Settings
from gnomon.shadow.log.addressed import addressed
from gnomon.shadow.log.columns import plain_type, stored_names
from gnomon.shadow.log.schema import ADDRESS, COMPARISON, ENVELOPE
from gnomon.shadow.log.tail import IDENTITY_KEY, SegmentReader

if TYPE_CHECKING:
    from deltalake import DeltaTable, WriterProperties

__all__ = ["LogTable", "sealed_up_to", "stored_schema", "stream_key"]

DAY = pa.field("day", pa.date32())
"""The partition: the UTC day of arrival."""

ROW_GROUP_ROWS = 32_768
"""Of a Parquet file. Readers hold one whole, and the next: two chunks of a replay each."""

_FIXED = (*ADDRESS, *ENVELOPE, *COMPARISON)

_CONFIGURATION = {
    "delta.deletedFileRetentionDuration": "interval 1 hours",
    "delta.logRetentionDuration": "interval 1 days",
}
_TRIES = 20
_TRIM_TO = 0.9


class LogTable:
    """A model's Delta table. It is made when the first segment is sealed.

    Credentials and endpoints of an ``s3://`` root come from the usual ``AWS_*`` variables.
    """

    def __init__(self, settings: Settings, model: str) -> None:
        root = str(Path(settings.root).absolute()) if settings.is_local else settings.root
        self.uri = f"{root.rstrip('/')}/log/{model}"

    def load(self) -> DeltaTable | None:
        """The table as it is now; ``None`` when nothing was sealed yet.

        Raises:
            LogError: it cannot be reached or read.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            return DeltaTable(self.uri)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise LogError(f"cannot open the sealed log: {error}", where=self.uri) from None

    def add(self, segments: Sequence[SegmentReader]) -> bool:
        """Commit segments of one stream and one schema, oldest first; False if all were there.

        Another machine's sealer may commit meanwhile; then the columns are looked at again.

        Raises:
            LogError: it cannot be written.
        """
        from deltalake.exceptions import CommitFailedError, DeltaError

        for left in reversed(range(_TRIES)):
            table = self.load() or self._create()
            fresh = [s for s in segments if s.sequence > sealed_up_to(table, s.schema.metadata)]
            if not fresh:
                return False
            try:
                self._commit(table, fresh)
                return True
            except (DeltaError, OSError) as error:
                if not (left and isinstance(error, CommitFailedError)):
                    raise LogError(f"cannot seal: {error}", where=self.uri) from None
        raise AssertionError

    def maintain(self, settings: Settings, now: dt.datetime) -> None:
        """Join small files, remove what is over the retention settings, free what is not used.

        Files that a reader may still be at are kept for an hour.

        Raises:
            LogError: it cannot be written.
        """
        from deltalake.exceptions import DeltaError

        table = self.load()
        if table is None:
            return
        try:
            if settings.retention_days:
                oldest = (now - dt.timedelta(days=settings.retention_days)).date()
                table.delete(f"{DAY.name} < '{oldest.isoformat()}'")
            if settings.retention_bytes:
                _trim(table, settings.retention_bytes)
            table.optimize.compact(writer_properties=_writing())
            table.vacuum(dry_run=False, full=True)
        except (DeltaError, OSError) as error:
            raise LogError(f"cannot maintain the sealed log: {error}", where=self.uri) from None

    def _create(self) -> DeltaTable:
        """The table with the columns every row has, made by this sealer or another just now.

        Made apart from the first rows: of two appends that each bring a new column, Delta refuses
        the later one, but not when both also make the table.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        fields = [DAY, *(pa.field(f.name, plain_type(f.type)) for f in _FIXED)]
        try:
            return DeltaTable.create(
                self.uri,
                pa.schema(fields),
                mode="error",
                partition_by=[DAY.name],
                configuration=_CONFIGURATION,
            )
        except (DeltaError, OSError) as error:
            table = self.load()
            if table is None:
                raise LogError(f"cannot seal: {error}", where=self.uri) from None
            return table

    def _commit(self, table: DeltaTable, segments: Sequence[SegmentReader]) -> None:
        from deltalake import CommitProperties, Transaction, write_deltalake

        last = segments[-1]
        rows = _Rows(segments, stored_schema(table))
        transaction = Transaction(stream_key(last.schema.metadata), last.sequence)
        write_deltalake(
            table,
            pa.RecordBatchReader.from_batches(rows.schema, iter(rows)),
            mode="append",
            schema_mode="merge",
            writer_properties=_writing(),
            commit_properties=CommitProperties(app_transactions=[transaction]),
        )


def _writing() -> WriterProperties:
    """How files are written. A reader holds whole row groups: they bound its memory."""
    from deltalake import WriterProperties

    return WriterProperties(compression="ZSTD", max_row_group_size=ROW_GROUP_ROWS)


def stream_key(metadata: Mapping[bytes, bytes]) -> str:
    """The name under which the table keeps how far a stream is in it."""
    parts = (metadata[b"gnomon.slice"], metadata[b"gnomon.stream"], metadata[IDENTITY_KEY])
    return "/".join(part.decode() for part in parts)


def sealed_up_to(table: DeltaTable | None, metadata: Mapping[bytes, bytes]) -> int:
    """The highest segment of a stream that is in the table; -1 when none is."""
    sealed = None if table is None else table.transaction_version(stream_key(metadata))
    return -1 if sealed is None else int(sealed)


def stored_schema(table: DeltaTable) -> pa.Schema:
    """The table's columns."""
    return pa.schema(table.schema())


class _Rows:
    """Segments' rows as the table has them: columns renamed, with the partition's day."""

    def __init__(self, segments: Sequence[SegmentReader], stored: pa.Schema) -> None:
        self._segments = segments
        known = {field.name for field in _FIXED}
        own = [field for field in segments[0].schema if field.name not in known]
        self._fields = pa.schema([*_FIXED, *own])
        names = stored_names(self._fields, stored)
        self.schema = pa.schema(
            [
                DAY,
                *(
                    pa.field(name, plain_type(field.type))
                    for name, field in zip(names, self._fields, strict=True)
                ),
            ]
        )

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        types = self.schema.types[1:]
        for segment in self._segments:
            for batch in addressed(segment):
                columns = [batch.column("arrived").cast(DAY.type)]
                for name, kind in zip(self._fields.names, types, strict=True):
                    columns.append(
                        batch.column(name).cast(kind)
                        if name in batch.schema.names
                        else pa.nulls(batch.num_rows, kind)
                    )
                yield pa.record_batch(columns, schema=self.schema)


def _trim(table: DeltaTable, limit: int) -> None:
    """Remove the oldest rows until the files hold nine tenths of ``limit``.

    A file is cut at the time up to which, at an even rate, its share of the bytes goes; what is
    left of it is written anew. One tenth is given up so that this is not done every time.
    """
    files = pa.table(table.get_add_actions(flatten=True)).select(
        ["size_bytes", "min.arrived", "max.arrived"]
    )
    newest_first = sorted(files.to_pylist(), key=lambda f: f["max.arrived"], reverse=True)
    if sum(file["size_bytes"] for file in newest_first) <= limit:
        return
    room = limit * _TRIM_TO
    for file in newest_first:
        if file["size_bytes"] > room:
            span = file["max.arrived"] - file["min.arrived"]
            cut = file["max.arrived"] - span * (room / file["size_bytes"])
            table.delete(f"arrived <= '{cut.isoformat()}'")
            return
        room -= file["size_bytes"]
