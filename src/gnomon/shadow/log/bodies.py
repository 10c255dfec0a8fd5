"""Logged request bodies read again by an artifact's own contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.errors import InvalidRequest
from gnomon.preprocessing import Decoder
from gnomon.preprocessing.decoding import Row

__all__ = ["Decoded", "decode"]


_PART_ROWS = 2_048
"""Rows that are Python objects at a time: few enough to stay in a processor's cache."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Rows as an artifact's contract reads their bodies.

    Attributes:
        batch: the rows it accepts, in its input schema.
        places: for each row of ``batch``, its position among the rows asked for.
        refused: position and reason of the rows it does not accept.
        unknown: fields that no feature asks for, at the position of a request's row 0.
    """

    batch: pa.RecordBatch
    places: npt.NDArray[np.int64]
    refused: dict[int, str]
    unknown: dict[int, tuple[str, ...]]


def decode(
    requests: Iterable[str],
    rows: Iterable[int],
    bodies: Mapping[str, bytes | None],
    decoder: Decoder,
) -> Decoded:
    """Read rows again from the bodies of their requests.

    Args:
        requests: each row's request id; rows of one request follow each other.
        rows: each row's number in its request.
        bodies: by request id.
        decoder: of the contract to read by.
    """
    accepted, places, refused, unknown = [], [], {}, {}
    parts: list[pa.RecordBatch] = []
    before, found = None, _Body()
    for place, (request, row) in enumerate(zip(requests, rows, strict=True)):
        if request != before:
            before, found = request, _read(bodies.get(request), decoder)
        if found.error is not None:
            refused[place] = found.error
        elif row >= len(found.rows):
            refused[place] = f"the body has {len(found.rows)} rows, no row {row}"
        else:
            accepted.append(found.rows[row])
            places.append(place)
            if len(accepted) == _PART_ROWS:
                parts.append(decoder.batch(accepted))
                accepted = []
        if row == 0 and found.unknown:
            unknown[place] = found.unknown
    batch = pa.concat_batches([*parts, decoder.batch(accepted)])
    return Decoded(batch, np.array(places, dtype=np.int64), refused, unknown)


@dataclass(frozen=True, slots=True)
class _Body:
    rows: Sequence[Row] = ()
    unknown: tuple[str, ...] = ()
    error: str | None = None


def _read(body: bytes | None, decoder: Decoder) -> _Body:
    if body is None:
        return _Body(error="the log does not hold its body")
    try:
        decoded = decoder.decode(body)
    except InvalidRequest as error:
        return _Body(error=str(error))
    return _Body(decoded.rows, decoded.unknown)
