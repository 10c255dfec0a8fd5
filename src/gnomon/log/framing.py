"""Where Arrow IPC messages begin and end in a segment, and whether they are as they were written.

An encapsulated message is ``FFFFFFFF``, the metadata's length (int32), the metadata (a flatbuffer
``Message``) and the body, whose length the metadata holds. See "Encapsulated message format" in
https://arrow.apache.org/docs/format/Columnar.html and ``Message.fbs`` beside it.

Since segment format 2 the last eight bytes of the metadata are ``CRC1`` and the CRC-32 of the
metadata before them and of the body. Arrow takes them for padding: a segment is still a plain Arrow
stream, which any Arrow library reads.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator

import pyarrow as pa

from gnomon.errors import LogError

__all__ = ["checksummed", "filler", "find_messages", "messages", "padded"]

_CHUNK = 1 << 20
_PREFIX = struct.Struct("<Ii")
_CONTINUATION = 0xFFFFFFFF
_U16, _U32, _I32, _I64 = (struct.Struct(f"<{kind}") for kind in "HIiq")
_BODY_LENGTH_SLOT = 4 + 2 * 3  # the fourth field of the table `Message`
_CHECKSUM = struct.Struct("<4sI")
_CHECKSUM_MARK = b"CRC1"
_UNCHECKED = "expected a checksum, found none"


def checksummed(message: pa.Buffer) -> tuple[bytes, memoryview]:
    """A message with its checksum, in two parts to be written one after the other.

    The second part is the message's body, not copied.
    """
    view = memoryview(message)
    _, metadata = _PREFIX.unpack_from(view)
    body = _PREFIX.size + metadata
    checksum = zlib.crc32(view[_PREFIX.size :])
    head = b"".join(
        [
            _PREFIX.pack(_CONTINUATION, metadata + _CHECKSUM.size),
            view[_PREFIX.size : body],
            _CHECKSUM.pack(_CHECKSUM_MARK, checksum),
        ]
    )
    return head, view[body:]


def messages(
    descriptor: int, offset: int, end: int | None = None, *, checked: bool | None = None
) -> Iterator[tuple[int, pa.Buffer]]:
    """Whole messages from ``offset`` on, each with the offset after it.

    Stops at the end of the file, at ``end``, or at a message that is not all there. Every message
    comes out of one ``pread``, so a torn write that its writer takes back is never half of one.

    Args:
        descriptor: of the segment.
        offset: where a message begins.
        end: read nothing beyond; the end of the file by default.
        checked: whether every message must have a checksum; by default those that have one are
            held to it, which is for the schema that says so.

    Raises:
        LogError: the bytes are all there and are no message, or not the one that was written.
    """
    limit = os.fstat(descriptor).st_size if end is None else end
    want = _CHUNK
    while offset < limit:
        size = min(want, limit - offset)
        chunk = pa.py_buffer(os.pread(descriptor, size, offset))
        view = memoryview(chunk)
        at = 0
        while 0 < (need := _length(view, at)) <= len(view) - at:
            message = chunk.slice(at, need)
            if checked is not False:
                _check(memoryview(message), offset + at, required=checked is True)
            yield offset + at + need, message
            at += need
        if need < 0:
            _refuse_damage(descriptor, offset + at, limit)
            return
        offset += at
        if max(need, _PREFIX.size) > limit - offset or len(view) < size:
            return
        want = max(_CHUNK, need)


def filler(schema: pa.Schema, size: int) -> bytes | None:
    """A message without rows that is ``size`` bytes long, to stand where batches were lost.

    Args:
        schema: the segment's.
        size: a multiple of eight.

    Returns:
        None if no message is that small; then :func:`padded` makes another one longer.
    """
    columns = [pa.array([], field.type) for field in schema]
    empty = b"".join(checksummed(pa.record_batch(columns, schema=schema).serialize()))
    return padded(memoryview(empty), size - len(empty)) if size >= len(empty) else None


def padded(message: memoryview, more: int) -> bytes:
    """A checksummed message with ``more`` bytes, a multiple of eight, that say nothing."""
    _, metadata = _PREFIX.unpack_from(message)
    body = _PREFIX.size + metadata
    plain = message[_PREFIX.size : body - _CHECKSUM.size]
    head = _PREFIX.pack(_CONTINUATION, metadata - _CHECKSUM.size + more)
    longer = b"".join([head, plain, bytes(more), message[body:]])
    return b"".join(checksummed(pa.py_buffer(longer)))


def find_messages(content: memoryview, checked: bool) -> Iterator[tuple[int, memoryview]]:
    """Every whole message in damaged bytes, with where it begins; what is between is lost.

    Args:
        content: of a segment.
        checked: whether messages have a checksum. Without, a length that was overwritten may hide
            what follows.
    """
    mark, whole = _CONTINUATION.to_bytes(4, "little"), bytes(content)
    at = whole.find(mark)
    while at >= 0:
        size = _length(content, at)
        if 0 < size <= len(content) - at and _is_as_written(content[at : at + size], checked):
            yield at, content[at : at + size]
            at = whole.find(mark, at + size)
        else:
            at = whole.find(mark, at + 1)


def _is_as_written(message: memoryview, checked: bool) -> bool:
    try:
        _check(message, 0, required=checked)
    except LogError:
        return False
    return True


def _check(message: memoryview, offset: int, *, required: bool) -> None:
    """Hold a message to its checksum.

    Raises:
        LogError: it is another, or there is none though there must be.
    """
    body = _PREFIX.size + _PREFIX.unpack_from(message)[1]
    at = body - _CHECKSUM.size
    mark, expected = _CHECKSUM.unpack_from(message, at) if at > _PREFIX.size else (b"", 0)
    if mark != _CHECKSUM_MARK:
        if required:
            raise LogError(_UNCHECKED, where=f"byte {offset}")
        return
    found = zlib.crc32(message[body:], zlib.crc32(message[_PREFIX.size : at]))
    if found != expected:
        raise LogError(
            f"expected the checksum {expected:08x}, got {found:08x}", where=f"byte {offset}"
        )


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
