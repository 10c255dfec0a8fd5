from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from gnomon.rollout.unit_counts import UnitCounter, UnitCounts

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def batch(*rows: tuple[int, str | None, bool | None]) -> pa.RecordBatch:
    """A shadow's rows: seconds after noon, customer, and whether it agreed (None: it failed)."""
    return pa.RecordBatch.from_pylist(
        [
            {
                "request_id": f"r{second}", "row": 0, "input_customer": customer,
                "arrived": NOON + timedelta(seconds=second),
                "outcome": "failed" if agreed is None else "scored",
                "agreed": agreed, "flipped": None if agreed is None else not agreed,
            }
            for second, customer, agreed in rows
        ],
        schema=pa.schema(
            [
                ("request_id", pa.string()), ("row", pa.int32()), ("input_customer", pa.string()),
                ("arrived", pa.timestamp("us", "UTC")), ("outcome", pa.string()),
                ("agreed", pa.bool_()), ("flipped", pa.bool_()),
            ]
        ),
    )  # fmt: skip


def counted(
    *batches: pa.RecordBatch, key: tuple[str, ...] = ("customer",), longest_burst: int | None = None
) -> UnitCounts:
    counter = UnitCounter(key, longest_burst)
    for part in batches:
        counter.add(part)
    return counter.counts()


EARLY = batch((0, "a", True), (1, "b", False), (2, "a", False))
LATE = batch((3, "a", True), (4, None, None), (5, None, False))


def test_each_entity_has_its_share_in_order_of_arrival() -> None:
    """Whatever the order of the batches; a row without a key is of its request."""
    counts = counted(LATE, EARLY)
    disagreed = counts.shares("disagreed", "compared")
    assert disagreed.values.tolist() == pytest.approx([1 / 3, 1, 1])  # a, b, r5
    assert disagreed.says == "3 entities"
    assert counts.shares("failed", "done").values.tolist() == [0, 0, 1, 0]
    assert counted(EARLY, LATE).counts["compared"].tolist() == counts.counts["compared"].tolist()


def test_folding_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts that are merged now and then, to save memory, are the same."""
    once = counted(EARLY, LATE).counts
    monkeypatch.setattr("gnomon.rollout.unit_counts._FOLD_ROWS", 0)
    folded = counted(EARLY, LATE).counts
    assert {name: values.tolist() for name, values in folded.items()} == {
        name: values.tolist() for name, values in once.items()
    }


def test_bursts_are_told_by_blocks_of_consecutive_rows() -> None:
    """Without a key each row is a unit, and so many of them a block, in order of arrival."""
    rows = [(second, None, not 80 <= second < 90) for second in range(160)]
    shares = counted(batch(*rows[80:]), batch(*rows[:80]), key=(), longest_burst=20).shares(
        "disagreed", "compared"
    )
    assert shares.values.tolist() == [0, 0, 0, 0, 0.5, 0, 0, 0]
    assert shares.says == "8 blocks of 20 rows"


def test_too_few_rows_for_blocks_are_no_evidence() -> None:
    """Fewer than eight blocks decide nothing."""
    shares = counted(EARLY, key=(), longest_burst=20).shares("disagreed", "compared")
    assert (shares.values.tolist(), shares.says) == ([], "0 blocks of 20 rows")


def test_nothing_counted_is_nothing() -> None:
    """A shadow without rows has no units."""
    shares = counted().shares("failed", "done")
    assert (shares.values.tolist(), shares.says) == ([], "0 entities")
