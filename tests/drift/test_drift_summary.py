"""The title and the summary of a drift report."""

from __future__ import annotations

import pytest

from gnomon.drift.drift_report import DriftColumn, Effect, Shape
from gnomon.drift.drift_summary import DriftFinding


def unsure(rows: int, training_rows: int, independent: int | None = None) -> DriftFinding:
    """A report on one column that cannot be distinguished from chance."""
    effect = Effect(value=0.1, limit=0.25, floor=0.9, verdict="unknown")
    column = DriftColumn(
        kind="input",
        name="miles",
        rows=rows,
        training_rows=training_rows,
        independent_rows=independent,
        verdict="unknown",
        judged=True,
        effects={"psi": effect},
        worst="psi",
        nulls=(0.0, 0.0),
        shape=Shape(training=(), serving=()),
    )
    return DriftFinding(
        artifact="trips:1", role="live", rows=rows, seconds=60.0, start=None, columns=(column,),
        alerts=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "training_rows", "where", "action"),
    [
        (20, 5_000, "in the log, 20 against 5,000 of training", "longer range"),
        (5_000, 20, "in the training profile, 20 against 5,000 served", "more training rows"),
    ],
)
def test_the_side_with_too_few_rows_is_named(
    rows: int, training_rows: int, where: str, action: str
) -> None:
    """A longer range does not help if the training frame was small."""
    finding = unsure(rows, training_rows)
    assert finding.verdict == "unknown"
    assert where in finding.title()
    assert action in finding.summary().action


def test_few_entities_are_said_to_be_what_is_missing() -> None:
    """More rows of the same would not help."""
    finding = unsure(9_000, 5_000, independent=50)
    expected = "of different entities in the log, 9,000 that count as 50 against 5,000 of training"
    assert expected in finding.title()
    assert "rows of other entities" in finding.summary().action
