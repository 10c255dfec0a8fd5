"""Rows of a shadow counted per unit of evidence: rows may repeat each other, units may not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from gnomon.compare.units import (
    UnitKind,
    UnitShares,
    UnitTally,
    UnitTotals,
    are_mixed,
    counted_units,
)
from gnomon.log import input_column
from gnomon.log.sampling import units_of
from gnomon.quantities import plural
from gnomon.rollout.evidence.new_entities import HALVES, NewEntities, recent_marks
from gnomon.rollout.evidence.row_blocks import MARKS, OrderedRows, RowOrder, marks_of
from gnomon.rollout.evidence.settling import FIRST_PART, SettledTally, Settling

__all__ = ["UnitCounter", "UnitCounts"]


class UnitCounts(NamedTuple):
    """The counts of each entity or request, and the rows in order if bursts are expected.

    Attributes:
        totals: by each of `MARKS`, how many such rows a unit has.
        kind: ``entity`` or ``request``.
        rows: in the order of arrival; None where bad rows are not expected in bursts.
        recent_seconds: the length of the window in which new entities are counted; None without.
        settled: of entities, the counts of the rows that count; None where all do.
        settling: the stage of the run, with ``settled``.
        requests: beside entities, the counts of each request; None where no request has rows of
            several entities.
    """

    totals: UnitTotals
    kind: UnitKind
    rows: OrderedRows | None = None
    recent_seconds: float | None = None
    settled: UnitTotals | None = None
    settling: Settling | None = None
    requests: UnitTotals | None = None

    @property
    def settles(self) -> datetime | None:
        """When what known entities did since the stage began will count; None if it does."""
        return self.settling.until if self.settling is not None and self._came_back else None

    @property
    def error_part(self) -> float:
        """Which part of the allowed error an interval may use.

        See :mod:`gnomon.rollout.evidence.settling`. Where no entity has come back there was nothing
        to settle: all stages are one.
        """
        if self.settling is None:
            return 1.0
        return self.settling.error_part if self._came_back else FIRST_PART

    @property
    def _came_back(self) -> bool:
        return bool((self.totals.counts["done"] > 1).any())

    def shares(self, bad: str, of: str) -> tuple[UnitShares, ...]:
        """Return the share of bad rows of each unit that has rows of the kind ``of``.

        First of the entities or requests, unless each has one row; of requests beside entities,
        where they have rows of several, because these were sent together; then of the blocks of
        rows. Empty where each row is a unit.
        """
        by_unit = self.totals.shares(bad, of, self.kind)
        if by_unit is not None and self.settled is not None:
            values = self.settled.values(bad, of)
            says = f"{counted_units(len(values), self.kind)}, {self.settling}"
            by_unit = by_unit._replace(values=values, says=says)
        found = [] if by_unit is None else [by_unit]
        by_request = None if self.requests is None else self.requests.shares(bad, of, "request")
        found += [] if by_request is None else [by_request]
        if self.rows is not None:
            blocks, length = self.rows.blocks(bad, of)
            says = f"{plural(len(blocks), 'block')} of {plural(length, 'row')}"
            found.append(UnitShares(blocks, "block", says, length))
        return tuple(found)

    @property
    def new_entities(self) -> NewEntities | None:
        """The entities that were new in the window; None if units are requests, which all are."""
        if self.kind != "entity" or self.recent_seconds is None:
            return None
        return NewEntities.of(self.totals.counts, self.totals.repeats, "done", self.recent_seconds)


class UnitCounter:
    """Counts the rows of each entity or request, over any number of batches, in any order.

    Args:
        entity_key: the features that name an entity; rows of a request with a null among them are
            one entity. Without features the rows of a request are a unit, because they are sent
            together; if they are in several batches, those of each.
        longest_burst: how many rows one after the other may be bad together, if any.
        window: the start and the end of the time in which new entities are counted, if they are.
        settling: the stage of a run at which many look; without one all rows of an entity count.
    """

    def __init__(
        self,
        entity_key: Sequence[str],
        longest_burst: int | None,
        window: tuple[datetime, datetime] | None = None,
        settling: Settling | None = None,
    ) -> None:
        self._columns = tuple(input_column(name) for name in entity_key)
        self._order = None if longest_burst is None else RowOrder(longest_burst)
        self._window = window if entity_key else None
        names = MARKS if self._window is None else (*MARKS, *HALVES)
        self._tally = UnitTally(names, is_named=bool(entity_key))
        self._requests = UnitTally(MARKS, is_named=False) if entity_key else None
        self._are_mixed = False
        self._settling = settling if entity_key else None
        self._settled = None
        if self._settling is not None:
            self._settled = SettledTally(MARKS, self._settling.before)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of a shadow's records."""
        marks = marks_of(batch)
        if self._order is not None:
            self._order.add(batch.column("arrived"), marks)
        units = units_of(batch, batch.column("request_id"), self._columns)
        recent = recent_marks(batch.column("arrived"), *self._window) if self._window else {}
        self._tally.add(units, {**marks, **recent})
        if self._requests is not None:
            self._requests.add(batch.column("request_id"), marks)
            self._are_mixed = self._are_mixed or are_mixed(batch.column("request_id"), units)
        if self._settled is not None:
            self._settled.add(units, batch.column("arrived"), marks)

    def counts(self) -> UnitCounts:
        """Return the counts so far."""
        rows = None if self._order is None else self._order.ordered()
        seconds = (self._window[1] - self._window[0]).total_seconds() if self._window else None
        kind: UnitKind = "entity" if self._columns else "request"
        settled = None if self._settled is None else self._settled.totals()
        requests = self._requests.totals() if self._requests and self._are_mixed else None
        return UnitCounts(
            self._tally.totals(), kind, rows, seconds, settled, self._settling, requests
        )
