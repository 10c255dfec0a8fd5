"""The Arrow files of an artifact, golden rows and profile, read as tables.

Arrow trusts the lengths and sizes in the file. So messages are checked before they are read, and
values afterwards.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

from gnomon.artifact.folder import parsing
from gnomon.errors import ArtifactCorrupt

__all__ = ["read_table"]

MOST_ROWS = 1_000_000
"""The most golden rows or rows of a profile; packing writes 64 golden rows, and a profile row per
column."""

MOST_COLUMNS = 200_000

MOST_DECODED_BYTES = 2**30
"""The most bytes of a dictionary column if every row had its longest value."""

_MAGIC = b"ARROW1\0\0"
_BODY_COMPRESSION = 3
"""The field of a ``RecordBatch``, in Arrow's ``Message.fbs``, that says how it is compressed."""


def read_table(content: bytes, where: str) -> pa.Table:
    """Read the table in an Arrow file.

    The messages are read one after the other, as in a stream; the index at the file's end, which
    could point elsewhere, is not used.

    Raises:
        ArtifactCorrupt: it is not such a file, is compressed, or its values do not fit its lengths.
    """
    with parsing("the Arrow file", where):
        if not content.startswith(_MAGIC):
            raise ArtifactCorrupt("expected an Arrow file", where=where)
        stream = pa.py_buffer(content).slice(len(_MAGIC))
        for message in _messages(stream):
            _check_message(message, where)
        with pa.ipc.open_stream(stream) as reader:
            if len(reader.schema) > MOST_COLUMNS:
                raise ArtifactCorrupt(f"more than {MOST_COLUMNS:,} columns", where=where)
            for field in reader.schema:
                _check_type(field.type, field.name, where)
            table = reader.read_all()
        if table.num_rows > MOST_ROWS:
            raise ArtifactCorrupt(
                f"expected at most {MOST_ROWS:,} rows, got {table.num_rows:,}", where=where
            )
        table.validate(full=True)
        for name, column in zip(table.column_names, table.columns, strict=True):
            _check_dictionary(column, name, where)
        return table


def _messages(stream: pa.Buffer) -> Iterator[pa.Message]:
    reader = pa.ipc.MessageReader.open_stream(stream)
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _check_message(message: pa.Message, where: str) -> None:
    batches = {"record batch": 0, "dictionary": 1}
    if message.type not in batches and message.type != "schema":
        raise ArtifactCorrupt(f"expected a table, got a {message.type}", where=where)
    nested = batches.get(message.type)
    if nested is not None and _is_compressed(message.metadata.to_pybytes(), nested == 1):
        raise ArtifactCorrupt(
            "expected plain columns, got compressed ones, which may unpack to any size",
            where=where,
        )


def _check_type(kind: pa.DataType, name: str, where: str, nested: bool = False) -> None:
    """Refuse types whose columns may have more values than the file has bytes.

    A nested column of only nulls, and a structure without fields, has no bytes at all.
    """
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    inner: list[pa.DataType] = []
    if types.is_list(kind) or types.is_large_list(kind) or types.is_dictionary(kind):
        inner = [kind.value_type]
    elif types.is_struct(kind) and kind.num_fields:
        inner = [kind.field(i).type for i in range(kind.num_fields)]
    elif not (
        (types.is_null(kind) and not nested)
        or types.is_primitive(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
        or kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
    ):
        raise ArtifactCorrupt(f"column `{name}` cannot be of type {kind}", where=where)
    for each in inner:
        _check_type(each, name, where, nested=True)


def _check_dictionary(column: pa.ChunkedArray, name: str, where: str) -> None:
    """Limit a dictionary column: a row may be one byte, but its value as long as the file."""
    if not pa.types.is_dictionary(column.type):
        return
    longest = max((chunk.dictionary.nbytes for chunk in column.chunks), default=0)
    if longest * len(column) > MOST_DECODED_BYTES:
        raise ArtifactCorrupt(f"column `{name}` could take too much memory", where=where)


def _is_compressed(message: bytes, is_dictionary: bool) -> bool:
    """Return whether the buffers of a batch are compressed.

    A message is a flatbuffer: a table whose vtable has the offset of each field, 0 for a missing
    one. Field 2 of ``Message`` is the header: the ``RecordBatch``, or the ``DictionaryBatch``,
    whose field 1 is a ``RecordBatch``.
    """
    batch = _table(message, _unsigned(message, 0), 2)
    if is_dictionary:
        batch = _table(message, batch, 1)
    return _field(message, batch, _BODY_COMPRESSION) != 0


def _table(message: bytes, table: int, number: int) -> int:
    place = _field(message, table, number)
    if place == 0:
        raise ValueError("a message without a header")
    return place + _unsigned(message, place)


def _field(message: bytes, table: int, number: int) -> int:
    (back,) = struct.unpack_from("<i", message, table)
    vtable = table - back
    (size,) = struct.unpack_from("<H", message, vtable)
    place = 4 + 2 * number
    if place + 2 > size:
        return 0
    (offset,) = struct.unpack_from("<H", message, vtable + place)
    return table + offset if offset else 0


def _unsigned(message: bytes, place: int) -> int:
    value: int
    (value,) = struct.unpack_from("<I", message, place)
    return value
