"""Options for delta-rs in every commit, and metadata of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from gnomon.log.segments.schema import MARK_KEY
from gnomon.log.segments.segment_header import IDENTITY_KEY, home

if TYPE_CHECKING:
    from deltalake import DeltaTable, PostCommitHookProperties, WriterProperties

__all__ = [
    "DAY",
    "first_line",
    "found_key",
    "no_hooks",
    "sealed_segment",
    "sealed_up_to",
    "stored_schema",
    "stream_key",
    "writing",
]

DAY = pa.field("day", pa.date32())
"""The partition: the UTC day of arrival."""

ROW_GROUP_ROWS = 32_768
"""Rows in a row group of a Parquet file. Readers hold one group and the next in memory; each is two
chunks of a replay."""


def writing() -> WriterProperties:
    """Return the options for writing files; a reader's memory is bounded by row groups."""
    from deltalake import WriterProperties

    return WriterProperties(compression="ZSTD", max_row_group_size=ROW_GROUP_ROWS)


def first_line(error: Exception) -> str:
    """Return an error's message without the trace that delta-rs adds."""
    return str(error).partition("\n")[0]


def no_hooks() -> PostCommitHookProperties:
    """Turn off what delta-rs does after a commit by itself: it would do so without a sync."""
    from deltalake import PostCommitHookProperties

    return PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


def stream_key(metadata: Mapping[bytes, bytes]) -> str:
    """Return the key under which the table records how much of a stream it contains."""
    parts = (metadata[b"gnomon.slice"], metadata[b"gnomon.stream"], metadata[IDENTITY_KEY])
    return "/".join(part.decode() for part in parts)


def found_key(metadata: Mapping[bytes, bytes]) -> str | None:
    """Return the key of a segment that repair found in another place and added to the table.

    It is None for segments without a mark, which cannot be told apart.
    """
    mark = metadata.get(MARK_KEY)
    return None if mark is None else home(metadata).found(mark.decode()).key


def sealed_up_to(table: DeltaTable | None, metadata: Mapping[bytes, bytes]) -> int:
    """Return the highest segment of a stream that is in the table; -1 when none is."""
    return -1 if table is None else sealed_segment(table, stream_key(metadata))


def sealed_segment(table: DeltaTable, stream: str) -> int:
    """Return the highest segment in the table of the stream with a key; -1 when none is."""
    sealed = table.transaction_version(stream)
    return -1 if sealed is None else int(sealed)


def stored_schema(table: DeltaTable) -> pa.Schema:
    """Return the table's columns."""
    return pa.schema(table.schema())
