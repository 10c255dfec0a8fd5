"""Check whether rows are sorted by their label."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gnomon.leakage.finding import LeakageEvidence, LeakageFinding
from gnomon.leakage.label import NEARLY
from gnomon.leakage.labelled_table import LabelledTable
from gnomon.leakage.predictive_power import target

__all__ = ["CHECK", "check_order"]

CHECK = "row order"


def check_order(table: LabelledTable) -> list[LeakageFinding]:
    """Check whether the row number predicts the label.

    Models do not use the row number, so this is not a leak by itself. It is one after splitting or
    cross-validating without shuffling, or with the index kept as a column.
    """
    label = target(table)
    if label is None:
        return []
    place = pd.Series(np.asarray(table.frame.index, np.float64))
    power = label.power(place, floor=NEARLY)
    if power.value < NEARLY:
        return []
    return [
        LeakageFinding(
            check=CHECK,
            features=(),
            severity="note",
            sentence="the rows are sorted or grouped by label: the row number predicts it "
            f"({power.measure} {power.value:.3f})",
            evidence=LeakageEvidence.of(power),
            action="shuffle before splitting or cross-validating, and keep the index out of the "
            "features",
        )
    ]
