"""Runs of a stream, and what each way of deciding made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.gates.streams import LOOK_EVERY, ROWS, Rows, Stream
from benchmarks.gates.verdicts import (
    CONFIDENCE,
    LIMIT,
    Verdicts,
    by_peeking,
    by_rows,
    by_units,
    fixed_sample_counts,
)

__all__ = ["RATES", "Outcome", "fixed_sample_rows", "simulate"]

RATES = (0.01, 0.03, 0.05, 0.08, 0.10)
RUNS_AT_ONCE = 200
SEED = 20_000


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of deciding made of all runs of a stream at one rate.

    Attributes:
        stream: its name.
        unit: what the gate takes as a unit of evidence.
        rate: the true rate; None if it drifts.
        method: "gate", "rows" (`rate_interval` on rows) or "peeked" (Clopper-Pearson).
        false_passes: runs that passed although the true rate of the rows so far is not below the
            limit.
        false_fails: runs that failed although it is not above.
        median_rows: when half of the runs had decided; None if fewer did.
        ninety_percent_rows: when 90% of them had.
    """

    stream: str
    unit: str
    rate: float | None
    method: str
    runs: int
    false_passes: int
    false_fails: int
    median_rows: int | None
    ninety_percent_rows: int | None

    def breaks_the_promise(self) -> bool:
        """Return whether so many false decisions would come in fewer than 1 of 1,000 simulations
        of a gate that makes them with a probability of exactly 1 - confidence.
        """
        false = self.false_passes + self.false_fails
        return bool(stats.binom.sf(false - 1, self.runs, 1 - CONFIDENCE) < 0.001)


def simulate(stream: Stream, runs: int) -> list[Outcome]:
    """Simulate a stream at each rate, and decide in each way."""
    return list(_outcomes(stream, runs))


def _outcomes(stream: Stream, runs: int) -> Iterator[Outcome]:
    methods: dict[str, Callable[[Rows], Verdicts]] = {
        "gate": partial(by_units, unit=stream.unit, longest_burst=stream.longest_burst),
        "rows": by_rows,
        "peeked": by_peeking,
    }
    for rate in (None,) if stream.drifts else RATES:
        rng = np.random.default_rng(SEED)
        parts: dict[str, list[Judged]] = {method: [] for method in methods}
        for start in range(0, runs, RUNS_AT_ONCE):
            rows = stream.draw(rng, min(RUNS_AT_ONCE, runs - start), rate or 0.0)
            for method, decide in methods.items():
                parts[method].append(_judged(decide(rows), rows))
        for method, found in parts.items():
            all_runs = Judged(*(np.concatenate(column) for column in zip(*found, strict=True)))
            yield Outcome(
                stream=stream.name,
                unit=stream.unit,
                rate=rate,
                method=method,
                runs=runs,
                false_passes=int(all_runs.false_passes.sum()),
                false_fails=int(all_runs.false_fails.sum()),
                median_rows=_rows_until(all_runs, 0.5),
                ninety_percent_rows=_rows_until(all_runs, 0.9),
            )


class Judged(NamedTuple):
    """Of each run, whether its decision was false, and the rows that it took."""

    false_passes: npt.NDArray[np.bool_]
    false_fails: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.int64]


def _judged(verdicts: Verdicts, rows: Rows) -> Judged:
    rates = np.broadcast_to(rows.rates, (len(rows.bad), ROWS // LOOK_EVERY))
    true_rates = rates[np.arange(len(rates)), verdicts.looks]
    return Judged(
        (verdicts.sides < 0) & (true_rates >= LIMIT),
        (verdicts.sides > 0) & (true_rates <= LIMIT),
        np.where(verdicts.sides != 0, (verdicts.looks + 1) * LOOK_EVERY, ROWS + 1),
    )


def fixed_sample_rows(rate: float, power: float) -> int:
    """Find how many independent rows a test made for one look needs.

    It decides by the interval of Clopper and Pearson, with the stated probability, for a rate that
    is not the limit. Because counts are whole, the power is not monotone; this is the first number
    of rows that reaches it.
    """
    rows = np.arange(1, ROWS + 1)
    counts = fixed_sample_counts(rows)
    right_side = (
        stats.binom.cdf(counts.most_passing, rows, rate)
        if rate < LIMIT
        else stats.binom.sf(counts.fewest_failing - 1, rows, rate)
    )
    return int(rows[np.argmax(right_side >= power)])


def _rows_until(runs: Judged, share: float) -> int | None:
    """Return the rows after which that share of the runs had decided."""
    found = int(np.quantile(runs.rows, share, method="higher"))
    return found if found <= ROWS else None
