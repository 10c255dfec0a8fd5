"""The columns of stored labels, and the version of their format.

A stored row is one value of one target: a label of a model with several targets is several rows. It
names its prediction in one of two ways: by ``request_id`` and ``row``, or by the ``entity`` and the
``event_time`` of the request.

Changing a column's meaning or type needs a new ``FORMAT``; a new nullable column does not.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from gnomon.errors import UnreadableFile
from gnomon.formats import Format, check_version

__all__ = ["FORMAT", "LABELS", "check_format", "instant"]

FORMAT = 1

FORMAT_KEY = b"gnomon.labels"
instant = pa.timestamp("us", tz="UTC")
"""The type of every time."""

_KIND = Format("file of labels", FORMAT)

LABELS = pa.schema(
    [
        pa.field("request_id", pa.string()),
        pa.field("row", pa.int32()),
        pa.field("entity_key", pa.string()),
        pa.field("entity", pa.string()),
        pa.field("event_time", instant),
        pa.field("target", pa.string()),
        pa.field("value", pa.string()),
        pa.field("known_at", instant),
        pa.field("source", pa.string()),
        pa.field("correction", pa.int32()),
        pa.field("received_at", instant),
    ],
    metadata={FORMAT_KEY: b"%d" % FORMAT},
)
"""``entity_key`` and ``entity`` are JSON arrays of text: the features of the key, and their values.
``target`` is null for a model with one. ``value`` is text, whatever its type: see
:meth:`gnomon.labels.targets.Target.text`; null withdraws a label. ``known_at`` is null if
it was not given."""


def check_format(metadata: Mapping[bytes, bytes] | None, where: str) -> None:
    """Refuse a file that is not of labels, or of a newer format.

    Raises:
        UnreadableFile: it is not a file of labels.
        NewerFormat: a newer version of Gnomon wrote it.
    """
    found = (metadata or {}).get(FORMAT_KEY)
    if found is None or not found.isdigit():
        raise UnreadableFile(
            "expected a file of labels, got another Parquet file",
            where=where,
            hint="move it out of the folder",
        )
    check_version(int(found), _KIND, where)
