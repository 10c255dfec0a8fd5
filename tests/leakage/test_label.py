"""Columns that reveal the label are found in any form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnomon.leakage import LabelledTable, LeakageFinding, check_training
from tests.leakage.data import RNG, flight_table, flights, houses


def found(frame: pd.DataFrame, labels: Any, **roles: Any) -> dict[str, LeakageFinding]:
    """What the label check finds, by feature."""
    report = check_training(LabelledTable.of(frame, labels, **roles))
    return {f.features[0]: f for f in report.findings if f.check == "label"}


def wrong(labels: pd.Series[Any], share: float) -> pd.Series[Any]:
    """The labels with a share of them replaced by those of other rows."""
    others = labels.sample(frac=1, random_state=1).to_numpy()
    return labels.where(np.random.default_rng(2).random(len(labels)) >= share, others)


@pytest.mark.parametrize(
    "leak",
    [
        lambda y: y,
        lambda y: y.map({"late": 1, "on_time": 0}),
        lambda y: (y == "late").astype("boolean"),
        lambda y: y.map({"late": "yes", "on_time": None}),
    ],
    ids=["itself", "a number", "a flag", "null or not"],
)
def test_the_label_under_another_name_is_a_leak(leak: Any) -> None:
    """The names of its values do not matter: every row proves it."""
    frame, labels = flights(600)
    finding = found(frame.assign(leak=leak(labels)), labels)["leak"]
    assert finding.severity == "leak"
    assert finding.evidence.rows == finding.evidence.hits == 600
    assert "leave `leak` out" in finding.action


@pytest.mark.parametrize(
    "leak",
    [
        lambda y: wrong(y, 0.005),
        lambda y: (y == "late") * 40 + RNG.normal(0, 5, len(y)),
        lambda y: ((y == "late") * 40 + RNG.normal(0, 5, len(y))).astype(int),
        lambda y: (
            np.where(y == "late", RNG.choice([1.0, 9.0], len(y)), RNG.choice([5.0], len(y)))
            + RNG.normal(0, 0.4, len(y))
        ),
        lambda y: y + RNG.choice(list("abcdef"), len(y)),
        lambda y: (
            pd.Timestamp("2013-06-01")
            + pd.to_timedelta((y == "late") * 9 + RNG.random(len(y)), unit="D")
        ),
    ],
    ids=["mostly right", "larger", "whole numbers", "not monotone", "finer", "a time"],
)
def test_a_column_that_nearly_tells_it_is_suspect(leak: Any) -> None:
    """By order, by bins, or by value; its AUC and interval are reported."""
    frame, labels = flights()
    finding = found(frame.assign(leak=leak(labels)), labels)["leak"]
    assert finding.severity == "suspect"
    assert finding.evidence.measure == "AUC"
    assert finding.evidence.low is not None
    assert 0.98 <= finding.evidence.low <= (finding.evidence.value or 0)
    assert 'known_at={"leak": ...}' in finding.action


def test_a_strong_column_is_not() -> None:
    """It differs on a tenth of the rows: it is a good feature, or an old value."""
    frame, labels = flights()
    assert found(frame.assign(good=wrong(labels, 0.1)), labels) == {}


@pytest.mark.parametrize("scale", [np.sqrt, np.log1p, lambda y: y.round(1), lambda y: -3 * y + 7])
def test_a_quantity_that_follows_from_another_is_found(scale: Any) -> None:
    """In another unit it is the label; by any increasing function it is nearly the label."""
    frame, prices = houses(2_000)
    finding = found(frame.assign(leak=scale(prices)), prices)["leak"]
    assert finding.severity in ("leak", "suspect")
    exact = bool(np.allclose(scale(prices), -3 * prices + 7))
    assert (finding.severity == "leak") == exact


def test_every_class_must_be_told() -> None:
    """A column that separates one class of three does not determine the label; a copy does."""
    kinds = RNG.integers(0, 3, 1_500)
    frame = pd.DataFrame(
        {
            "petal": (kinds == 0) * 9 + RNG.normal(size=1_500),
            "leak": kinds * 9 + RNG.normal(size=1_500),
        }
    )
    assert set(found(frame, kinds)) == {"leak"}


def test_a_column_with_gaps_is_judged_by_what_is_known() -> None:
    """It is filled in for two thirds of the rows, and correct there."""
    frame, labels = flights()
    leak = ((labels == "late") * 9 + RNG.normal(size=len(labels))).mask(RNG.random(4_000) < 0.3)
    finding = found(frame.assign(leak=leak), labels)["leak"]
    assert finding.evidence.rows == int(leak.notna().sum())


def test_a_rare_class_is_not_lost_in_the_sample() -> None:
    """One row in five hundred is late; the sample keeps them all."""
    rows = 60_000
    late = np.zeros(rows, bool)
    late[:: rows // 300] = True
    late = RNG.permutation(late)
    frame = pd.DataFrame({"noise": RNG.normal(size=rows), "leak": late + RNG.normal(0, 0.05, rows)})
    assert set(found(frame, late)) == {"leak"}


@pytest.mark.slow
def test_wide_tables_are_looked_at_in_fewer_rows() -> None:
    """Each of 2,100 columns is examined in 2,000 rows."""
    frame = pd.DataFrame(RNG.normal(size=(3_000, 2_100))).rename(columns=str)
    late = RNG.random(3_000) < 0.3
    finding = found(frame.assign(leak=late + RNG.normal(0, 0.05, 3_000)), late)["leak"]
    assert finding.evidence.rows == 2_000


def test_few_rows_are_unknown() -> None:
    """Nine late flights prove nothing, nor do twenty prices."""
    frame, labels = flights(300)
    labels = labels.mask(labels == "late", "on_time")
    labels.iloc[:9] = "late"
    report = check_training(LabelledTable.of(frame, labels))
    finding = next(f for f in report.findings if f.check == "label")
    assert (finding.severity, finding.features) == ("unknown", ())
    frame, prices = houses(20)
    report = check_training(LabelledTable.of(frame, prices))
    assert [f.severity for f in report.findings if f.check == "label"] == ["unknown"]


def test_a_perfect_column_in_few_rows_is_unknown() -> None:
    """A hundred rows of the rarest class cannot distinguish a strong feature from a copy."""
    late = np.arange(200) % 2 == 0
    frame = pd.DataFrame({"x": late + RNG.normal(0, 0.05, 200)})
    assert found(frame, late)["x"].severity == "unknown"
    many = np.tile(late, 4)
    frame = pd.DataFrame({"x": many + RNG.normal(0, 0.05, 800)})
    assert found(frame, many)["x"].severity == "suspect"


def test_what_was_known_in_time_is_only_good() -> None:
    """If timestamps prove it, there is no suspicion; later times are a separate finding."""
    frame, labels = flights()
    frame["near"] = wrong(labels, 0.005)
    before = frame["event"] - pd.Timedelta("1h")
    report = check_training(flight_table(frame, labels, known_at={"near": before}))
    assert report.findings == ()
    after = frame["event"] + pd.Timedelta("2h")
    report = check_training(flight_table(frame, labels, known_at={"near": after}))
    assert {f.check for f in report.alarms} == {"clock", "label"}


def test_an_entity_with_one_label_says_to_split_by_entity() -> None:
    """A customer with thirty rows is recognized by name."""
    customer = RNG.integers(0, 100, 3_000)
    churned = RNG.random(100) < 0.4
    frame = pd.DataFrame({"customer": customer.astype(str), "x": RNG.normal(size=3_000)})
    finding = found(frame, churned[customer], entity_key=("customer",))["customer"]
    assert finding.severity == "suspect"
    assert "one side of a split" in finding.action


def test_rows_without_a_label_are_left_out() -> None:
    """They do not count as a class."""
    frame, labels = flights(1_000)
    labels = labels.mask(np.arange(1_000) % 4 == 0)
    leak = labels.fillna("?")
    finding = found(frame.assign(leak=leak), labels)["leak"]
    assert finding.severity == "leak"
    assert finding.evidence.rows == 750


def test_without_labels_it_is_not_looked_for() -> None:
    """The report says so."""
    frame, _ = flights(100)
    assert check_training(LabelledTable.of(frame)).skipped["label"] == "there are no labels"
