"""The sealed part of a model's log: a Delta table under the storage root.

Delta records with each commit the last segment of each stream ("application transaction"). A
segment is in the table if its number is not higher, so it can never be added twice. See
https://github.com/delta-io/delta/blob/master/PROTOCOL.md#transaction-identifiers.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from gnomon import formats
from gnomon.errors import LogError, NewerLog
from gnomon.log.ledger import Ledger, read_ledgers, write_ledger
from gnomon.log.segments.restored_stream import is_restored
from gnomon.log.segments.tail import SegmentReader
from gnomon.log.table.columns import plain_type
from gnomon.log.table.commits import DataFile, is_unbegun
from gnomon.log.table.delta import (
    DAY,
    first_line,
    no_hooks,
    sealed_segment,
    sealed_up_to,
    stored_schema,
    stream_key,
    writing,
)
from gnomon.log.table.segment_rows import FIXED, SegmentRows
from gnomon.settings import Settings
from gnomon.storage import Storage

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["LogTable", "check_not_lost"]

FORMAT = 1
"""The format of the sealed table: its columns and their meaning. Without one it is format 1."""

_FORMAT_KEY = "gnomon.format"
_CONFIGURATION = {
    _FORMAT_KEY: str(FORMAT),
    "delta.deletedFileRetentionDuration": "interval 1 hours",
    "delta.logRetentionDuration": "interval 1 days",
}
_FORMAT = formats.Format("sealed log", FORMAT, damaged=LogError, newer=NewerLog)
_TRIES = 20


class LogTable:
    """A model's Delta table. It is created when the first segment is sealed.

    Credentials and endpoints of an ``s3://`` root come from the usual ``AWS_*`` variables.
    """

    def __init__(self, settings: Settings, model: str) -> None:
        root = str(Path(settings.root).absolute()) if settings.is_local else settings.root
        self.uri = f"{root.rstrip('/')}/log/{model}"
        self.folder = Path(self.uri) if settings.is_local else None
        self.spool = None if settings.local_spool is None else settings.local_spool / model
        self._settings = settings
        self._model = model

    @functools.cached_property
    def storage(self) -> Storage:
        """The storage root that the table is under."""
        return Storage(self._settings)

    def ledgers(self) -> dict[str, Ledger]:
        """Return the sealers' ledgers, which are outside the table, by spool.

        Raises:
            LogError: a ledger is damaged.
        """
        return read_ledgers(self.storage, self._model, self.spool)

    def write_ledger(self, identity: str, ledger: Ledger) -> None:
        """Write the ledger of this machine's spool. Only its sealer may do this.

        Raises:
            StorageError: the storage root refuses.
        """
        write_ledger(self.storage, self._model, identity, ledger, self.spool)

    def is_ahead_of(self, folder: Path) -> bool:
        """Whether a stream's folder is older than what was sealed of it; see
        :mod:`gnomon.log.segments.restored_stream`."""
        return is_restored(self._settings, folder)

    def read(self) -> DeltaTable | None:
        """Load the table to read rows, and check it against the ledgers.

        Raises:
            LogError: the table cannot be read, or has lost commits.
        """
        ledgers = self.ledgers()
        table = self.load()
        check_not_lost(table, ledgers.values(), self.uri)
        return table

    def load(self) -> DeltaTable | None:
        """Load the table as it is now; ``None`` when nothing was sealed yet.

        Raises:
            LogError: it cannot be reached or read.
            NewerLog: a newer version of Gnomon wrote it.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            table = DeltaTable(self.uri)
            found = table.metadata().configuration.get(_FORMAT_KEY, "1")
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            if self.folder is not None and is_unbegun(self.folder):
                return None
            raise LogError(
                f"cannot open the sealed log: {first_line(error)}",
                where=self.uri,
                hint="if a commit is damaged: gnomon log repair",
            ) from None
        formats.check_version(int(found) if found.isdigit() else 0, _FORMAT, self.uri)
        return table

    def add(self, segments: Sequence[SegmentReader]) -> bool:
        """Commit segments of one stream and schema, oldest first; False if all were in the table.

        Another machine's sealer may commit meanwhile; then the columns are read again.

        Raises:
            LogError: it cannot be written.
        """
        from deltalake.exceptions import CommitFailedError, DeltaError

        for left in reversed(range(_TRIES)):
            table = self.load_or_create()
            fresh = [s for s in segments if s.sequence > sealed_up_to(table, s.schema.metadata)]
            if not fresh:
                return False
            try:
                self._commit(table, fresh)
                return True
            except (DeltaError, OSError) as error:
                if not (left and isinstance(error, CommitFailedError)):
                    raise LogError(f"cannot seal: {first_line(error)}", where=self.uri) from None
        raise AssertionError

    def load_or_create(self) -> DeltaTable:
        """Load the table, or create it if there is none."""
        return self.load() or self._create()

    def rows(self, condition: pc.Expression | None = None) -> dict[str, int]:
        """Count the rows of each ``<slice>/<stream>`` that meet a condition.

        Raises:
            LogError: it cannot be read.
        """
        table = self.load()
        if table is None:
            return {}
        try:
            scanner = table.to_pyarrow_dataset().scanner(
                columns=["slice", "stream"], filter=condition, batch_readahead=2
            )
            counted: Counter[str] = Counter()
            for batch in scanner.to_batches():
                names = pc.binary_join_element_wise(batch["slice"], batch["stream"], "/")
                for count in pc.value_counts(names).to_pylist():
                    counted[count["values"]] += count["counts"]
            return dict(counted)
        except (OSError, pa.ArrowException) as error:
            raise LogError(
                f"cannot read the sealed log: {first_line(error)}", where=self.uri
            ) from None

    def files(self) -> list[dict[str, Any]]:
        """List data files: ``size_bytes``, ``min.arrived``, ``max.arrived``; newest rows first.

        Raises:
            LogError: it cannot be read.
        """
        table = self.load()
        if table is None:
            return []
        wanted = ["size_bytes", "min.arrived", "max.arrived"]
        found = pa.table(table.get_add_actions(flatten=True)).select(wanted).to_pylist()
        return sorted(found, key=lambda file: file["max.arrived"], reverse=True)

    def data_files(self) -> list[DataFile]:
        """Each data file of a table in a local folder, as it was written.

        Raises:
            LogError: the table cannot be read.
        """
        table, folder = self.load(), self.folder
        if table is None or folder is None:
            return []
        added = pa.table(table.get_add_actions(flatten=True))
        columns = (added[name].to_pylist() for name in ("path", "size_bytes", "num_records"))
        return [
            DataFile(folder / unquote(path), size, rows)
            for path, size, rows in zip(*columns, strict=True)
        ]

    def _create(self) -> DeltaTable:
        """Create the table with the columns of every row, unless another sealer just did.

        This is a separate commit before the first rows. If two appends each add a new column, Delta
        refuses the later one, but not if both also create the table.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        fields = [DAY, *(pa.field(f.name, plain_type(f.type)) for f in FIXED)]
        try:
            return DeltaTable.create(
                self.uri,
                pa.schema(fields),
                mode="error",
                partition_by=[DAY.name],
                configuration=_CONFIGURATION,
                raise_if_key_not_exists=False,  # Gnomon's key is not one of Delta's.
                post_commithook_properties=no_hooks(),
            )
        except (DeltaError, OSError) as error:
            table = self.load()
            if table is None:
                raise LogError(f"cannot seal: {first_line(error)}", where=self.uri) from None
            return table

    def _commit(self, table: DeltaTable, segments: Sequence[SegmentReader]) -> None:
        from deltalake import CommitProperties, Transaction, write_deltalake

        last = segments[-1]
        rows = SegmentRows(segments, stored_schema(table))
        transaction = Transaction(stream_key(last.schema.metadata), last.sequence)
        write_deltalake(
            table,
            pa.RecordBatchReader.from_batches(rows.schema, iter(rows)),
            mode="append",
            schema_mode="merge",
            writer_properties=writing(),
            commit_properties=CommitProperties(app_transactions=[transaction]),
            post_commithook_properties=no_hooks(),
        )


def check_not_lost(table: DeltaTable | None, ledgers: Iterable[Ledger], where: str) -> None:
    """Check that the table has every segment that its ledgers record.

    Raises:
        LogError: it lacks some; rows that were sealed are not in it.
    """
    for ledger in ledgers:
        for stream, sealed in ledger.streams.items():
            key = f"{stream}/{sealed.identity}"
            reached = -1 if table is None else sealed_segment(table, key)
            if sealed.sequence > reached:
                if table is None:
                    raise _gone(sealed.rows - ledger.removed.get(stream, 0), stream, where)
                raise LogError(
                    f"the sealed log has lost commits: {stream} was sealed up to segment "
                    f"{sealed.sequence}, the table has "
                    + ("none of it" if reached < 0 else f"it up to {reached}"),
                    where=where,
                    hint="gnomon log repair restores what is left and says how many rows are lost",
                )


def _gone(rows: int, stream: str, where: str) -> LogError:
    return LogError(
        f"the sealed log is gone: {rows:,} row{'' if rows == 1 else 's'} of {stream} had been "
        "sealed, and there is no table",
        where=where,
        hint="check that GNOMON_ROOT is right and its disk is mounted, or restore a backup; "
        "without one, gnomon log repair counts the rows as lost",
    )
