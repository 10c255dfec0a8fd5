"""Check for columns that identify rows and predict the label by the order of their values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gnomon.leakage import encodings
from gnomon.leakage.finding import LeakageEvidence, LeakageFinding
from gnomon.leakage.labelled_table import LabelledTable
from gnomon.leakage.predictive_power import LabelTarget, target

__all__ = ["CHECK", "check_identifiers"]

CHECK = "identifier"

TELLS = 0.9
"""The AUC or R2 from which the order of identifiers predicts the label. Identifiers assigned in
order of time also follow the label's drift, which is legitimate; those of the demo's flights reach
0.6."""

SURELY = 0.8
"""The lower end of the interval must be above this."""

DENSE = 0.1
"""Whole numbers count as serial if at least this share of the numbers between the least and the
largest is used. Amounts and measurements use fewer."""

IN_ORDER = 0.999
"""A column follows the row number if their rank correlation is at least this."""


def check_identifiers(table: LabelledTable) -> list[LeakageFinding]:
    """Find features that identify rows and whose order predicts the label.

    Such ids were assigned class by class, or after sorting by the label. A model with the id as a
    feature learns this order, which does not exist online.
    """
    label = target(table)
    if label is None:
        return []
    findings = []
    for name in table.features:
        column = table.column(name)
        if encodings.is_unique(column) and (finding := _find_identifier(name, column, label)):
            findings.append(finding)
    return findings


def _find_identifier(
    name: str, column: pd.Series[Any], label: LabelTarget
) -> LeakageFinding | None:
    order = _order(column)
    in_order = _follows_rows(order)
    if pd.api.types.is_integer_dtype(column.dtype) and not in_order and not _is_serial(column):
        return None
    power = label.power_of_numbers(order)
    if power.value < TELLS or power.low < SURELY:
        return None
    explanation = "it follows the row number" if in_order else "its ranges belong to classes"
    return LeakageFinding(
        check=CHECK,
        features=(name,),
        severity="leak",
        sentence=f"`{name}` identifies its rows, and its order predicts the label "
        f"({power.measure} {power.value:.3f}): {explanation}",
        evidence=LeakageEvidence.of(power, numbers={"distinct": encodings.codes(column)[1]}),
        action=f"leave `{name}` out of the features; keep it as the entity key",
    )


def _order(column: pd.Series[Any]) -> encodings.Floats:
    """Return numbers unchanged, and text as its position in alphabetical order."""
    values = encodings.numbers(column)
    if values is not None:
        return values
    known = column.notna().to_numpy()
    order = np.full(len(column), np.nan)
    order[known] = pd.factorize(column[known].astype("str"), sort=True)[0]
    return order


def _follows_rows(order: encodings.Floats) -> bool:
    known = np.flatnonzero(~np.isnan(order))
    if not np.ptp(order[known]):
        return False
    correlation = np.corrcoef(known, encodings.ranks(order[known]))[0, 1]
    return bool(abs(correlation) >= IN_ORDER)


def _is_serial(column: pd.Series[Any]) -> bool:
    """Whether whole numbers are dense enough to be serial, given the share of rows sampled."""
    known = column.dropna()
    sampled_share = len(column) / (int(column.index[-1]) + 1)
    reach = int(known.max()) - int(known.min()) + 1
    return bool(known.nunique() >= DENSE * sampled_share * reach)
