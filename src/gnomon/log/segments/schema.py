"""The columns of the inference log and the version of its segments' format.

A segment holds the *envelope*, then ``input_<feature>``, then ``output_<name>``. A shadow's segment
has the *comparison* columns after the envelope. The reader adds each row's *address*: the slice,
stream, segment and offset at which it was written.

Changing a column's meaning or type needs a new ``FORMAT``; a new nullable column does not.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract.contract import Contract
from gnomon.errors import LogError, NewerLog
from gnomon.log.segments.ipc_messages import MARK_LENGTH, SCHEMA_MARK

__all__ = [
    "ADDRESS",
    "COMPARISON",
    "ENVELOPE",
    "FORMAT",
    "LIVE_OUTCOMES",
    "answered",
    "check_format",
    "input_column",
    "message_mark",
    "output_column",
    "request_schema",
    "shadow_schema",
]

FORMAT = 3
"""Format 2 added a checksum to each message, and 3 a random mark per segment, see
:mod:`gnomon.log.segments.ipc_messages`; 1 and 2 are read too."""

FORMAT_KEY = b"gnomon.format"
SEGMENT_KEY = b"gnomon.segment"
"""The number of the segment, since format 2."""
MARK_KEY = b"gnomon.mark"
"""The mark of the segment's batches in hexadecimal, since format 3."""

LIVE_OUTCOMES = ("answered", "rejected", "failed", "timed_out", "shed")

ENVELOPE = pa.schema(
    [
        pa.field("request_id", pa.string()),
        pa.field("row", pa.int32()),
        pa.field("role", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("client_id", pa.string()),
        pa.field("arrived", pa.timestamp("us", tz="UTC")),
        pa.field("protocol", pa.string()),
        pa.field("raw", pa.binary()),
        pa.field("unknown", pa.list_(pa.string())),
        pa.field("error_code", pa.string()),
        pa.field("error", pa.string()),
        pa.field("artifact", pa.string()),
        pa.field("digest", pa.string()),
        pa.field("epoch", pa.int64()),
        pa.field("queued_us", pa.int64()),
        pa.field("scored_us", pa.int64()),
        pa.field("total_us", pa.int64()),
        pa.field("batch_rows", pa.int32()),
    ]
)
"""Columns of every row, whatever the contract. ``raw`` is only in a request's row 0."""

COMPARISON = pa.schema(
    [
        pa.field("source_segment", pa.string()),
        pa.field("source_end", pa.int64()),
        pa.field("against", pa.string()),
        pa.field("agreed", pa.bool_()),
        pa.field("flipped", pa.bool_()),
        pa.field("difference", pa.float64()),
    ]
)
"""Additional columns of a shadow's row: the address of the live batch it read, the artifact that
answered live, and how the answers compare (null if they could not be compared)."""

ADDRESS = pa.schema(
    [
        pa.field("slice", pa.string()),
        pa.field("stream", pa.string()),
        pa.field("segment", pa.string()),
        pa.field("offset", pa.int64()),
    ]
)
"""Where a row was written. A shadow row's ``source_segment`` and ``source_end`` are the ``segment``
and ``offset`` of its live row in the same slice."""


def input_column(feature: str) -> str:
    """Return the log's column for a feature."""
    return f"input_{feature}"


def output_column(name: str) -> str:
    """Return the log's column for an output."""
    return f"output_{name}"


@functools.lru_cache
def request_schema(contract: Contract) -> pa.Schema:
    """Return the schema of a slice's request segments while an artifact with this contract is live.

    It is cached, because making it takes five times as long as appending a batch.
    """
    return _versioned([*ENVELOPE, *_contract_fields(contract)])


@functools.lru_cache
def shadow_schema(contract: Contract) -> pa.Schema:
    """Return the schema of the segments of a shadow with this contract."""
    return _versioned([*ENVELOPE, *COMPARISON, *_contract_fields(contract)])


def answered(batch: pa.RecordBatch) -> pa.BooleanArray:
    """Return which rows a shadow can score: live rows that got an answer.

    A rejected, failed or shed row has no live answer to compare with.
    """
    live = pc.equal(batch.column("role"), "live")
    return pc.and_(live, pc.equal(batch.column("outcome"), "answered"))


def check_format(metadata: Mapping[bytes, bytes] | None, where: str) -> int:
    """Return the format of a segment, if this version can read it.

    Raises:
        LogError: it is not a log segment.
        NewerLog: it has a newer format version.
    """
    found = (metadata or {}).get(FORMAT_KEY)
    if found is None:
        raise LogError("expected a log segment, got another Arrow stream", where=where)
    if found.isdigit() and 1 <= int(found) <= FORMAT:
        return int(found)
    raise NewerLog(
        f"this segment has format {found.decode(errors='replace')}; "
        f"this version of gnomon reads up to {FORMAT}",
        where=where,
        hint="read it with the version of gnomon that wrote it, or a newer one",
    )


def message_mark(metadata: Mapping[bytes, bytes] | None, where: str) -> bytes | None:
    """Return the mark of a segment's batches; None for format 1, which has no checksums.

    Raises:
        LogError: it is not a log segment, or has no mark although its format requires one.
        NewerLog: it has a newer format version.
    """
    format_ = check_format(metadata, where)
    if format_ < 3:
        return None if format_ == 1 else SCHEMA_MARK
    try:
        mark = bytes.fromhex((metadata or {}).get(MARK_KEY, b"").decode("ascii"))
    except ValueError:
        mark = b""
    if len(mark) != MARK_LENGTH:
        raise LogError("damaged log segment: its schema has no mark", where=where)
    return mark


def _contract_fields(contract: Contract) -> list[pa.Field]:
    inputs = [f.arrow.with_name(input_column(f.name)) for f in contract.features]
    outputs = [o.arrow.with_name(output_column(o.name)) for o in contract.outputs]
    return [*inputs, *outputs]


def _versioned(fields: Iterable[pa.Field]) -> pa.Schema:
    return pa.schema(fields, metadata={FORMAT_KEY: b"%d" % FORMAT})
