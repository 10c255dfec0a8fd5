"""Excused rows are taken out of what is compared, and counted; failures are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from gnomon.log import InferenceLog
from gnomon.policy import Policy
from gnomon.rollout.evidence.excuse import RecordedExcuse, parse_excuse
from gnomon.rollout.evidence.excused_rows import (
    ExcusedRows,
    WithoutColumns,
    compared_without,
    differing,
)
from gnomon.settings import Settings
from tests.shadow.evidence import LIVE, log_live

NOW = datetime.now(UTC)


def excuse(target: str, number: int = 1) -> RecordedExcuse:
    parsed = parse_excuse(target, "ann", NOW + timedelta(days=1))
    return RecordedExcuse(number=number, artifact="b", excuse=parsed, at=NOW, why="so")


ROWS = pa.RecordBatch.from_pylist(
    [
        {"request_id": "a", "row": 0, "agreed": False, "flipped": True, "input_origin": "JFK"},
        {"request_id": "b", "row": 0, "agreed": True, "flipped": False, "input_origin": "JFK"},
        {"request_id": "c", "row": 0, "agreed": False, "flipped": False, "input_origin": "EWR"},
        {"request_id": "c", "row": 1, "agreed": None, "flipped": None, "input_origin": "JFK"},
        {"request_id": "d", "row": 0, "agreed": False, "flipped": None, "input_origin": None},
    ],
    schema=pa.schema(
        [
            ("request_id", pa.string()), ("row", pa.int32()), ("agreed", pa.bool_()),
            ("flipped", pa.bool_()), ("input_origin", pa.string()),
        ]
    ),
)  # fmt: skip


def applied(rows: ExcusedRows) -> tuple[list[bool | None], list[bool | None]]:
    (batch,) = rows.applied(iter([ROWS]))
    return batch.column("agreed").to_pylist(), batch.column("flipped").to_pylist()


def test_the_rows_of_a_segment_are_not_compared() -> None:
    """Those that agree are left out with those that do not: the gate judges the others."""
    rows = ExcusedRows([excuse("origin=JFK")])
    assert rows.needs == ("input_origin",)
    assert applied(rows) == ([None, None, False, None, False], [None, None, False, None, None])
    (counts,) = rows.counts()
    assert (counts.rows, counts.disagreed, counts.flipped, counts.left_out) == (2, 1, 1, True)
    assert counts.decided == 2


def test_a_row_counts_for_one_excuse() -> None:
    """The first that covers it."""
    rows = ExcusedRows([excuse("origin=JFK"), excuse("origin=JFK", 2)])
    applied(rows)
    assert [each.rows for each in rows.counts()] == [2, 0]


def test_a_value_or_a_feature_that_is_not_logged_excuses_nothing() -> None:
    """The rows count."""
    rows = ExcusedRows([excuse("airport=JFK"), excuse("origin=LGA")])
    assert applied(rows)[0] == ROWS.column("agreed").to_pylist()


def test_a_row_that_differs_only_in_excused_columns_agrees() -> None:
    """It stays compared, and decided if it was, and does not flip."""
    agrees = WithoutColumns(agrees=True, flips=False)
    without = {"a/0": agrees, "b/0": agrees, "d/0": agrees, "c/1": agrees}
    rows = ExcusedRows([], [excuse("probability")], without)
    assert applied(rows) == ([True, True, False, None, True], [False, False, False, None, None])
    (counts,) = rows.counts()
    assert (counts.rows, counts.disagreed, counts.left_out) == (2, 2, False)
    assert (counts.decided, counts.flipped) == (1, 1)


def test_a_row_that_flips_only_by_excused_columns_does_not_flip() -> None:
    """It may still disagree in others; and no row flips because another column is excused."""
    still = WithoutColumns(agrees=False, flips=False)
    without = {"a/0": still, "c/0": WithoutColumns(agrees=False, flips=True)}
    rows = ExcusedRows([], [excuse("probability")], without)
    assert applied(rows) == ([False, True, False, None, False], [False, False, False, None, None])
    (counts,) = rows.counts()
    assert (counts.rows, counts.decided, counts.flipped) == (0, 1, 1)


def test_rows_that_disagree_differ_also_where_nothing_is_decided_on_them() -> None:
    """A column is excused by comparing them again."""
    assert differing(ROWS).column("request_id").to_pylist() == ["a", "c", "d"]


def test_rows_are_compared_again_on_the_columns_that_are_left(settings: Settings) -> None:
    """By request and row; a row whose live answer is not in the log stays as it was."""
    log_live(settings, 1, request_id="r1", output_prediction=1.0)
    log_live(settings, 1, request_id="r2", output_prediction=5.0)
    disagreeing = pa.table(
        {
            "request_id": ["r1", "r2", "r3"], "row": pa.array([0, 0, 0], pa.int32()),
            "arrived": pa.array([NOW - timedelta(minutes=1)] * 3, pa.timestamp("us", "UTC")),
            "output_prediction": [1.0, 1.0, 1.0],
        }
    )  # fmt: skip
    rules = Policy().rules(pa.schema([("prediction", pa.float64())]))
    with InferenceLog(settings, "toy").snapshot() as log:
        assert compared_without(log, disagreeing, LIVE, rules) == {
            "r1/0": (True, False), "r2/0": (False, False)
        }  # fmt: skip
        assert compared_without(log, disagreeing.slice(0, 0), LIVE, rules) == {}
