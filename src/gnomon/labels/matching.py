"""The logged row that each label is about, or the reason that there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract.contract import Contract
from gnomon.labels.entity_text import entity_texts, name_text
from gnomon.labels.key_finder import KeyFinder, row_key
from gnomon.labels.label_schema import instant
from gnomon.labels.last_request import LastRequests, micros
from gnomon.log import Snapshot, input_column
from gnomon.log.request_ids import arrival

__all__ = ["ROW", "Matches", "Reason", "match"]

Reason = Literal["not_logged", "older_than_log", "not_answered", "ambiguous"]
"""Why a label has no row: the log has no such row; the label is of a time before the log's first
row; the row was rejected, failed, timed out or shed; or more than one row answers to it."""

ROW = ["request_id", "row", "arrived", "outcome", "artifact"]
"""The columns of every matched row."""

Keys = Callable[[pa.RecordBatch], pa.Array]


@dataclass(frozen=True, slots=True)
class Matches:
    """What the records of labels are about.

    Attributes:
        rows: the live rows that some record is about, each once.
        places: for each record its row in ``rows``; -1 if it has none.
        reasons: for each record the :data:`Reason` that it has no row; None if it has.
    """

    rows: pa.Table
    places: npt.NDArray[np.int64]
    reasons: npt.NDArray[np.object_]

    def between(self, start: datetime | None, end: datetime | None) -> Matches:
        """Return those about rows of a range; what is about another row is ``not_logged``."""
        arrived = micros(self.rows.column("arrived"))
        kept = np.ones(len(arrived), dtype=bool)
        if start is not None:
            kept &= arrived >= pa.scalar(start, instant).value
        if end is not None:
            kept &= arrived < pa.scalar(end, instant).value
        numbers = np.where(kept, np.cumsum(kept) - 1, -1)
        places = np.append(numbers, -1)[self.places]  # The last is where place -1 leads.
        reasons = self.reasons.copy()
        reasons[(self.places >= 0) & (places < 0)] = "not_logged"
        return Matches(self.rows.filter(pa.array(kept)), places, reasons)


class _Way(Protocol):
    """One way to name a row. Each record has a *place* among what is searched for."""

    def see(self, batch: pa.RecordBatch) -> None:
        """Look at a batch of live rows."""

    def found(self) -> tuple[list[pa.RecordBatch], npt.NDArray[np.int64], npt.NDArray[np.object_]]:
        """Return batches of rows; for each record its row in them; and the reason for none."""


def match(
    records: pa.Table,
    log: Snapshot,
    contract: Contract,
    *,
    within: timedelta,
    columns: Sequence[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
) -> Matches:
    """Read the live rows of the log once, and find the row that each record is about.

    A range leaves the rows outside it out of the result, but does not change which row a record is
    about: the rows that could be meant instead are read too.

    Args:
        records: stored labels.
        log: the log.
        contract: has the entity key and the event time.
        within: how long before a label's time the request of its entity may have arrived, if the
            contract has no event time.
        columns: columns of the log to keep of each matched row, after :data:`ROW`.
        start: only rows that arrived from this time on; UTC if it has no zone.
        end: only rows that arrived before this time. Of those that share a key with another row,
            one that arrived later than ``within`` after it is not looked at.
    """
    kept = [*ROW, *(name for name in columns if name not in ROW)]
    search = _Search(records, log, contract, within, kept)
    span = _Oldest()
    scan = log.scan(
        columns=search.columns,
        role="live",
        start=None if search.by_key else start,
        end=None if end is None else end + within,
    )
    for batch in scan:
        span.see(batch, search.event_time)
        search.see(batch)
    return search.matches(span).between(start, end)


@dataclass(slots=True)
class _Oldest:
    """The earliest times among the rows that were read.

    Attributes:
        arrived: the first arrival.
        event_time: the first event time; None if the rows have none.
    """

    arrived: datetime | None = None
    event_time: datetime | None = None

    def see(self, batch: pa.RecordBatch, event_time: str | None) -> None:
        """Look at a batch, of which a column may hold event times."""
        self.arrived = _earlier(self.arrived, batch.column("arrived"))
        if event_time is not None:
            self.event_time = _earlier(self.event_time, pc.cast(batch.column(event_time), instant))


def _earlier(known: datetime | None, times: pa.Array) -> datetime | None:
    first = pc.min(times).as_py()
    return min((time for time in (known, first) if time is not None), default=None)


class _Search:
    """The records by the way in which they name their row."""

    def __init__(
        self,
        records: pa.Table,
        log: Snapshot,
        contract: Contract,
        within: timedelta,
        kept: Sequence[str],
    ) -> None:
        self._records = records
        self._kept_schema = log.view.pick(kept)
        direct = _where(pc.is_valid(records.column("request_id")))
        by_entity = _where(pc.equal(records.column("entity_key"), name_text(contract.entity_key)))
        self._ways: list[tuple[npt.NDArray[np.int64], _Way]] = []
        self.columns = list(kept)
        self.event_time: str | None = None
        if len(direct):
            ids = records.select(["request_id", "row"]).take(pa.array(direct))
            keys = row_key(ids.column("request_id"), ids.column("row"))
            self._add(direct, _ByKey(keys, _key_of("request_id"), kept))
            self._add(direct, _ByKey(keys, _key_of("client_id"), kept), ["client_id"])
        kinds = {
            name: contract.feature(name).arrow.type
            for name in (*contract.entity_key, *filter(None, [contract.event_time]))
        }
        typed = {name: log.view.exact(input_column(name), kind) for name, kind in kinds.items()}
        if len(by_entity) and all(log.view.holds(typed[name], kinds[name]) for name in kinds):
            self.event_time = typed.get(contract.event_time or "")
            labels = records.select(["entity", "event_time"]).take(pa.array(by_entity))
            self._add(
                by_entity, _by_entity(labels, contract, typed, within, kept), list(typed.values())
            )

    def _add(self, records: npt.NDArray[np.int64], way: _Way, columns: Sequence[str] = ()) -> None:
        self._ways.append((records, way))
        self.columns += [name for name in columns if name not in self.columns]

    @property
    def by_key(self) -> bool:
        """Whether some records name their row by a key, which any earlier row may have too."""
        return any(isinstance(way, _ByKey) for _, way in self._ways)

    def see(self, batch: pa.RecordBatch) -> None:
        for _, way in self._ways:
            way.see(batch)

    def matches(self, oldest: _Oldest) -> Matches:
        count = self._records.num_rows
        places = np.full(count, -1)
        reasons = np.full(count, "not_logged", dtype=object)
        batches: list[pa.RecordBatch] = []
        size = 0
        for records, way in self._ways:
            found, rows, why = way.found()
            # An earlier way takes precedence, unless it found nothing.
            open_ = reasons[records] == "not_logged"
            places[records[open_]] = np.where(rows[open_] < 0, -1, rows[open_] + size)
            reasons[records[open_]] = why[open_]
            batches += found
            size += sum(batch.num_rows for batch in found)
        table = pa.Table.from_batches(batches, self._kept_schema).combine_chunks()
        rows, places = _each_once(table, places)
        missing = np.flatnonzero(reasons == "not_logged")
        older = _are_older(self._records.take(pa.array(missing)), oldest)
        reasons[missing[older]] = "older_than_log"
        return Matches(rows, places, reasons)


def _by_entity(
    labels: pa.Table,
    contract: Contract,
    typed: dict[str, str],
    within: timedelta,
    kept: Sequence[str],
) -> _Way:
    """Return the way that the contract allows: an exact event time, or the last request."""

    def entity(batch: pa.RecordBatch) -> pa.Array:
        types = {name: contract.feature(name).arrow.type for name in contract.entity_key}
        return entity_texts(
            [batch.column(typed[name]).cast(kind, safe=False) for name, kind in types.items()]
        )

    if contract.event_time is None:
        return _ByLastRequest(labels, entity, within, kept)
    column = typed[contract.event_time]

    def key(batch: pa.RecordBatch) -> pa.Array:
        return _timed(entity(batch), batch.column(column))

    return _ByKey(_timed(labels.column("entity"), labels.column("event_time")), key, kept)


class _ByKey:
    """Rows by a key that only one answered row should have."""

    def __init__(self, keys: pa.ChunkedArray, key_of: Keys, kept: Sequence[str]) -> None:
        self._finder = KeyFinder(keys)
        self._places = self._finder.places(keys)
        self._key_of = key_of
        self._kept = kept
        self._seen = np.zeros(len(self._finder.keys), dtype=bool)
        self._answered = np.zeros(len(self._finder.keys), np.int64)
        self._rows: list[pa.RecordBatch] = []
        self._places_of_rows: list[npt.NDArray[np.int64]] = []

    def see(self, batch: pa.RecordBatch) -> None:
        positions, found = self._finder.find(self._key_of(batch))
        if not len(positions):
            return
        places = np.asarray(found)
        self._seen[places] = True
        answered = np.asarray(pc.equal(batch.column("outcome").take(positions), "answered"))
        fresh, first = np.unique(places[answered], return_index=True)
        first, fresh = first[self._answered[fresh] == 0], fresh[self._answered[fresh] == 0]
        np.add.at(self._answered, places[answered], 1)
        if len(fresh):  # One row of a key is enough: with a second it is ambiguous.
            chosen = np.asarray(positions)[answered][first]
            self._rows.append(batch.select(self._kept).take(pa.array(chosen)))
            self._places_of_rows.append(fresh)

    def found(self) -> tuple[list[pa.RecordBatch], npt.NDArray[np.int64], npt.NDArray[np.object_]]:
        rows = np.full(len(self._seen), -1)
        with_row = np.concatenate([np.zeros(0, np.int64), *self._places_of_rows])
        rows[with_row] = np.arange(len(with_row))
        reasons = np.full(len(rows), "not_logged", dtype=object)
        reasons[self._seen] = "not_answered"
        reasons[self._answered == 1] = None
        reasons[self._answered > 1] = "ambiguous"
        rows[self._answered != 1] = -1
        return self._rows, rows[self._places], reasons[self._places]


class _ByLastRequest:
    """Rows by entity, the last at or before a time."""

    def __init__(
        self, labels: pa.Table, entity_of: Keys, within: timedelta, kept: Sequence[str]
    ) -> None:
        self._finder = KeyFinder(labels.column("entity"))
        self._last = LastRequests(
            self._finder.places(labels.column("entity")),
            micros(labels.column("event_time")),
            within // timedelta(microseconds=1),
        )
        self._entity_of = entity_of
        self._kept = kept
        self._rows: pa.Table | None = None
        self._numbers = np.zeros(0, np.int64)
        self._next = 0

    def see(self, batch: pa.RecordBatch) -> None:
        batch = batch.filter(pc.equal(batch.column("outcome"), "answered"))
        positions, entities = self._finder.find(self._entity_of(batch))
        if not len(positions):
            return
        rows = batch.select(self._kept).take(positions)
        numbers = np.arange(self._next, self._next + rows.num_rows)
        self._next += rows.num_rows
        self._last.see(np.asarray(entities), micros(rows.column("arrived")), numbers)
        parts = [pa.Table.from_batches([rows])]
        if self._rows is not None:
            parts.insert(0, self._rows)
        numbers = np.concatenate([self._numbers, numbers])
        used = np.isin(numbers, self._last.row)
        self._rows = pa.concat_tables(parts).filter(pa.array(used))
        self._numbers = numbers[used]

    def found(self) -> tuple[list[pa.RecordBatch], npt.NDArray[np.int64], npt.NDArray[np.object_]]:
        rows = np.searchsorted(self._numbers, self._last.row)
        rows[(self._last.row < 0) | (self._last.ties > 1)] = -1
        reasons = np.full(len(rows), None, dtype=object)
        reasons[self._last.row < 0] = "not_logged"
        reasons[self._last.ties > 1] = "ambiguous"
        batches = [] if self._rows is None else self._rows.combine_chunks().to_batches()
        return batches, rows, reasons


def _where(mask: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return where a mask is true. Arrow's own function crashes on one without chunks."""
    return np.flatnonzero(np.asarray(pc.fill_null(mask, False)))


def _each_once(
    table: pa.Table, places: npt.NDArray[np.int64]
) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """Drop rows that no record is about, and rows that were found in two ways."""
    keys = row_key(table.column("request_id"), table.column("row"))
    finder = KeyFinder(keys.take(pa.array(np.unique(places[places >= 0]))))
    of_rows = finder.places(keys)
    chosen = np.full(len(finder.keys), -1)
    chosen[of_rows[of_rows >= 0][::-1]] = np.flatnonzero(of_rows >= 0)[::-1]
    moved = np.append(of_rows, -1)[places]  # The last is where place -1 leads.
    return table.take(pa.array(chosen)), moved


def _are_older(records: pa.Table, oldest: _Oldest) -> npt.NDArray[np.bool_]:
    """Return which records are about a time before the log's first row.

    An event time is compared with event times where the log has them: an event may be long before
    its request arrives.
    """
    event_times, arrivals = records.column("event_time"), _arrivals(records.column("request_id"))
    event = pc.less(event_times, pa.scalar(oldest.event_time or oldest.arrived, instant))
    arrival = pc.less(arrivals, pa.scalar(oldest.arrived, instant))
    return np.asarray(pc.fill_null(pc.coalesce(event, arrival), False))


def _arrivals(request_ids: pa.ChunkedArray) -> pa.Array:
    return pa.array(
        (None if one is None else arrival(one) for one in _iterate(request_ids)), instant
    )


def _iterate(texts: pa.ChunkedArray) -> Iterator[str | None]:
    for chunk in texts.chunks:
        yield from chunk.to_pylist()


def _key_of(column: str) -> Keys:
    return lambda batch: row_key(batch.column(column), batch.column("row"))


def _timed(entities: pa.Array, times: pa.Array) -> pa.Array:
    """Return the key of an entity at a time."""
    stamps = pc.cast(pc.cast(times, instant).cast(pa.int64()), pa.string())
    return pc.binary_join_element_wise(entities, stamps, "@")
