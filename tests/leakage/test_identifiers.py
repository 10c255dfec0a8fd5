"""Identifiers whose order reveals the label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnomon.leakage import LabelledTable, LeakageReport, check_training
from tests.leakage.data import RNG, flights


def report(frame: pd.DataFrame, labels: Any) -> LeakageReport:
    """Return the report of all checks on training data."""
    return check_training(LabelledTable.of(frame, labels))


def leaks(found: LeakageReport) -> list[tuple[str, ...]]:
    """The features of leaks by identifier; no other check may suspect them."""
    assert {f.check for f in found.alarms} <= {"identifier"}
    return [f.features for f in found.alarms]


@pytest.mark.parametrize(
    "name",
    [
        lambda n: n,
        lambda n: n + 1_000_000,
        lambda n: [f"case-{i:06d}" for i in n],
        lambda n: 7 * n + RNG.integers(0, 5, len(n)),
    ],
    ids=["row number", "serial", "text", "with gaps"],
)
@pytest.mark.parametrize("rows", [300, 30_000])
def test_rows_numbered_class_by_class(name: Any, rows: int) -> None:
    """Late flights first, then the others, and then numbered; a sample still shows it."""
    frame, labels = flights(rows)
    order = np.argsort(labels, kind="stable")
    numbers = np.empty(rows, np.int64)
    numbers[order] = np.arange(rows)
    ids = pd.Series(name(numbers))
    assert leaks(report(frame.assign(id=ids), labels)) == [("id",)]


def test_ranges_of_ids_for_each_class() -> None:
    """Ids between two numbers always have the same class, in no particular order."""
    labels = RNG.choice(["a", "b", "c"], 3_000)
    start = pd.Series(labels).map({"b": 0, "c": 5_000, "a": 10_000}).to_numpy()
    ids = start + RNG.choice(5_000, 3_000, replace=False)
    frame = pd.DataFrame({"x": RNG.normal(size=3_000), "id": ids})
    assert leaks(report(frame, labels)) == [("id",)]


def test_rows_numbered_after_sorting_by_a_quantity() -> None:
    """The number is a rank."""
    delay = RNG.exponential(30, 2_000)
    frame = pd.DataFrame({"x": RNG.normal(size=2_000), "id": np.argsort(np.argsort(delay))})
    finding = report(frame, delay).alarms[0]
    assert (finding.check, finding.features) == ("identifier", ("id",))


def test_an_id_in_the_order_of_time_is_honest() -> None:
    """Flights become later over the months, and their numbers increase with them."""
    frame, _ = flights()
    drift = np.linspace(0.2, 0.5, len(frame))
    assert report(frame, RNG.random(len(frame)) < drift).findings == ()


def test_an_amount_is_not_an_identifier() -> None:
    """Whole numbers, nearly all different, that are informative and leave most numbers out."""
    late = RNG.random(2_000) < 0.5
    cents = (RNG.lognormal(10, 1, 2_000) * np.where(late, 12, 1)).astype(int)
    found = report(pd.DataFrame({"cents": cents}), late)
    assert found.alarms == ()


def test_rows_sorted_by_their_label_are_a_note() -> None:
    """No column follows the order, so nothing leaks yet."""
    frame, labels = flights()
    order = np.argsort(labels, kind="stable")
    found = report(frame.drop(columns=["flight", "event"]).iloc[order], labels.iloc[order])
    assert [(f.check, f.severity) for f in found.findings] == [("row order", "note")]
    assert "shuffle" in found.findings[0].action
