"""Find the inputs that restore the answer when they are set to the other side's values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from gnomon.compare.comparators import Compared, compare
from gnomon.errors import PredictionFailed
from gnomon.report import Swap, share
from gnomon.skew.diagnosis.case import spread
from gnomon.skew.diagnosis.diagnosis_writer import WEIGHED
from gnomon.skew.diagnosis.root_divergences import RepairRunner, Repairs, Root

__all__ = ["swaps"]

_MOST_COLUMNS = 12


def swaps(runner: RepairRunner, roots: list[Root], confidence: float) -> tuple[Swap, ...]:
    """Set each differing column alone to the other side's values, on rows that diverge.

    The columns are the features, and those of the steps that differ by themselves. Everything else
    stays as it was online, so an effect that needs two columns together is not visible.

    Args:
        runner: runs the artifact.
        roots: where the sides differ by themselves.
        confidence: the confidence of the intervals.

    Returns:
        The columns, those that restore most rows first.
    """
    rows = spread(runner.traced.sample.diverged, WEIGHED)
    if not runner.outputs.comparators or not len(rows):
        return ()
    places = pa.array(rows)
    before = _apart(runner, Repairs(), places)
    if before is None:
        return ()
    results = [
        _swap(runner, column, repairs, before, places, confidence)
        for column, repairs in _candidates(runner, roots)
    ]
    known = [swap for swap in results if swap is not None]
    return tuple(sorted(known, key=lambda swap: (-swap.back.rows, swap.left)))


def _candidates(runner: RepairRunner, roots: list[Root]) -> Iterator[tuple[str, Repairs]]:
    traced = runner.traced
    features = [name for name in traced.of_kind("feature") if traced.differs(name).any()]
    features.sort(key=lambda name: -int(traced.differs(name).sum()))
    for name in features[:_MOST_COLUMNS]:
        yield name, Repairs(features=frozenset((name,)))
    steps = [case.column for root in roots if root.place for case in root.cases]
    for name in steps[:_MOST_COLUMNS]:
        yield name, Repairs(steps=frozenset((name,)))


def _swap(
    runner: RepairRunner,
    column: str,
    repairs: Repairs,
    before: Compared,
    places: pa.Array,
    confidence: float,
) -> Swap | None:
    after = _apart(runner, repairs, places)
    if after is None:
        return None
    return Swap(
        column=column,
        back=share(int(after.agreed.sum()), len(places), confidence),
        flips_back=int((before.flipped & ~after.flipped).sum()),
        apart=_mean(before),
        left=_mean(after),
    )


def _apart(runner: RepairRunner, repairs: Repairs, places: pa.Array) -> Compared | None:
    """Compare answers with the other side's; None where they cannot be computed."""
    rules = runner.outputs
    try:
        answers = runner.run(repairs, list(rules.comparators), places)
    except PredictionFailed:
        return None
    return compare(answers, runner.traced.right.take(places), rules)


def _mean(compared: Compared) -> float:
    """Return the mean of each row's largest difference; 0 if no numbers were compared."""
    known = compared.difference[np.isfinite(compared.difference)]
    return float(known.mean()) if len(known) else 0.0
