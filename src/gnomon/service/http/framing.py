"""The framing of request bodies, which end by their length, or with the last chunk.

Both classes take the bytes of a connection as they arrive and split off the body. The remaining
bytes belong to the next request.
"""

from __future__ import annotations

import re
from typing import Protocol

from gnomon.errors import HeadTooLarge, MalformedRequest
from gnomon.service.http.request_head import HEADERS, fields

__all__ = ["Chunks", "Framing", "Sized"]

_DRAINED_BYTES = 65_536
"""The rest of a body that was not needed is read if it is at most this long; otherwise the
connection is closed."""
SIZE_LINE_BYTES = 4_096
"""The longest line with the size of a chunk, and the limit on all extensions of one body."""
TRAILER_BYTES = 16_384
"""The limit on all trailers of a body."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
_SIZE_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,15})"
    rb"((?:[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*)"
)
"""RFC 9112, section 7.1; the size is below 2 ** 60."""
_PLAIN_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")


class Framing(Protocol):
    """A body that is being received."""

    @property
    def done(self) -> bool:
        """Whether the complete body was received."""

    @property
    def is_short(self) -> bool:
        """Whether the rest of the body is known to be short."""

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Split ``data`` into the body in it and the rest, which the next call must begin with.

        Raises:
            GnomonError: the framing is malformed, so the next request cannot be found.
        """


class Sized:
    """A body of a known length, in bytes."""

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def done(self) -> bool:
        """Whether the complete body was received."""
        return self._left == 0

    @property
    def is_short(self) -> bool:
        """Whether the rest of the body is known to be short."""
        return self._left <= _DRAINED_BYTES

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Split ``data`` into the body in it and the bytes after the body."""
        body, rest = data[: self._left], data[self._left :]
        self._left -= len(body)
        return body, rest


class Chunks:
    """A chunked body. Extensions and trailers are checked, limited in size and dropped."""

    def __init__(self) -> None:
        self.done = False
        self._left = 0
        self._in_chunk = False
        self._in_trailers = False
        self._extensions = 0

    @property
    def is_short(self) -> bool:
        """Whether the body was received: the length of further chunks is never known."""
        return self.done

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Split ``data`` into the body in it and the rest: bytes after it, or an incomplete part.

        Raises:
            MalformedRequest: these are not chunks.
            HeadTooLarge: extensions or trailers exceed their limits.
        """
        body: list[bytes] = []
        start = 0
        while not self.done:
            step = self._whole(data, start, body) or self._step(data, start, body)
            if step == start:
                break
            start = step
        return b"".join(body), data[start:]

    def _whole(self, data: bytes, start: int, body: list[bytes]) -> int:
        """Return the start of the next chunk if this one is plain and complete, else 0.

        This keeps a body of very small chunks cheap for the event loop.
        """
        size = None if self._in_chunk or self._in_trailers else _PLAIN_SIZE.match(data, start)
        if size is None:
            return 0
        begin = size.end()
        stop = begin + int(size[1], 16)
        if begin == stop or data[stop : stop + 2] != b"\r\n":
            return 0
        body.append(data[begin:stop])
        return stop + 2

    def _step(self, data: bytes, start: int, body: list[bytes]) -> int:
        """Read one part; return where the next one starts, or ``start`` if it is incomplete."""
        if self._in_trailers:
            return self._trailers(data, start)
        if not self._in_chunk:
            return self._size_line(data, start)
        if self._left:
            piece = data[start : start + self._left]
            self._left -= len(piece)
            body.append(piece)
            return start + len(piece)
        return self._chunk_end(data, start)

    def _size_line(self, data: bytes, start: int) -> int:
        end = data.find(b"\r\n", start, start + SIZE_LINE_BYTES)
        if end < 0:
            partial = data[start : start + SIZE_LINE_BYTES]
            if len(partial) >= SIZE_LINE_BYTES:
                raise _too_large("chunk extensions")
            if b"\n" in partial or b"\r" in partial[:-1]:
                raise _no_chunk()
            return start
        line = _SIZE_LINE.fullmatch(data, start, end)
        if line is None:
            raise _no_chunk()
        self._extensions += len(line[2])
        if self._extensions > SIZE_LINE_BYTES:
            raise _too_large("chunk extensions")
        self._left = int(line[1], 16)
        self._in_chunk, self._in_trailers = self._left > 0, self._left == 0
        return end + 2

    def _chunk_end(self, data: bytes, start: int) -> int:
        end = data[start : start + 2]
        if not b"\r\n".startswith(end):
            raise _no_chunk()
        if len(end) < 2:
            return start
        self._in_chunk = False
        return start + 2

    def _trailers(self, data: bytes, start: int) -> int:
        if data.startswith(b"\r\n", start):
            self.done = True
            return start + 2
        end = data.find(b"\r\n\r\n", start, start + TRAILER_BYTES)
        if end < 0:
            if len(data) - start >= TRAILER_BYTES:
                raise _too_large("trailers")
            if re.search(rb"(?<!\r)\n|\r(?!\n|\Z)", data[start:]):
                raise _no_chunk()
            return start
        block = data[start : end + 2]
        if block.count(b"\n") > HEADERS:
            raise _too_large("trailers")
        if fields(block) is None:
            raise _no_chunk()
        self.done = True
        return end + 4


def _no_chunk() -> MalformedRequest:
    return MalformedRequest(
        "expected chunks: a size in hexadecimal, CR LF, that many bytes, CR LF", where="the body"
    )


def _too_large(what: str) -> HeadTooLarge:
    return HeadTooLarge(f"expected fewer {what}", where="the body", hint="leave them out")
