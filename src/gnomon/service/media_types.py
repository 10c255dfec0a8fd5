"""What streams of records are called in ``Content-Type``."""

from __future__ import annotations

__all__ = ["ARROW", "LINES"]

LINES = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
