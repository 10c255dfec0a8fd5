"""Relations to the rows before: moving averages, sums and extremes so far, changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from gnomon.skew.diagnosis.case import Case, Mask, Proposal

__all__ = ["of_history"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_MOST_SMOOTHED = 7


def of_history(case: Case) -> Iterator[Proposal]:
    """Describe that one side is computed from the other's values so far, in the order of time."""
    if not case.is_numeric or case.is_timestamp:
        return
    sides = (case.left_numbers, case.right_numbers)
    everything = ("", np.zeros(len(case.differs), dtype=np.int64))
    for group, codes in (*case.context.groups, everything):
        order = np.argsort(case.context.row_times, kind="stable")
        of = f" of the same `{group}`" if group else ""
        for index, name in enumerate(case.names):
            for cause, words, computed in _computed(sides[1 - index], codes, order):
                holds: Mask = case.finite & case.near(sides[index], computed)
                if not case.is_enough(holds) or not case.has_pattern(holds):
                    continue
                yield Proposal(
                    cause=cause,
                    finding=f"is {words}{of} on the {name} side",
                    undone="With the same computed on both sides",
                    action=f"Look for an aggregate over time that only the {name} side has.",
                    holds=holds,
                    # Only the rows that set a record matter, and these agree.
                    of_one_side=words.startswith(("the largest", "the smallest")),
                    is_named=False,
                )
                return


def _computed(values: Floats, codes: Codes, order: Codes) -> Iterator[tuple[str, str, Floats]]:
    """Yield a name, words, and what is computed from the values so far of each group."""
    sorted_values = pd.Series(values[order])
    groups = sorted_values.groupby(codes[order], sort=False)

    def back(computed: pd.Series) -> Floats:
        result = np.empty(len(values))
        result[order] = computed.sort_index().to_numpy()
        return result

    for width in range(2, _MOST_SMOOTHED + 1):
        means = groups.rolling(width, min_periods=1).mean().reset_index(level=0, drop=True)
        yield "smoothed values", f"the mean of the last {width} values", back(means)
    mean = groups.expanding().mean().reset_index(level=0, drop=True)
    yield "smoothed values", "the mean of the values so far", back(mean)
    yield "cumulative values", "the sum of the values so far", back(groups.cumsum())
    yield "cumulative values", "the largest value so far", back(groups.cummax())
    yield "cumulative values", "the smallest value so far", back(groups.cummin())
    yield "change of values", "the change from the value before", back(groups.diff())
    centred = groups.rolling(3, min_periods=1, center=True).mean().reset_index(level=0, drop=True)
    yield "smoothed values", "the mean of the values before, at and after it", back(centred)
