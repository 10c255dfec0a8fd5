"""The messages in clients' Arrow IPC streams: where each ends, and its kind.

The format is that of :mod:`gnomon.log.segments.ipc_messages`. A client's bytes are only split
here; a separate process decodes them, from streams of one batch.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from gnomon.errors import BodyTooLarge, MalformedBody
from gnomon.log.segments.ipc_messages import message_length

__all__ = ["END", "BatchMessage", "ClientMessages"]

END = b"\xff\xff\xff\xff\0\0\0\0"
"""The end of a stream."""

_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_PREFIX_BYTES = 8
_U8, _U16, _U32, _I32, _I64 = (struct.Struct(f"<{kind}") for kind in "BHIiq")


class BatchMessage(NamedTuple):
    """One record batch as a complete stream: the schema, the dictionaries so far and the batch."""

    stream: bytes
    rows: int


class ClientMessages:
    """Splits a stream, as it arrives, into its record batches.

    Args:
        most_bytes: the size limit of one message, and of all dictionaries together.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._received = bytearray()
        self._schema = b""
        self._dictionaries: list[tuple[int, bytes]] = []
        self._ended = False

    @property
    def size(self) -> int:
        """Bytes held in memory."""
        dictionary_bytes = sum(len(message) for _, message in self._dictionaries)
        return len(self._received) + len(self._schema) + dictionary_bytes

    def feed(self, data: bytes) -> None:
        """Add received bytes of the stream."""
        self._received += data

    def take(self) -> BatchMessage | None:
        """Return the next batch; None if it has not arrived completely.

        Raises:
            MalformedBody: this is not an Arrow stream, or its batches are compressed.
            BodyTooLarge: a message, or all dictionaries together, exceed the limit.
        """
        while (message := self._next()) is not None:
            kind, header = _header(message)
            if kind == _SCHEMA and not self._schema:
                self._schema = message
            elif kind == _DICTIONARY and self._schema:
                self._keep_dictionary(message, header)
            elif kind == _BATCH and self._schema:
                _refuse_compression(message, header)
                parts = [
                    self._schema,
                    *(dictionary for _, dictionary in self._dictionaries),
                    message,
                    END,
                ]
                return BatchMessage(b"".join(parts), _integer(message, header, 0))
            else:
                raise _malformed(f"unexpected message of kind {kind}")
        return None

    def end(self) -> None:
        """Check that the stream may end here.

        Raises:
            MalformedBody: it ends in the middle of a message, or is empty.
        """
        if self._received or not self._schema:
            raise _malformed("it is incomplete" if self._received else "it is empty")

    def _next(self) -> bytes | None:
        if self._received[: len(END)] == END:
            del self._received[: len(END)]
            self._ended = True
        if self._ended:
            if self._received:
                raise _malformed("there are bytes after its end")
            return None
        with memoryview(self._received) as view:
            length = message_length(view, 0)
        if length < 0:
            raise _malformed("expected the start of a message", hint=True)
        if length > self._most:
            raise _too_large(length, self._most)
        if not 0 < length <= len(self._received):
            return None
        with memoryview(self._received) as view:
            message = bytes(view[:length])
        del self._received[:length]
        return message

    def _keep_dictionary(self, message: bytes, header: int) -> None:
        number = _integer(message, header, 0)
        data, is_delta = _field(message, header, 1), _field(message, header, 2)
        if data:
            _refuse_compression(message, data + _unpack(_U32, message, data))
        if not (is_delta and _unpack(_U8, message, is_delta)):
            self._dictionaries = [entry for entry in self._dictionaries if entry[0] != number]
        self._dictionaries.append((number, message))
        if sum(len(dictionary) for _, dictionary in self._dictionaries) > self._most:
            raise _too_large(self.size, self._most)


def _header(message: bytes) -> tuple[int, int]:
    """Return the kind of a message, and the position of the table with its header."""
    table = _PREFIX_BYTES + _unpack(_U32, message, _PREFIX_BYTES)
    kind, header = _field(message, table, 1), _field(message, table, 2)
    if not kind or not header:
        raise _malformed("a message without a header")
    return _unpack(_U8, message, kind), header + _unpack(_U32, message, header)


def _integer(message: bytes, table: int, slot: int) -> int:
    place = _field(message, table, slot)
    return _unpack(_I64, message, place) if place else 0


def _refuse_compression(message: bytes, batch: int) -> None:
    """Raise if a batch is compressed: its decompressed size is known only while it is decoded."""
    if _field(message, batch, 3):
        raise MalformedBody(
            "expected an Arrow stream of plain batches, got compressed ones",
            where="the body",
            hint="write it without IpcWriteOptions(compression=…)",
        )


def _field(message: bytes, table: int, slot: int) -> int:
    """Return the position of a field of a flatbuffer's table; 0 if the table lacks it."""
    vtable = table - _unpack(_I32, message, table)
    if 4 + 2 * slot >= _unpack(_U16, message, vtable):
        return 0
    offset = _unpack(_U16, message, vtable + 4 + 2 * slot)
    return table + offset if offset else 0


def _unpack(kind: struct.Struct, message: bytes, place: int) -> int:
    try:
        if place < 0:
            raise struct.error
        value: int = kind.unpack_from(message, place)[0]
    except struct.error:
        raise _malformed("an offset in a message points outside the message") from None
    return value


def _malformed(detail: str, *, hint: bool = False) -> MalformedBody:
    return MalformedBody(
        f"the body is not an Arrow IPC stream: {detail}",
        where="the body",
        hint="write it with pyarrow.ipc.new_stream; a file of new_file is another format"
        if hint
        else None,
    )


def _too_large(length: int, most: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"expected messages of at most {most:,} bytes, got {length:,}",
        where="the body",
        hint="write smaller batches, such as table.to_batches(max_chunksize=2048), "
        "or raise GNOMON_BODY_BYTES",
    )
