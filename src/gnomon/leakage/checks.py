"""Run the checks together: on training data, on a split, on scores."""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.errors import ContractError
from gnomon.leakage import duplicates, gap, identifiers, label, late_features, overlap, row_order
from gnomon.leakage.finding import LeakageReport
from gnomon.leakage.gap import ScoredStage
from gnomon.leakage.labelled_table import LabelledTable

__all__ = ["check_scores", "check_split", "check_training"]

MOST_ROWS = 10_000
"""The sample size where a sample is enough. With an AUC of 0.99 and two equally frequent classes,
the interval is then 0.006 wide."""

FEWEST_ROWS = 2_000
MOST_VALUES = 2_000_000
"""The most values that are examined: wide tables have fewer rows sampled, but at least 2,000."""

NO_LABELS = "there are no labels"
NO_TIME = "no column is given as the event time"
NO_KEY = "no column is given as the entity key"


def check_training(table: LabelledTable) -> LeakageReport:
    """Check training data alone: late features, the label, identifiers and the order of rows.

    Timestamps are compared in every row; the other checks use a sample of 10,000 rows.
    """
    skipped = {} if table.event_time else {late_features.CHECK: NO_TIME}
    findings = (
        {late_features.CHECK: late_features.check_late_features(table)} if table.event_time else {}
    )
    if table.labels is None:
        names = (label.CHECK, identifiers.CHECK, row_order.CHECK)
        skipped |= dict.fromkeys(names, NO_LABELS)
        return LeakageReport.of(len(table), findings, skipped)
    rows = MOST_VALUES // max(len(table.features), 1)
    sample = table.labelled().stratified_sample(min(max(rows, FEWEST_ROWS), MOST_ROWS))
    findings[identifiers.CHECK] = identifiers.check_identifiers(sample)
    identifying = {name for finding in findings[identifiers.CHECK] for name in finding.features}
    exempt = late_features.known_in_time(table) | identifying
    findings[label.CHECK] = label.check_label(sample, exempt)
    findings[row_order.CHECK] = row_order.check_order(sample)
    return LeakageReport.of(len(table), findings, skipped)


def check_split(train: LabelledTable, holdout: LabelledTable) -> LeakageReport:
    """Check whether training data and holdout share rows, entities or days.

    Args:
        train: the rows the model was trained on.
        holdout: rows with the same features and entity key.

    Raises:
        ContractError: the holdout lacks a column.
    """
    missing = [n for n in (*train.features, *train.entity_key) if n not in holdout.frame]
    if missing:
        raise ContractError(
            f"the holdout has no column `{missing[0]}`",
            hint=f"its columns are {', '.join(map(str, holdout.frame.columns))}",
        )
    findings = {
        duplicates.ROWS: duplicates.check_duplicates(train, holdout),
        duplicates.NEAR: duplicates.check_near(train, holdout),
    }
    skipped = {}
    if train.entity_key:
        findings[duplicates.ENTITIES] = duplicates.check_entities(train, holdout)
    else:
        skipped[duplicates.ENTITIES] = NO_KEY
    if train.event_time:
        findings[overlap.CHECK] = overlap.check_overlap(train, holdout)
    else:
        skipped[overlap.CHECK] = NO_TIME
    return LeakageReport.of(len(train), findings, skipped)


def check_scores(scored: Sequence[ScoredStage], *, is_forecast: bool = False) -> LeakageReport:
    """Check whether scores fall from one stage to the next by more than chance.

    Args:
        scored: the available stages.
        is_forecast: whether the holdout is from days after the training data.
    """
    findings = gap.check_gaps(scored, is_forecast=is_forecast)
    return LeakageReport.of(sum(len(stage.labels) for stage in scored), {gap.CHECK: findings}, {})
