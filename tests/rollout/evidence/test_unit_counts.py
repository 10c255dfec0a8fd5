from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from gnomon.rollout.evidence.settling import Settling, settling_at
from gnomon.rollout.evidence.share import BadShare
from gnomon.rollout.evidence.unit_counts import UnitCounter, UnitCounts

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
    *batches: pa.RecordBatch,
    key: tuple[str, ...] = ("customer",),
    longest_burst: int | None = None,
    settling: Settling | None = None,
) -> UnitCounts:
    counter = UnitCounter(key, longest_burst, settling=settling)
    for part in batches:
        counter.add(part)
    return counter.counts()


EARLY = batch((0, "a", True), (1, "b", False), (2, "a", False))
LATE = batch((3, "a", True), (4, None, None), (5, None, False))


def test_each_entity_has_its_share() -> None:
    """Whatever the order of the batches; a row without a key is of its request."""
    counts = counted(LATE, EARLY)
    (disagreed,) = counts.shares("disagreed", "compared")
    assert sorted(disagreed.values) == pytest.approx([1 / 3, 1, 1])  # a, b, r5
    assert (disagreed.kind, disagreed.says) == ("entity", "3 entities")
    assert disagreed.rows_each == pytest.approx(5 / 3)
    (failed,) = counts.shares("failed", "done")
    assert sorted(failed.values) == [0, 0, 0, 1]


def test_rows_of_one_request_are_a_unit() -> None:
    """They are sent together, so they may repeat each other; without a key nothing else tells."""
    rows = [(1, None, False)] * 3 + [(2, None, True)] * 2 + [(3, None, True)]
    (shares,) = counted(batch(*rows), key=()).shares("disagreed", "compared")
    assert sorted(shares.values) == [0, 0, 1]
    assert (shares.kind, shares.says, shares.rows_each) == ("request", "3 requests", 2)


def test_requests_of_one_row_are_rows() -> None:
    """Then each row is a unit, and nothing is said of requests."""
    assert counted(EARLY, LATE, key=()).shares("disagreed", "compared") == ()


def test_bursts_are_told_by_blocks_of_consecutive_rows() -> None:
    """In order of arrival, whatever entities the rows are of, beside the entities themselves."""
    rows = [(second, f"c{second % 5}", not 80 <= second < 90) for second in range(160)]
    by_entity, blocks = counted(batch(*rows[80:]), batch(*rows[:80]), longest_burst=20).shares(
        "disagreed", "compared"
    )
    assert by_entity.says == "5 entities"
    assert blocks.values.tolist() == [0, 0, 0, 0, 0.5, 0, 0, 0]
    assert (blocks.kind, blocks.says) == ("block", "8 blocks of 20 rows")


def test_too_few_rows_for_blocks_are_no_evidence() -> None:
    """Fewer than eight blocks decide nothing."""
    (shares,) = counted(EARLY, key=(), longest_burst=20).shares("disagreed", "compared")
    assert (shares.values.tolist(), shares.says) == ([], "0 blocks of 20 rows")


def test_nothing_counted_is_nothing() -> None:
    """A shadow without rows has no units."""
    assert counted().shares("failed", "done") == ()


def test_a_stage_has_its_part_of_the_error_only_where_entities_come_back() -> None:
    """Else nothing had to be settled, and the first part is for all of the run."""
    late = settling_at(NOON - timedelta(hours=5), NOON)
    assert counted(EARLY, settling=late).error_part == late.error_part == 1 / 20
    assert counted(EARLY, settling=late).settles == late.until
    once = batch((0, "a", True), (1, "b", False))
    assert counted(once, settling=late).error_part == 0.5
    assert counted(once, settling=late).settles is None
    assert counted(EARLY).error_part == 1
    assert counted(EARLY, key=(), settling=late).error_part == 1


def test_settled_rows_are_those_before_the_stage_began() -> None:
    """Of customer a, who came three times, the later answer does not change what is settled."""
    stage = settling_at(NOON + timedelta(seconds=3, hours=-1), NOON + timedelta(seconds=10))
    (disagreed,) = counted(EARLY, LATE, settling=stage).shares("disagreed", "compared")
    assert sorted(disagreed.values) == [0.5, 1, 1]  # a as settled, b, r5
    assert disagreed.says == "3 entities, settled after 1 hour"


def test_rows_of_several_entities_that_were_sent_together_are_one_request() -> None:
    """500 customers in one bulk request are not 500 observations: what is wrong with it is wrong
    for all of them.
    """
    bulk = [(7, f"c{number}", False) for number in range(500)]
    kinds = counted(batch(*bulk)).shares("disagreed", "compared")
    assert [(kind.kind, len(kind.values)) for kind in kinds] == [("request", 1)]
    assert BadShare(500, 500, kinds).interval(0.95).low < 0.01
    two = [(second, customer, False) for second in range(9) for customer in ("a", "b")]
    kinds = counted(batch(*two)).shares("disagreed", "compared")
    assert [(kind.kind, len(kind.values)) for kind in kinds] == [("entity", 2), ("request", 9)]


def test_rows_of_one_entity_in_each_request_need_no_requests() -> None:
    """Its rows are counted together anyway."""
    rows = [(1, "a", False), (1, "a", True), (2, "b", False)]
    kinds = counted(batch(*rows)).shares("disagreed", "compared")
    assert [kind.kind for kind in kinds] == ["entity"]
