"""Records as JSON: which can be sent, and how values of numpy and pandas are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from gnomon.errors import InvalidRequest
from gnomon.service.client.rows import Record, scalar

__all__ = ["checked", "encode"]


def checked(record: Any, where: str) -> Record:
    """Return a record if it can be sent.

    JSON has no infinity and no bytes: they would arrive as null and as text in base64, without an
    error.

    Raises:
        InvalidRequest: it is not a record, or has an infinite number or bytes.
    """
    if not isinstance(record, Mapping):
        raise InvalidRequest(
            f"expected a record, got {type(record).__name__}",
            where=where,
            hint='give a dict of the features by name; texts as [{"text": text} for text in texts]',
        )
    for name, value in record.items():
        if value is None or isinstance(value, str | int):
            continue
        number = value.item() if getattr(value, "ndim", None) == 0 else value  # numpy's float32
        if isinstance(number, float) and math.isinf(number):
            raise InvalidRequest(
                f"expected a number JSON can hold, got {value}", where=f"{where}.{name}"
            )
        if isinstance(value, bytes | bytearray | memoryview):
            raise InvalidRequest(
                f"expected text, got {type(value).__name__}",
                where=f"{where}.{name}",
                hint='decode it: value.decode("utf-8")',
            )
    return record


def encode(content: Any) -> bytes:
    """Encode content as JSON.

    Raises:
        InvalidRequest: a value cannot be encoded.
    """
    try:
        return msgspec.json.encode(content, enc_hook=_plain)
    except TypeError as error:
        raise InvalidRequest(str(error), where="$") from None


def _plain(value: Any) -> Any:
    """Convert the values of numpy and pandas in a record."""
    if scalar(value) is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if getattr(value, "ndim", 0) > 0 and hasattr(value, "tolist"):
        if value.dtype.kind == "f" and not all(map(math.isfinite, value.ravel().tolist())):
            raise TypeError("expected an array of numbers that JSON can hold, got NaN or infinity")
        return value.tolist()
    if type(value).__name__ == "Interval":
        from gnomon.contract.interval_categories import interval_text

        return interval_text(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"expected a number, text, boolean, time or None, got {type(value).__name__}")
