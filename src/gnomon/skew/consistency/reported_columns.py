"""Compared columns in the form that a report stores."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from gnomon.compare.comparators import ComparedColumn
from gnomon.compare.comparison import Comparison, ComparisonColumn
from gnomon.policy import Comparator, Rules
from gnomon.quantities import number
from gnomon.report import Column

__all__ = ["Kind", "column_from_rows", "columns_from_comparison", "only", "quantiles"]

Kind = Literal["output", "feature", "step"]

_SHARES = {"min": 0.0, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}


def columns_from_comparison(
    sums: Comparison, rules: Rules, kinds: Mapping[str, Kind], units: Mapping[str, str | None]
) -> tuple[Column, ...]:
    """Return the columns of a comparison over any number of batches."""
    return tuple(
        _column(name, kinds[name], rules.comparators[name], column, units.get(name))
        for name, column in sums.columns.items()
    )


def column_from_rows(
    name: str,
    kind: Kind,
    rows: ComparedColumn,
    rule: Comparator,
    weights: npt.NDArray[np.float64],
    unit: str | None,
) -> Column:
    """Return one column of sampled rows; its quantiles are over the rows that differ."""
    differs = ~rows.agree
    return Column(
        name=name,
        kind=kind,
        tolerance=tolerance(rule),
        rows=len(differs),
        exact=int(rows.exact.sum()),
        diverged=int(differs.sum()),
        left_null=int(rows.left_null.sum()),
        right_null=int(rows.right_null.sum()),
        both_null=int(rows.both_null.sum()),
        flips=None if rows.flip is None else int(rows.flip.sum()),
        smape=_smape(rows),
        quantiles={} if rows.difference is None else quantiles(rows.difference[differs]),
        unit=unit,
        estimate=float(weights[differs].sum() / weights.sum()),
    )


def only(rules: Rules, names: Collection[str]) -> Rules:
    """Return the rules for some of the columns."""
    return Rules(
        comparators={n: rule for n, rule in rules.comparators.items() if n in names},
        decides={n: threshold for n, threshold in rules.decides.items() if n in names},
    )


def quantiles(differences: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return exact quantiles of the finite values; empty if there are none."""
    known = differences[np.isfinite(differences)]
    if not len(known):
        return {}
    values = np.quantile(known, list(_SHARES.values()), method="inverted_cdf")
    return dict(zip(_SHARES, values.tolist(), strict=True))


def tolerance(rule: Comparator) -> str:
    """Describe in words when two values agree."""
    if rule.kind == "label":
        return "equal"
    bounds = []
    if rule.absolute:
        bounds.append(number(rule.absolute))
    if rule.relative:
        bounds.append(f"{number(rule.relative)} of the larger")
    if rule.ulps:
        bounds.append(f"{rule.ulps} representable floats")
    return f"within {' or '.join(bounds)}" if bounds else "equal"


def _smape(rows: ComparedColumn) -> float | None:
    if rows.smape is None or rows.difference is None:
        return None
    known = rows.smape[np.isfinite(rows.difference)]
    return float(known.mean()) if len(known) else None


def _column(
    name: str, kind: Kind, rule: Comparator, sums: ComparisonColumn, unit: str | None
) -> Column:
    return Column(
        name=name,
        kind=kind,
        tolerance=tolerance(rule),
        rows=sums.rows,
        exact=sums.exact,
        diverged=sums.rows - sums.agreed,
        left_null=sums.left_null,
        right_null=sums.right_null,
        both_null=sums.both_null,
        flips=sums.flips,
        smape=sums.smape,
        quantiles=sums.quantiles,
        unit=unit,
    )
