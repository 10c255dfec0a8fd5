from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from gnomon.log import shadow_schema
from gnomon.shadow.feed.progress import Progress, Totals
from gnomon.shadow.shadow_counts import CountsBeside
from tests.shadow.evidence import CONTRACT

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

ROWS = [
    {"outcome": "scored", "agreed": True, "flipped": False, "difference": 0.1},
    {"outcome": "scored", "agreed": False, "flipped": True, "difference": 0.5},
    {"outcome": "scored"},
    {"outcome": "failed"},
    {"outcome": "crashed"},
]


def test_totals_add_up_batch_by_batch() -> None:
    """Rows that could not be compared are scored and neither agree nor disagree."""
    batch = pa.RecordBatch.from_pylist(ROWS, schema=shadow_schema(CONTRACT))
    once = Totals().plus(batch)
    assert (once.scored, once.failed, once.done) == (3, 2, 5)
    assert (once.compared, once.disagreed, once.flipped, once.measured) == (2, 1, 1, 2)
    assert once.apart == pytest.approx(0.6)
    twice = once.plus(batch)
    assert (twice.done, twice.disagreed) == (10, 2)
    assert Totals().plus(batch.slice(0, 0)) == Totals()


def test_rows_are_counted_by_the_artifact_that_was_live() -> None:
    """A report beside one live artifact has the comparison with that one alone."""
    rows = [
        {"against": live, "arrived": NOON + timedelta(minutes=minute), **row}
        for minute, (live, row) in enumerate([("toy:a", ROWS[0]), ("toy:b", ROWS[1])] * 2)
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=shadow_schema(CONTRACT))
    totals = Totals().plus(batch.slice(0, 2)).plus(batch.slice(2))
    at = {minute: NOON + timedelta(minutes=minute) for minute in range(4)}
    two = {"scored": 2, "compared": 2, "decided": 2}
    assert totals.against == {
        "toy:a": CountsBeside(**two, first=at[0], last=at[2]),
        "toy:b": CountsBeside(**two, disagreed=2, flipped=2, first=at[1], last=at[3]),
    }
    progress = Progress(scored=4, compared=4, disagreed=2, flipped=2, against=totals.against)
    beside = {live: progress.beside(live) for live in ("toy:a", "toy:b", "toy:c", None)}
    counts = {live: (p.scored, p.compared, p.disagreed, p.flipped) for live, p in beside.items()}
    assert counts == {
        "toy:a": (4, 2, 0, 0), "toy:b": (4, 2, 2, 2), "toy:c": (4, 0, 0, 0), None: (4, 0, 0, 0),
    }  # fmt: skip


def test_progress_balances() -> None:
    """Eligible is what was scored, failed and waits, to the row."""
    progress = Progress(scored=5, failed=2, lagging=3)
    assert progress.count_eligible() == 10
    assert progress.counts() == {
        "scored": 5, "failed": 2, "lagging": 3,
        "compared": 0, "disagreed": 0, "decided": 0, "flipped": 0,
    }  # fmt: skip
