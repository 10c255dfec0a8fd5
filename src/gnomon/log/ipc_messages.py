"""Where Arrow IPC messages begin and end in a segment, and whether they are intact.

An encapsulated message is ``FFFFFFFF``, the metadata's length (int32), the metadata (a flatbuffer
``Message``) and the body, whose length the metadata holds. See "Encapsulated message format" in
https://arrow.apache.org/docs/format/Columnar.html and ``Message.fbs`` beside it.

Since segment format 2 the last bytes of the metadata are a *mark* and the CRC-32 of the metadata
before them and of the body. Arrow takes them for padding: a segment is still a plain Arrow stream,
which any Arrow library reads. The mark of batches is random and of one segment since format 3, so
that a request's body, which is stored as it came, cannot hold bytes that look like a batch of the
segment. It is in the metadata of the segment's schema, whose own message has the mark ``CRC1``.
"""

from __future__ import annotations

import os
import secrets
import struct
import zlib
from collections.abc import Iterator

import pyarrow as pa

from gnomon.errors import LogError

__all__ = [
    "MARK_LENGTH",
    "SCHEMA_MARK",
    "checksummed",
    "filler",
    "is_as_written",
    "is_unchanged",
    "message_length",
    "messages",
    "new_mark",
    "padded",
]

SCHEMA_MARK = b"CRC1"
"""Of a schema's message; in format 2 of every message."""

MARK_LENGTH = 12
"""Bytes of a segment's own mark: nobody guesses 96 bits, and with the checksum it is 16 bytes, as
Arrow wants its padding in steps of eight."""

_CHUNK = 1 << 20
_PREFIX = struct.Struct("<Ii")
_CONTINUATION = 0xFFFFFFFF
_U16, _U32, _I32, _I64 = (struct.Struct(f"<{kind}") for kind in "HIiq")
_BODY_LENGTH_SLOT = 4 + 2 * 3  # the fourth field of the table `Message`
_CHECKSUM = struct.Struct("<I")
_UNCHECKED = "expected the mark of this segment and a checksum, found none"


def new_mark() -> bytes:
    """The mark of a new segment."""
    return secrets.token_bytes(MARK_LENGTH)


def checksummed(message: pa.Buffer, mark: bytes = SCHEMA_MARK) -> tuple[bytes, memoryview]:
    """A message with its mark and checksum, in two parts to be written one after the other.

    The second part is the message's body, not copied.
    """
    view = memoryview(message)
    _, metadata = _PREFIX.unpack_from(view)
    body = _PREFIX.size + metadata
    checksum = zlib.crc32(view[_PREFIX.size :])
    head = b"".join(
        [
            _PREFIX.pack(_CONTINUATION, metadata + len(mark) + _CHECKSUM.size),
            view[_PREFIX.size : body],
            mark,
            _CHECKSUM.pack(checksum),
        ]
    )
    return head, view[body:]


def messages(
    descriptor: int,
    offset: int,
    end: int | None = None,
    *,
    mark: bytes | None = SCHEMA_MARK,
    required: bool = False,
) -> Iterator[tuple[int, pa.Buffer]]:
    """Whole messages from ``offset`` on, each with the offset after it.

    Stops at the end of the file, at ``end``, or at a message that is not all there. Every message
    comes out of one ``pread``, so a torn write that its writer takes back is never half of one.

    Args:
        descriptor: of the segment.
        offset: where a message begins.
        end: read nothing beyond; the end of the file by default.
        mark: of the messages; None: they have none, and no checksum.
        required: whether every message must have it; by default only those that do are held to
            their checksum, which is for a schema, as one of format 1 has no mark.

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
        while 0 < (need := message_length(view, at)) <= len(view) - at:
            message = chunk.slice(at, need)
            if mark is not None:
                _check(memoryview(message), offset + at, mark, required=required)
            yield offset + at + need, message
            at += need
        if need < 0:
            _refuse_damage(descriptor, offset + at, limit)
            return
        offset += at
        if max(need, _PREFIX.size) > limit - offset or len(view) < size:
            return
        want = max(_CHUNK, need)


def filler(schema: pa.Schema, size: int, mark: bytes | None) -> bytes | None:
    """A message without rows that is ``size`` bytes long, to stand where batches were lost.

    Args:
        schema: the segment's.
        size: a multiple of eight.
        mark: the segment's; None for one whose messages have none.

    Returns:
        None if no message is that small; then :func:`padded` makes another one longer.
    """
    columns = [pa.array([], field.type) for field in schema]
    message = pa.record_batch(columns, schema=schema).serialize()
    empty = bytes(message) if mark is None else b"".join(checksummed(message, mark))
    return padded(memoryview(empty), size - len(empty), mark) if size >= len(empty) else None


def padded(message: memoryview, more: int, mark: bytes | None) -> bytes:
    """A message with ``more`` bytes, a multiple of eight, that say nothing.

    Args:
        message: with the mark and a checksum, unless ``mark`` is None.
        more: bytes.
        mark: of the message.
    """
    _, metadata = _PREFIX.unpack_from(message)
    body, trailer = _PREFIX.size + metadata, _trailer_length(mark)
    plain = message[_PREFIX.size : body - trailer]
    head = _PREFIX.pack(_CONTINUATION, metadata - trailer + more)
    longer = b"".join([head, plain, bytes(more), message[body:]])
    return longer if mark is None else b"".join(checksummed(pa.py_buffer(longer), mark))


def is_as_written(message: memoryview, mark: bytes) -> bool:
    """Whether a message has the mark and the checksum of what is in it."""
    try:
        _check(message, 0, mark, required=True)
    except LogError:
        return False
    return True


def is_unchanged(message: memoryview) -> bool:
    """Whether a schema's message has the checksum of what is in it, or has none: format 1."""
    try:
        _check(message, 0, SCHEMA_MARK, required=False)
    except LogError:
        return False
    return True


def _check(message: memoryview, offset: int, mark: bytes, *, required: bool) -> None:
    """Hold a message to its checksum.

    Raises:
        LogError: it is another, or there is none though there must be.
    """
    body = _PREFIX.size + _PREFIX.unpack_from(message)[1]
    at = body - _trailer_length(mark)
    # As bytes: Arrow's memoryviews are of signed ones, which no `bytes` over 127 equals.
    if at <= _PREFIX.size or bytes(message[at : at + len(mark)]) != mark:
        if required:
            raise LogError(_UNCHECKED, where=f"byte {offset}")
        return
    (expected,) = _CHECKSUM.unpack_from(message, at + len(mark))
    found = zlib.crc32(message[body:], zlib.crc32(message[_PREFIX.size : at]))
    if found != expected:
        raise LogError(
            f"expected the checksum {expected:08x}, got {found:08x}", where=f"byte {offset}"
        )


def _trailer_length(mark: bytes | None) -> int:
    return 0 if mark is None else len(mark) + _CHECKSUM.size


def message_length(view: memoryview, at: int) -> int:
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
