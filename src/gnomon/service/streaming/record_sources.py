"""The body of a stream of records as it arrives, split into parts to score."""

from __future__ import annotations

import re
from collections import deque
from typing import Protocol

from gnomon.errors import BodyTooLarge
from gnomon.service.http.arrow_messages import ClientMessages
from gnomon.service.slice.stream_scoring import StreamPart

__all__ = ["PART_BYTES", "ArrowSource", "LineSource", "RecordSource"]

PART_BYTES = 1_048_576
"""The most bytes of lines in one part, unless a single line is longer."""
LINE_BYTES = 128
"""The memory that a line takes in addition to its text."""
_RECORD = re.compile(rb"\S[^\n]*")
"""A line that is not empty, without the space at its beginning. Empty lines cost no time of their
own: a few hundred compressed bytes can be millions of them."""


class RecordSource(Protocol):
    """Takes a body as it arrives, and returns the parts that are complete."""

    @property
    def size(self) -> int:
        """Bytes held in memory."""

    @property
    def is_ready(self) -> bool:
        """Whether a part is complete."""

    def feed(self, data: bytes) -> None:
        """Add received bytes of the body."""

    def end(self) -> None:
        """Handle the end of the body."""

    def take(self, rows: int) -> StreamPart | None:
        """Return the next part, of about ``rows`` rows; None if no part is complete."""


class LineSource:
    """Lines of JSON, numbered from 1 as in an editor; empty lines are skipped."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._tail = bytearray()
        self._lines: deque[tuple[int, bytes]] = deque()
        self._held_bytes = 0
        self._number = 0

    @property
    def size(self) -> int:
        return len(self._tail) + self._held_bytes

    @property
    def is_ready(self) -> bool:
        return bool(self._lines)

    def feed(self, data: bytes) -> None:
        cut = data.rfind(b"\n")
        if cut < 0:
            self._tail += data
        else:
            whole, self._tail = bytes(self._tail) + data[:cut], bytearray(data[cut + 1 :])
            self._add(whole)
        if len(self._tail) > self._most:
            raise BodyTooLarge(
                f"expected lines of at most {self._most:,} bytes, got more",
                where=f"line {self._number + 1}",
                hint="write each record on a separate line, or raise GNOMON_BODY_BYTES",
            )

    def end(self) -> None:
        self._add(bytes(self._tail))
        self._tail = bytearray()

    def take(self, rows: int) -> StreamPart | None:
        lines: list[tuple[int, bytes]] = []
        size = 0
        while self._lines and len(lines) < rows:
            size += len(self._lines[0][1])
            if lines and size > PART_BYTES:
                break
            lines.append(self._lines.popleft())
        if not lines:
            return None
        self._held_bytes -= sum(len(line) + LINE_BYTES for _, line in lines)
        payload = b"\n".join(line for _, line in lines)
        return StreamPart("lines", payload, tuple(number for number, _ in lines))

    def _add(self, whole: bytes) -> None:
        read = 0
        for line in _RECORD.finditer(whole):
            self._number += whole.count(b"\n", read, line.start())
            read = line.end()
            record = line[0].rstrip()
            self._lines.append((self._number + 1, record))
            self._held_bytes += len(record) + LINE_BYTES
        self._number += whole.count(b"\n", read) + 1


class ArrowSource:
    """Record batches, each a part; their rows are numbered from 1."""

    def __init__(self, most_bytes: int) -> None:
        self._messages = ClientMessages(most_bytes)
        self._parts: deque[StreamPart] = deque()
        self._rows = 0
        self.end = self._messages.end

    @property
    def size(self) -> int:
        return self._messages.size + sum(len(part.payload) for part in self._parts)

    @property
    def is_ready(self) -> bool:
        return bool(self._parts)

    def feed(self, data: bytes) -> None:
        self._messages.feed(data)
        while (message := self._messages.take()) is not None:
            if message.rows > 0:
                first, self._rows = self._rows + 1, self._rows + message.rows
                self._parts.append(
                    StreamPart("arrow", message.stream, range(first, self._rows + 1))
                )

    def take(self, rows: int) -> StreamPart | None:
        return self._parts.popleft() if self._parts else None
