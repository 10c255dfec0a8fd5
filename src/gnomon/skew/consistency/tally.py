"""The running state of a comparison: sums over all rows, and a sample of rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa

from gnomon.compare.comparators import compare
from gnomon.compare.comparison import Comparison
from gnomon.compare.units import UnitGroups, UnitKind, UnitShares, UnitTally
from gnomon.errors import PolicyError
from gnomon.offline.paired_rows import Pairs, RowSample, row_places, seconds, with_columns
from gnomon.policy import Rules
from gnomon.skew.consistency.divergence import DivergenceOverTime
from gnomon.skew.consistency.over_time import ColumnTimeSeries

__all__ = ["Tally"]

Mark = Literal["diverged", "flipped"]


@dataclass(slots=True)
class Tally:
    """Everything that a report needs from the rows read so far; memory grows only with entities.

    Raises:
        PolicyError: no column is judged.

    Attributes:
        judged: the rules of the columns that decide the verdict.
        others: the rules of the other compared columns.
        sample_rows: how many agreeing rows to keep, and how many diverging ones.
        has_entities: whether a unit of evidence is an entity; else it is a request.
        main: sums over the judged columns.
        side: sums over the other columns.
        exact: rows with every judged column bit-identical.
        time: rows and diverging rows by time.
        over_time: the consistency of every column by time.
        units: the rows of each unit, by whether they diverge and flip the decision.
    """

    judged: Rules
    others: Rules
    sample_rows: int
    has_entities: bool = False
    main: Comparison = field(default_factory=lambda: Comparison(keep=0))
    side: Comparison = field(default_factory=lambda: Comparison(keep=0))
    exact: int = 0
    time: DivergenceOverTime = field(default_factory=DivergenceOverTime)
    over_time: ColumnTimeSeries = field(default_factory=ColumnTimeSeries)
    units: UnitTally = field(init=False)
    agreeing: RowSample = field(init=False)
    diverging: RowSample = field(init=False)

    def __post_init__(self) -> None:
        if not self.judged.comparators:
            raise PolicyError(
                "the policy ignores every column that could be compared",
                hint='a column is ignored by kind = "ignore" under [skew] or [compare]',
            )
        self.units = UnitTally(("diverged", "flipped", "rows"), is_named=self.has_entities)
        self.agreeing = RowSample(self.sample_rows)
        self.diverging = RowSample(self.sample_rows)

    def add(self, pairs: Pairs) -> None:
        """Count rows and offer them to the sample."""
        if not pairs.num_rows:
            return
        compared = compare(pairs.left, pairs.right, self.judged)
        self.main.add(compared)
        compared_others = compare(pairs.left, pairs.right, self.others)
        self.side.add(compared_others)
        exact = np.ones(pairs.num_rows, dtype=bool)
        for column in compared.columns.values():
            exact &= column.exact
        self.exact += int(exact.sum())
        row_times = seconds(pairs.about.column("time"))
        self.time.add(row_times, ~compared.agreed, pairs.about.column("request_id"))
        self.units.add(
            pairs.about.column("unit"),
            {
                "diverged": pa.array(~compared.agreed),
                "flipped": pa.array(compared.flipped),
                "rows": pa.array(np.ones(pairs.num_rows, dtype=bool)),
            },
        )
        self.over_time.add(row_times, {**compared.columns, **compared_others.columns})
        decision_columns = pa.table(
            {"flipped": compared.flipped, "difference": compared.difference}
        )
        rows = Pairs(with_columns(pairs.about, decision_columns), pairs.left, pairs.right)
        places = row_places(pairs.about)
        for sample, mask in ((self.agreeing, compared.agreed), (self.diverging, ~compared.agreed)):
            chosen = np.flatnonzero(mask)
            if len(chosen):
                sample.add(places[chosen], rows.take(chosen) if len(chosen) < len(mask) else rows)

    def shares(self, mark: Mark) -> UnitShares | None:
        """Return the share of each unit's rows that have a mark; None if each has one row."""
        return self.units.totals().shares(mark, "rows", self._kind)

    def groups(self) -> UnitGroups:
        """Return the diverging rows of the units, as a gate needs them."""
        return self.units.totals().groups("diverged", "rows", self._kind)

    @property
    def _kind(self) -> UnitKind:
        return "entity" if self.has_entities else "request"
