"""Labels under the storage root, in files that are only ever added or that grow.

``labels/<model>/<name>.parquet``: one file for each batch of an import, named after its content, so
that an import that is run again adds nothing; and one after the other for each server, which
replaces its newest file by one with more rows. Each writer has files of its own, a file is replaced
completely or not at all, and readers see what was there before or after. So neither a crash nor
several writers can lose or damage a label.
"""

from __future__ import annotations

import hashlib
import io
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import UnreadableFile
from gnomon.labels.label_schema import LABELS, check_format, instant
from gnomon.log import new_request_id
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["LabelStore", "LabelWriter"]

_FILE_ROWS = 4_096
"""A server's file gets no more rows from here on: it is written again for every batch, and costs
some milliseconds and about 100 kB each time."""


class LabelStore:
    """The labels of one model.

    Args:
        settings: settings with the storage root.
        model: the model's name.
    """

    def __init__(self, settings: Settings, model: str) -> None:
        self.model = model
        self.where = f"{settings.root.rstrip('/')}/{_folder(model)}"
        self._storage = Storage(settings)

    def add(self, records: pa.RecordBatch) -> bool:
        """Store records in a file of their own; False if they were stored already.

        They are on disk when this returns. Records are the same if everything but
        ``received_at`` is.

        Raises:
            StorageError: the storage root refuses.
        """
        given = records.drop_columns(["received_at"])
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, given.schema) as stream:
            stream.write_batch(given)
        name = f"import-{hashlib.sha256(sink.getvalue()).hexdigest()[:32]}"
        return self._storage.create(self._name(name), _encoded(pa.Table.from_batches([records])))

    def replace(self, name: str, records: pa.Table) -> None:
        """Write a file, or replace it by one with more records; on disk when this returns.

        Raises:
            StorageError: the storage root refuses.
        """
        self._storage.write(self._name(name), _encoded(records))

    def read(self, received_until: datetime | None = None) -> pa.Table:
        """Return all records, in the order in which they were received.

        Args:
            received_until: only those received up to this time.

        Raises:
            NewerFormat: a newer version of Gnomon wrote a file.
            StorageError: the storage root cannot be read.
            UnreadableFile: a file is damaged.
        """
        tables = [LABELS.empty_table()]
        for name in self._storage.names(_folder(self.model)):
            content = self._storage.read(name)
            if content is not None and name.endswith(".parquet"):
                tables.append(_decoded(content, name))
        table = pa.concat_tables(tables).combine_chunks()
        if received_until is not None:
            limit = pa.scalar(received_until, instant)
            table = table.filter(pc.less_equal(table.column("received_at"), limit))
        return table.take(pc.sort_indices(table, [("received_at", "ascending")]))

    def _name(self, name: str) -> str:
        return f"{_folder(self.model)}/{name}.parquet"


class LabelWriter:
    """Stores the labels that one process receives; not safe for use by several threads at once."""

    def __init__(self, store: LabelStore) -> None:
        self._store = store
        self._name = new_request_id()
        self._table = LABELS.empty_table()

    def add(self, records: pa.RecordBatch) -> None:
        """Store records; they are on disk when this returns.

        Raises:
            StorageError: the storage root refuses. Records may be stored or not; sending them again
                is harmless.
        """
        if self._table.num_rows >= _FILE_ROWS:
            self._name, self._table = new_request_id(), LABELS.empty_table()
        table = pa.concat_tables([self._table, pa.Table.from_batches([records])])
        self._store.replace(self._name, table)
        self._table = table


def _folder(model: str) -> str:
    return f"labels/{model}"


def _encoded(table: pa.Table) -> bytes:
    import pyarrow.parquet

    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _decoded(content: bytes, name: str) -> pa.Table:
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(pa.BufferReader(content))
    except (OSError, pa.ArrowException) as error:
        raise UnreadableFile(
            f"not a file of labels: {str(error).partition(chr(10))[0]}",
            where=name,
            hint="restore it from a backup",
        ) from None
    check_format(table.schema.metadata, name)
    missing = [field for field in LABELS if field.name not in table.schema.names]
    for field in missing:  # A column that a newer version added.
        table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(LABELS.names).cast(LABELS)
