"""Where Arrow IPC messages begin and end in a segment, read without decoding them.

An encapsulated message is ``FFFFFFFF``, the metadata's length (int32), the metadata (a flatbuffer
``Message``) and the body, whose length the metadata holds. See "Encapsulated message format" in
https://arrow.apache.org/docs/format/Columnar.html and ``Message.fbs`` beside it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import pyarrow as pa

from gnomon.errors import LogError

__all__ = ["messages"]

_CHUNK = 1 << 20
_PREFIX = struct.Struct("<Ii")
_CONTINUATION = 0xFFFFFFFF
_U16, _U32, _I32, _I64 = (struct.Struct(f"<{kind}") for kind in "HIiq")
_BODY_LENGTH_SLOT = 4 + 2 * 3  # the fourth field of the table `Message`


def messages(
    descriptor: int, offset: int, end: int | None = None
) -> Iterator[tuple[int, pa.Buffer]]:
    """Whole messages from ``offset`` on, each with the offset after it.

    Stops at the end of the file, at ``end``, or at a message that is not all there. Every message
    comes out of one ``pread``, so a torn write that its writer takes back is never half of one.

    Raises:
        LogError: the bytes are all there and are no message.
    """
    limit = os.fstat(descriptor).st_size if end is None else end
    want = _CHUNK
    while offset < limit:
        size = min(want, limit - offset)
        chunk = pa.py_buffer(os.pread(descriptor, size, offset))
        view = memoryview(chunk)
        at = 0
        while 0 < (need := _length(view, at)) <= len(view) - at:
            yield offset + at + need, chunk.slice(at, need)
            at += need
        if need < 0:
            _refuse_damage(descriptor, offset + at, limit)
            return
        offset += at
        if max(need, _PREFIX.size) > limit - offset or len(view) < size:
            return
        want = max(_CHUNK, need)


def _length(view: memoryview, at: int) -> int:
    """The length of the message at ``at``; 0 when too little is there, -1 when it is none."""
    if at + _PREFIX.size > len(view):
        return 0
    continuation: int
    metadata: int
    continuation, metadata = _PREFIX.unpack_from(view, at)
    if continuation != _CONTINUATION or metadata <= 0:
        return -1
    start = at + _PREFIX.size
    if start + metadata > len(view):
        return _PREFIX.size + metadata
    try:
        table = start + _U32.unpack_from(view, start)[0]
        vtable = table - _I32.unpack_from(view, table)[0]
        slots = _U16.unpack_from(view, vtable)[0]
        slot = (
            _U16.unpack_from(view, vtable + _BODY_LENGTH_SLOT)[0]
            if slots > _BODY_LENGTH_SLOT
            else 0
        )
        body: int = _I64.unpack_from(view, table + slot)[0] if slot else 0
    except struct.error:
        return -1
    return _PREFIX.size + metadata + body if body >= 0 else -1


def _refuse_damage(descriptor: int, offset: int, limit: int) -> None:
    """A tail of zeros is what a power cut leaves of an unsynced write; anything else is damage."""
    while offset < limit:
        chunk = os.pread(descriptor, _CHUNK, offset)
        if chunk.strip(b"\0"):
            raise LogError("expected an Arrow message, got something else", where=f"byte {offset}")
        if not chunk:
            return
        offset += len(chunk)
