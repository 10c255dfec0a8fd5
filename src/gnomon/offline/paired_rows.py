"""Rows with both sides of a comparison, and a bounded sample of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.bottom_k import BottomK
from gnomon.contract import Contract
from gnomon.log.bodies import begins
from gnomon.log.sampling import hash_to_unit_interval, units_of
from gnomon.offline.logged import Rows

__all__ = [
    "Pairs",
    "RowSample",
    "about",
    "one_piece",
    "row_ids",
    "row_places",
    "seconds",
    "with_columns",
]

Floats = npt.NDArray[np.float64]

_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows with both sides of a comparison, as three tables with the same number of rows.

    Attributes:
        about: ``request_id``, ``row``, ``arrived``, ``client_id``, ``time`` (event time, or
            arrival where there is none), ``unit`` (the entity, or the request where there is none)
            and ``key_<name>``.
        left: features and outputs on the left.
        right: the columns that the right side has.
    """

    about: pa.Table
    left: pa.Table
    right: pa.Table

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return int(self.about.num_rows)

    def take(self, places: npt.NDArray[np.int64]) -> Pairs:
        """Return some of the rows, in the given order."""
        return Pairs(*(t.take(pa.array(places)) for t in (self.about, self.left, self.right)))

    @classmethod
    def concat(cls, parts: Sequence[Pairs]) -> Pairs:
        """Join several parts into one."""
        about, left, right = (
            # A column may have only nulls, or only whole numbers, in one part and not in another.
            pa.concat_tables(tables, promote_options="permissive").combine_chunks()
            for tables in zip(*((p.about, p.left, p.right) for p in parts), strict=True)
        )
        return cls(about, left, right)


class RowSample:
    """At most ``size`` rows, those with the smallest hashes of their ids.

    So the same rows give the same sample in any order and any batches.
    """

    def __init__(self, size: int) -> None:
        self._sample = BottomK[Pairs](size, Pairs.take, Pairs.concat)

    @property
    def seen(self) -> int:
        """How many rows were offered."""
        return self._sample.seen

    def add(self, places: Floats, pairs: Pairs) -> None:
        """Offer rows, each with its hash (place) in [0, 1)."""
        self._sample.offer(places, pairs)

    def pairs(self) -> Pairs | None:
        """Return the rows kept, ordered by place; None when none were offered."""
        return self._sample.kept()


def about(rows: Rows, contract: Contract, keys: pa.Table) -> pa.Table:
    """Build :attr:`Pairs.about` for logged rows, with ``keys`` as their key columns."""
    event_time = contract.event_time
    time = rows.envelope.column("arrived")
    if event_time:
        time = pc.coalesce(rows.inputs.column(event_time), time)
    key_columns = keys.rename_columns([f"key_{name}" for name in keys.column_names])
    envelope = rows.envelope.select(["request_id", "row", "arrived", "client_id"])
    units = units_of(rows.inputs, envelope.column("request_id"), contract.entity_key)
    facts = envelope.append_column("time", time).append_column("unit", units)
    return with_columns(facts, key_columns)


def one_piece(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def with_columns(table: pa.Table, more: pa.Table) -> pa.Table:
    """Return a table with the columns of another one appended."""
    return pa.table(
        [*table.columns, *more.columns], names=[*table.column_names, *more.column_names]
    )


def row_ids(about: pa.Table) -> list[str]:
    """Return the id of each row, ``<request id>/<row>``."""
    ids: list[str] = pc.binary_join_element_wise(
        about.column("request_id"), about.column("row").cast(pa.string()), "/"
    ).to_pylist()
    return ids


def row_places(about: pa.Table) -> Floats:
    """Return a place in [0, 1) for each row, which depends only on its id; see :class:`RowSample`.

    It is the hash of the request plus the row number times the golden ratio, modulo 1. These
    multiples are evenly spread (Knuth, The Art of Computer Programming 3, 6.4, theorem S).
    """
    first = begins(about.column("request_id"))
    requests = hash_to_unit_interval(about.column("request_id").take(pa.array(first)).to_pylist())
    repeated = np.repeat(requests, np.diff(np.append(first, about.num_rows)))
    places: Floats = (repeated + about.column("row").to_numpy() * _GOLDEN) % 1.0
    return places


def seconds(times: pa.ChunkedArray) -> Floats:
    """Convert timestamps to seconds since 1970; null becomes NaN."""
    micros = pc.cast(times.cast(pa.timestamp("us", tz="UTC")), pa.int64())
    numbers: Floats = micros.to_numpy().astype(np.float64) / 1e6
    return numbers
