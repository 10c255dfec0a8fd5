"""Check for columns that nearly determine the label, usually because they are filled in later."""

from __future__ import annotations

from collections.abc import Collection

from gnomon.leakage.finding import LeakageEvidence, LeakageFinding, unknown
from gnomon.leakage.labelled_table import LabelledTable
from gnomon.leakage.measures import Estimate
from gnomon.leakage.predictive_power import FEWEST_OF_A_CLASS, FEWEST_ROWS, LabelTarget, target

__all__ = ["CHECK", "NEARLY", "check_label"]

CHECK = "label"

NEARLY = 0.99
"""The AUC or R2 from which a column nearly determines the label. A copy of a label with two equally
frequent classes, in which a share e of the rows is changed, has the AUC 1 - e: 0.99 is a copy with
one row in a hundred changed."""

STRONG = 0.98
"""The lower end of the interval must be above this: the best of the columns without leakage in the
tests' data sets has an AUC of 0.98 (the petal length of irises; 0.975 is the worst perimeter in the
Wisconsin breast cancer data). A perfect column needs 190 rows of the rarest class to exceed it."""

_ACTION = (
    "find out when `{name}` gets its value: if that is after the prediction, leave it out; if "
    'before, say so with known_at={{"{name}": ...}}'
)


def check_label(table: LabelledTable, exempt: Collection[str] = ()) -> list[LeakageFinding]:
    """Find features that alone nearly determine the label.

    Args:
        table: a few thousand rows with labels.
        exempt: features that timestamps show to be known before the prediction.
    """
    label = target(table)
    if label is None:
        return [_too_few(table)]
    findings = []
    for name in table.features:
        if name not in exempt and (finding := _find_label(name, table, label)):
            findings.append(finding)
    return findings


def _find_label(name: str, table: LabelledTable, label: LabelTarget) -> LeakageFinding | None:
    column = table.column(name)
    if label.is_copy(column):
        return _copy(name, table)
    power = label.power(column, floor=NEARLY)
    if power.value < NEARLY:
        return None
    if power.low < STRONG:
        return _inconclusive(name, power)
    return LeakageFinding(
        check=CHECK,
        features=(name,),
        severity="suspect",
        sentence=f"`{name}` alone nearly determines the label: {_words(power)}"
        + (", and it is part of the entity key" if name in table.entity_key else ""),
        evidence=LeakageEvidence.of(power),
        action="rows of one entity share their label: keep an entity on one side of a split"
        if name in table.entity_key
        else _ACTION.format(name=name),
    )


def _copy(name: str, table: LabelledTable) -> LeakageFinding:
    rows = len(table)
    form = "under other names" if table.task == "classification" else "in another unit"
    return LeakageFinding(
        check=CHECK,
        features=(name,),
        severity="leak",
        sentence=f"`{name}` is the label {form}: in all {rows:,} rows each determines the other",
        evidence=LeakageEvidence(rows=rows, hits=rows),
        action=f"leave `{name}` out of the features",
    )


def _inconclusive(name: str, power: Estimate) -> LeakageFinding:
    return LeakageFinding(
        check=CHECK,
        features=(name,),
        severity="unknown",
        sentence=f"`{name}` alone predicts the label with {_words(power)}; {power.rows:,} rows do "
        "not distinguish a strong feature from a copy of the label",
        evidence=LeakageEvidence.of(power),
        action="check with more rows, or " + _ACTION.format(name=name),
    )


def _words(power: Estimate) -> str:
    return (
        f"{power.measure} {power.value:.3f} ({power.low:.3f} to {power.high:.3f} at "
        f"{power.confidence:.0%} confidence)"
    )


def _too_few(table: LabelledTable) -> LeakageFinding:
    needed = (
        f"two classes of at least {FEWEST_OF_A_CLASS} rows"
        if table.task == "classification"
        else f"at least {FEWEST_ROWS} rows of several labels"
    )
    return unknown(
        CHECK,
        f"inconclusive whether a column determines the label: that takes {needed}",
        len(table),
        "check with more rows",
    )
