"""Logged request bodies, read again with an artifact's contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract import Decoder
from gnomon.contract.decoding import Row
from gnomon.errors import InvalidRequest

__all__ = ["DecodedBodies", "begins", "decode"]


_PART_ROWS = 2_048
"""How many rows are Python objects at a time: few enough to stay in a processor's cache."""


@dataclass(frozen=True, slots=True)
class DecodedBodies:
    """The rows that an artifact's contract reads from bodies.

    Attributes:
        batch: the rows that the contract accepts, in its input schema.
        places: for each row of ``batch``, its position among the requested rows.
        refused: position and reason of the rows that the contract does not accept.
        unknown: fields that belong to no feature, at the position of a request's row 0.
    """

    batch: pa.RecordBatch
    places: npt.NDArray[np.int64]
    refused: dict[int, str]
    unknown: dict[int, tuple[str, ...]]


def decode(
    asked: pa.RecordBatch | pa.Table, bodies: Mapping[str, bytes | None], decoder: Decoder
) -> DecodedBodies:
    """Read rows again from the bodies of their requests.

    Args:
        asked: each row's ``request_id`` and its number in the request, ``row``; rows of one request
            follow each other.
        bodies: the bodies by request id.
        decoder: of the contract to read with.
    """
    first_of = begins(asked.column("request_id"))
    requests = asked.column("request_id").take(pa.array(first_of)).to_pylist()
    numbers = asked.column("row").to_pylist()
    accepted, parts, refused, unknown = list[Row](), list[pa.RecordBatch](), {}, {}
    stops = [*first_of[1:].tolist(), len(numbers)]
    for request, first, stop in zip(requests, first_of.tolist(), stops, strict=True):
        found, wanted = _read(bodies.get(request), decoder), numbers[first:stop]
        if wanted == [*range(len(found.rows))]:
            accepted += found.rows
        else:
            for place, row in enumerate(wanted, first):
                if reason := found.lacks(row):
                    refused[place] = reason
                else:
                    accepted.append(found.rows[row])
        if found.unknown and 0 in wanted:
            unknown[first + wanted.index(0)] = found.unknown
        if len(accepted) >= _PART_ROWS:
            parts.append(decoder.batch(accepted))
            accepted = []
    batch = pa.concat_batches([*parts, decoder.batch(accepted)])
    places = np.setdiff1d(np.arange(len(numbers)), [*refused], assume_unique=True)
    return DecodedBodies(batch, places, refused, unknown)


def begins(requests: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return the positions at which the rows of another request begin."""
    changes = pc.not_equal(requests[1:], requests[:-1])
    return np.flatnonzero(np.append(True, changes))[: len(requests)]


@dataclass(frozen=True, slots=True)
class _Body:
    rows: Sequence[Row] = ()
    unknown: tuple[str, ...] = ()
    error: str | None = None

    def lacks(self, row: int) -> str | None:
        """Return why the body has no such row; None if it has."""
        if self.error is None and row >= len(self.rows):
            return f"the body has {len(self.rows)} rows, no row {row}"
        return self.error


def _read(body: bytes | None, decoder: Decoder) -> _Body:
    if body is None:
        return _Body(error="the log does not contain its body")
    try:
        decoded = decoder.decode(body)
    except InvalidRequest as error:
        return _Body(error=str(error))
    return _Body(decoded.rows, decoded.unknown)
