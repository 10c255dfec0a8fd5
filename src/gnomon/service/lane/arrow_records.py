"""The rows of an Arrow batch as the JSON records that a client could have sent instead.

They are decoded by the contract like any JSON record, so the log, the shadows and a replay get
ordinary requests, and an Arrow column is accepted exactly if its values are accepted as JSON.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract.json_values import key_path
from gnomon.errors import InvalidRequest, MalformedBody

__all__ = ["UnsentRecord", "arrow_lines"]

_encode = msgspec.json.Encoder(decimal_format="string").encode


class UnsentRecord(NamedTuple):
    """A row that JSON cannot represent, with the part of it that JSON can represent."""

    record: bytes
    error: InvalidRequest


def arrow_lines(stream: bytes) -> list[bytes | UnsentRecord]:
    """Return the rows of a stream of one batch.

    Raises:
        MalformedBody: ``stream`` is not such a stream, or is damaged.
        InvalidRequest: JSON cannot represent the type of a column.
    """
    try:
        with pa.ipc.open_stream(stream) as reader:
            batch = reader.read_next_batch()
        batch.validate(full=True)  # The offsets in a forged batch may point anywhere.
    # TypeError: a type of pandas in a dictionary, such as categories that are intervals.
    except (pa.ArrowException, OSError, StopIteration, ValueError, EOFError, TypeError) as error:
        raise MalformedBody(
            f"the body is not an Arrow IPC stream: {str(error)[:200]}", where="the body"
        ) from None
    names = batch.schema.names
    if len(set(names)) < len(names):
        raise InvalidRequest(f"expected columns of different names, got {', '.join(names)[:200]}")
    columns = [_plain(batch.column(place), name) for place, name in enumerate(names)]
    records = [
        dict(zip(names, row, strict=True))
        for row in zip(*(column.to_pylist() for column in columns), strict=True)
    ] or [{}] * batch.num_rows
    lines: list[bytes | UnsentRecord] = [_encode(record) for record in records]
    for name, column in zip(names, columns, strict=True):
        for place in _infinite(column):
            lines[place] = UnsentRecord(
                _encode(records[place]),
                InvalidRequest(
                    f"expected a number JSON can hold, got {records[place][name]}"[:200],
                    where="$" + key_path(name),
                ),
            )
    return lines


def _plain(column: pa.Array, name: str) -> pa.Array:
    """Return a column as one whose values JSON can represent."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        try:
            return column.cast(pa.timestamp("us", kind.tz))
        except pa.ArrowInvalid:
            raise InvalidRequest(
                "expected timestamps of microseconds, got nanoseconds",
                where="$" + key_path(name),
                hint="round the column to microseconds",
            ) from None
    if not _has_json(kind):
        raise InvalidRequest(
            f"expected a column type that JSON can represent, got {kind}",
            where="$" + key_path(name),
            hint="numbers, text, booleans, timestamps, dates, decimals and lists of these can "
            "be sent",
        )
    return column


def _has_json(kind: pa.DataType) -> bool:
    is_a = pa.types
    if is_a.is_list(kind) or is_a.is_large_list(kind) or is_a.is_fixed_size_list(kind):
        return _has_json(kind.value_type) and not is_a.is_timestamp(kind.value_type)
    predicates = (
        *(is_a.is_null, is_a.is_boolean, is_a.is_integer, is_a.is_floating, is_a.is_decimal),
        *(is_a.is_string, is_a.is_large_string, is_a.is_string_view),
        *(is_a.is_timestamp, is_a.is_date),
    )
    return any(predicate(kind) for predicate in predicates)


def _infinite(column: pa.Array) -> list[int]:
    """Return the row numbers of infinite values: JSON lacks infinity; it would become null."""
    if pa.types.is_floating(column.type):
        if pa.types.is_float16(column.type):
            column = column.cast(pa.float32())
        places: list[int] = pc.indices_nonzero(pc.is_inf(column)).to_pylist()
        return places
    if hasattr(column.type, "value_type"):
        return [place for place, value in enumerate(column.to_pylist()) if _holds_infinity(value)]
    return []


def _holds_infinity(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_holds_infinity, value))
    return isinstance(value, float) and math.isinf(value)
