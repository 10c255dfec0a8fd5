"""Changes to the sealed table that add no segments: compaction, removal, repair."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import LogError
from gnomon.log.table.delta import DAY, first_line, no_hooks, sealed_segment, stored_schema, writing
from gnomon.log.table.log_table import LogTable

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["TableMaintenance"]


class TableMaintenance:
    """Maintenance of a model's table; changes are on disk after ``SealedAccount.settle``."""

    def __init__(self, table: LogTable) -> None:
        self._table = table

    def forget_missing_files(self) -> None:
        """Remove missing data files from the table, so that the others can be read.

        Raises:
            LogError: it cannot be written.
        """
        with self._maintaining() as table:
            if table.repair(dry_run=True)["files_removed"]:
                table.repair(dry_run=False, post_commithook_properties=no_hooks())

    def mark_sealed(self, stream: str, segment: int) -> None:
        """Record again the last sealed segment of a stream, if the table has lost it.

        A missing table is created again.

        Raises:
            LogError: it cannot be written.
        """
        from deltalake import CommitProperties, Transaction, write_deltalake

        self._table.load_or_create()
        with self._maintaining() as table:
            if sealed_segment(table, stream) < segment:
                write_deltalake(
                    table,
                    stored_schema(table).empty_table(),
                    mode="append",
                    commit_properties=CommitProperties(
                        app_transactions=[Transaction(stream, segment)]
                    ),
                    post_commithook_properties=no_hooks(),
                )

    def restore(self, rows: pa.Table) -> None:
        """Add rows again that the table had, as they were read from one of its files. A table that
        is gone is created again.

        Raises:
            LogError: they cannot be written.
        """
        from deltalake import write_deltalake

        days = pc.cast(rows.column("arrived"), DAY.type)
        self._table.load_or_create()
        with self._maintaining() as table:
            write_deltalake(
                table,
                rows.append_column(DAY, days),
                mode="append",
                schema_mode="merge",
                writer_properties=writing(),
                post_commithook_properties=no_hooks(),
            )

    def remove(self, until: dt.datetime) -> None:
        """Remove the rows that arrived at or before a time.

        Raises:
            LogError: it cannot be written.
        """
        with self._maintaining() as table:
            predicate = f"arrived <= '{until.isoformat()}'"
            table.delete(predicate, post_commithook_properties=no_hooks())

    def compact(self) -> None:
        """Join small files. The old ones stay until :meth:`free`.

        Raises:
            LogError: it cannot be written.
        """
        with self._maintaining() as table:
            table.optimize.compact(
                writer_properties=writing(), post_commithook_properties=no_hooks()
            )

    def checkpoint(self) -> int:
        """Write a checkpoint, at which readers begin; return its version.

        Raises:
            LogError: it cannot be written.
        """
        with self._maintaining() as table:
            table.create_checkpoint()
            return int(table.version())

    def free(self) -> None:
        """Remove files that no reader can still use, and commits before the checkpoint.

        Files that a reader may still use are kept for an hour. Their replacements must be on disk.

        Raises:
            LogError: it cannot be written.
        """
        with self._maintaining() as table:
            table.vacuum(dry_run=False, full=True, post_commithook_properties=no_hooks())
            table.cleanup_metadata()

    @contextlib.contextmanager
    def _maintaining(self) -> Iterator[DeltaTable]:
        from deltalake.exceptions import DeltaError

        table = self._table.load()
        if table is None:
            raise LogError("there is no sealed log to maintain", where=self._table.uri)
        try:
            yield table
        except (DeltaError, OSError) as error:
            raise LogError(
                f"cannot maintain the sealed log: {first_line(error)}",
                where=self._table.uri,
                hint="if a file of it is damaged: gnomon log repair",
            ) from None
