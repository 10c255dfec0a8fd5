"""The media types of streams of records in ``Content-Type``."""

from __future__ import annotations

__all__ = ["ARROW", "LINES"]

LINES = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
