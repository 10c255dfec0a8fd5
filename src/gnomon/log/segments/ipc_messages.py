"""The boundaries of Arrow IPC messages in a segment, and their checksums.

An encapsulated message is ``FFFFFFFF``, the metadata's length (int32), the metadata (a flatbuffer
``Message``) and the body, whose length is in the metadata. See "Encapsulated message format" in
https://arrow.apache.org/docs/format/Columnar.html and ``Message.fbs`` there.

Since segment format 2 the last bytes of the metadata are a *mark* and the CRC-32 of the metadata
before them and of the body. Arrow treats them as padding: a segment is still a plain Arrow stream,
which any Arrow library reads. Since format 3 the mark of batches is random and different in each
segment: a request's body is stored as it was received, and must not contain bytes that look like a
batch of the segment. The mark is in the metadata of the segment's schema; the schema's message has
the mark ``CRC1``.
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
"""The mark of a schema's message; in format 2 of every message."""

MARK_LENGTH = 12
"""Bytes of a segment's random mark: 96 bits cannot be guessed, and with the checksum it has 16
bytes, as Arrow needs padding in multiples of eight."""

_CHUNK = 1 << 20
_PREFIX = struct.Struct("<Ii")
_CONTINUATION = 0xFFFFFFFF
_U16, _U32, _I32, _I64 = (struct.Struct(f"<{kind}") for kind in "HIiq")
_BODY_LENGTH_SLOT = 4 + 2 * 3  # the fourth field of the table `Message`
_CHECKSUM = struct.Struct("<I")
_UNCHECKED = "expected the mark of this segment and a checksum, found none"


def new_mark() -> bytes:
    """Return a random mark for a new segment."""
    return secrets.token_bytes(MARK_LENGTH)


def checksummed(message: pa.Buffer, mark: bytes = SCHEMA_MARK) -> tuple[bytes, memoryview]:
    """Return a message with its mark and checksum, in two parts to be written in order.

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
    """Yield complete messages from ``offset`` on, each with the offset after it.

    Stops at the end of the file, at ``end``, or at an incomplete message. Each message is read with
    one ``pread``, so it is never mixed with a torn write that the writer undoes.

    Args:
        descriptor: of the segment.
        offset: where a message begins.
        end: do not read beyond it; by default the end of the file.
        mark: of the messages; None: they have neither mark nor checksum.
        required: whether every message must have the mark. By default the checksum is verified only
            if the mark is there; this is for schemas, as those of format 1 have no mark.

    Raises:
        LogError: the bytes are complete but not a message, or not the one that was written.
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
    """Return a message without rows of ``size`` bytes, to replace lost batches.

    Args:
        schema: the segment's.
        size: a multiple of eight.
        mark: the segment's; None if its messages have none.

    Returns:
        None if no message is that small; use :func:`padded` to make another one longer.
    """
    columns = [pa.array([], field.type) for field in schema]
    message = pa.record_batch(columns, schema=schema).serialize()
    empty = bytes(message) if mark is None else b"".join(checksummed(message, mark))
    return padded(memoryview(empty), size - len(empty), mark) if size >= len(empty) else None


def padded(message: memoryview, more: int, mark: bytes | None) -> bytes:
    """Return a message that is longer by ``more`` bytes of padding, a multiple of eight.

    Args:
        message: the message, with mark and checksum unless ``mark`` is None.
        more: how many bytes to add.
        mark: of the message.
    """
    _, metadata = _PREFIX.unpack_from(message)
    body, trailer = _PREFIX.size + metadata, _trailer_length(mark)
    plain = message[_PREFIX.size : body - trailer]
    head = _PREFIX.pack(_CONTINUATION, metadata - trailer + more)
    longer = b"".join([head, plain, bytes(more), message[body:]])
    return longer if mark is None else b"".join(checksummed(pa.py_buffer(longer), mark))


def is_as_written(message: memoryview, mark: bytes) -> bool:
    """Return whether a message has the mark and the checksum of its content."""
    try:
        _check(message, 0, mark, required=True)
    except LogError:
        return False
    return True


def is_unchanged(message: memoryview) -> bool:
    """Return whether a schema's message has the checksum of its content, or none: format 1."""
    try:
        _check(message, 0, SCHEMA_MARK, required=False)
    except LogError:
        return False
    return True


def _check(message: memoryview, offset: int, mark: bytes, *, required: bool) -> None:
    """Verify the checksum of a message.

    Raises:
        LogError: the checksum differs, or is missing although it is required.
    """
    body = _PREFIX.size + _PREFIX.unpack_from(message)[1]
    at = body - _trailer_length(mark)
    # As bytes: Arrow's memoryviews have signed items, which never equal `bytes` over 127.
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
    """Return the length of the message at ``at``; 0 if too few bytes, -1 if not a message."""
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
    """Raise unless the rest is zeros, which a power failure leaves of an unsynced write."""
    while offset < limit:
        chunk = os.pread(descriptor, _CHUNK, offset)
        if chunk.strip(b"\0"):
            raise LogError("expected an Arrow message, got something else", where=f"byte {offset}")
        if not chunk:
            return
        offset += len(chunk)
