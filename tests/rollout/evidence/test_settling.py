"""What counts of an entity: nothing that was used changes until the next stage begins."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from gnomon.rollout.evidence.settling import SettledTally, settling_at

START = datetime(2026, 1, 1, tzinfo=UTC)
MARKS = ("bad", "all")

Row = tuple[float, str, bool]
"""Days after the start, entity, and whether it is bad."""


def tallied(rows: list[Row], before: float | None = None, *, parts: int = 1) -> list[float]:
    """The values that count, rising, from so many batches."""
    tally = SettledTally(MARKS, None if before is None else START + timedelta(days=before))
    for part in range(parts):
        chosen = rows[part::parts]
        if chosen:
            days, units, bad = zip(*chosen, strict=True)
            arrived = [START + timedelta(days=day) for day in days]
            tally.add(
                pa.array(units),
                pa.array(arrived, pa.timestamp("us", "UTC")),
                {"bad": pa.array(bad), "all": pa.array([True] * len(bad))},
            )
    return sorted(tally.totals().values("bad", "all").tolist())


ROWS: list[Row] = [
    (0.1, "a", False), (0.1, "a", True), (0.2, "b", True), (0.5, "a", True), (0.9, "b", False),
    (1.1, "b", False), (1.2, "c", True), (1.3, "c", False),
]  # fmt: skip


@pytest.mark.parametrize("parts", [1, 3, 8])
def test_an_entity_counts_by_its_first_request_until_it_is_settled(parts: int) -> None:
    """The rows of a request arrive at once. Whatever the batches."""
    assert tallied(ROWS, parts=parts) == [0.5, 1, 1]
    assert tallied(ROWS, before=1, parts=parts) == [0.5, pytest.approx(2 / 3), 1]


def test_folding_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory grows with entities and not with rows."""
    monkeypatch.setattr("gnomon.rollout.evidence.settling.FOLD_ROWS", 0)
    monkeypatch.setattr("gnomon.compare.units.FOLD_ROWS", 0)
    assert tallied(ROWS, before=1, parts=8) == [0.5, pytest.approx(2 / 3), 1]
    assert tallied([]) == []


def test_nothing_that_was_used_changes_within_a_stage() -> None:
    """Only new entities are added to it, at whatever time one looks."""
    rng = random.Random(1)
    rows = sorted(
        (rng.random() * 20, f"c{rng.randrange(60)}", rng.random() < 0.3) for _ in range(900)
    )
    stage, values = -1, np.zeros(0)
    for now in np.linspace(0.1, 20, 40):
        settling = settling_at(START, START + timedelta(days=now))
        before = None if settling.before is None else settling.hours / 24
        counted = [row for row in rows if row[0] < now]
        found = np.unique(tallied(counted, before), return_counts=True)
        if settling.hours == stage:
            for value, count in zip(*values, strict=True):
                assert dict(zip(*found, strict=True))[value] >= count
        stage, values = settling.hours, found
    assert stage == 256


def test_the_stages_share_the_allowed_error() -> None:
    """All of them together have no more than all of it; a stage says what counts."""
    times = (0, 1, 2, 5, 9, 17, 40, 9_999)
    stages = [settling_at(START, START + timedelta(hours=hours)) for hours in times]
    assert [stage.hours for stage in stages] == [0, 1, 2, 4, 8, 16, 32, 8_192]
    assert [stage.error_part for stage in stages[:4]] == [1 / 2, 1 / 6, 1 / 12, 1 / 20]
    last = settling_at(START, START + timedelta(days=90_000))
    assert sum(1 / ((stage + 1) * (stage + 2)) for stage in range(1_000_000)) < 1
    assert last.error_part > 0.001
    assert [str(stage) for stage in stages[:2]] == [
        "each by its first request",
        "settled after 1 hour",
    ]
    assert stages[3].before == START + timedelta(hours=4)
    assert stages[3].until == START + timedelta(hours=8)
