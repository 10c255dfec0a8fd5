"""How delta-rs is used: options of every commit, and metadata of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from gnomon.log.tail import IDENTITY_KEY

if TYPE_CHECKING:
    from deltalake import DeltaTable, PostCommitHookProperties, WriterProperties

__all__ = [
    "DAY",
    "first_line",
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
"""Of a Parquet file. Readers hold one whole, and the next: two chunks of a replay each."""


def writing() -> WriterProperties:
    """How files are written. A reader holds whole row groups: they bound its memory."""
    from deltalake import WriterProperties

    return WriterProperties(compression="ZSTD", max_row_group_size=ROW_GROUP_ROWS)


def first_line(error: Exception) -> str:
    """What went wrong, without the trace that delta-rs adds."""
    return str(error).partition("\n")[0]


def no_hooks() -> PostCommitHookProperties:
    """Commits alone: what delta-rs does after them by itself, it does without a sync between."""
    from deltalake import PostCommitHookProperties

    return PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


def stream_key(metadata: Mapping[bytes, bytes]) -> str:
    """The name under which the table keeps how far a stream is in it."""
    parts = (metadata[b"gnomon.slice"], metadata[b"gnomon.stream"], metadata[IDENTITY_KEY])
    return "/".join(part.decode() for part in parts)


def sealed_up_to(table: DeltaTable | None, metadata: Mapping[bytes, bytes]) -> int:
    """The highest segment of a stream that is in the table; -1 when none is."""
    return -1 if table is None else sealed_segment(table, stream_key(metadata))


def sealed_segment(table: DeltaTable, stream: str) -> int:
    """The highest segment in the table of the stream with a key; -1 when none is."""
    sealed = table.transaction_version(stream)
    return -1 if sealed is None else int(sealed)


def stored_schema(table: DeltaTable) -> pa.Schema:
    """The table's columns."""
    return pa.schema(table.schema())
