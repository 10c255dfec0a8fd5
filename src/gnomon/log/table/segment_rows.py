"""The rows of segments in the form of the sealed table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from gnomon.log.segments.schema import ADDRESS, COMPARISON, ENVELOPE
from gnomon.log.segments.tail import SegmentReader
from gnomon.log.table.columns import plain_type, stored_names
from gnomon.log.table.delta import DAY
from gnomon.log.table.row_addresses import addressed

__all__ = ["FIXED", "SegmentRows"]

FIXED = (*ADDRESS, *ENVELOPE, *COMPARISON)
"""The columns that every row has."""


class SegmentRows:
    """The rows of segments in the table's form: columns renamed, with the partition's day."""

    def __init__(self, segments: Sequence[SegmentReader], stored: pa.Schema) -> None:
        self._segments = segments
        known = {field.name for field in FIXED}
        own = [field for field in segments[0].schema if field.name not in known]
        self._fields = pa.schema([*FIXED, *own])
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
