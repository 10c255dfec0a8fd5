"""The inference log: append-only segments, the sealed table, and one reader for both.

Writing imports only pyarrow; Delta and DuckDB are imported when a table or SQL is used.
"""

from gnomon.log.reader import InferenceLog, Where
from gnomon.log.request_ids import new_request_id
from gnomon.log.segments.layout import (
    REQUESTS,
    STOPPED,
    Position,
    StreamBusy,
    shadow_stream,
    stream_folder,
    stream_segments,
)
from gnomon.log.segments.recovery import recover
from gnomon.log.segments.schema import (
    ADDRESS,
    COMPARISON,
    ENVELOPE,
    answered,
    input_column,
    output_column,
    request_schema,
    shadow_schema,
)
from gnomon.log.segments.segment_writer import SegmentWriter
from gnomon.log.segments.tail import SegmentReader, Tail, read_position
from gnomon.log.snapshot import Snapshot

__all__ = [
    "ADDRESS",
    "COMPARISON",
    "ENVELOPE",
    "REQUESTS",
    "STOPPED",
    "InferenceLog",
    "Position",
    "SegmentReader",
    "SegmentWriter",
    "Snapshot",
    "StreamBusy",
    "Tail",
    "Where",
    "answered",
    "input_column",
    "new_request_id",
    "output_column",
    "read_position",
    "recover",
    "request_schema",
    "shadow_schema",
    "shadow_stream",
    "stream_folder",
    "stream_segments",
]
