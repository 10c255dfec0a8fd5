import pyarrow as pa
import pytest

from gnomon.log import shadow_schema
from gnomon.shadow.feed.progress import Progress, Totals
from tests.shadow.evidence import CONTRACT

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


def test_progress_balances() -> None:
    """Eligible is what was scored, failed and waits, to the row."""
    progress = Progress(scored=5, failed=2, lagging=3)
    assert progress.count_eligible() == 10
    assert progress.counts() == {
        "scored": 5, "failed": 2, "lagging": 3,
        "compared": 0, "disagreed": 0, "decided": 0, "flipped": 0,
    }  # fmt: skip
