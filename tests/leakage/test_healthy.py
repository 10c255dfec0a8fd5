"""Healthy data raises no alarm, and no check is inconclusive."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from gnomon.leakage import LabelledTable, LeakageReport, check_split, check_training
from models.data import FEATURES
from models.data import flights as real_flights
from tests.leakage.data import BUNDLED, bundled, flight_table, flights, houses


def notes(report: LeakageReport) -> set[str]:
    """The checks that only had a note; there must be nothing worse."""
    assert all(finding.severity == "note" for finding in report.findings), report.findings
    return {finding.check for finding in report.findings}


@pytest.mark.parametrize("name", BUNDLED)
def test_what_comes_with_scikit_learn(name: str) -> None:
    """Strong columns are not copies: one petal separates 95 of 100 irises."""
    frame, labels = bundled(name)
    found = notes(check_training(LabelledTable.of(frame, labels)))
    assert found == ({"row order"} if name in ("iris", "wine") else set())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", BUNDLED)
def test_a_random_split_of_it(name: str, seed: int) -> None:
    """An iris that is there twice may come to both sides."""
    frame, labels = bundled(name)
    left, right, ours, theirs = train_test_split(frame, labels, random_state=seed)
    assert (
        notes(check_split(LabelledTable.of(left, ours), LabelledTable.of(right, theirs))) == set()
    )


def test_iris_with_two_classes() -> None:
    """One petal separates them perfectly in 150 rows, which is inconclusive."""
    frame, labels = bundled("iris")
    report = check_training(LabelledTable.of(frame, labels == 0))
    assert {finding.severity for finding in report.findings} <= {"unknown", "note"}
    petals = [f for f in report.findings if f.check == "label"]
    assert petals
    assert all("150 rows do not distinguish" in finding.sentence for finding in petals)


def test_houses() -> None:
    """Skewed, capped, repeated and sorted by place."""
    frame, prices = houses()
    assert notes(check_training(LabelledTable.of(frame, prices))) == set()
    assert notes(check_split(LabelledTable.of(frame[::2]), LabelledTable.of(frame[1::2]))) == set()


def test_flights_split_by_time() -> None:
    """Time, key and features, trained before and held out after."""
    frame, labels = flights()
    early, later = slice(0, 3_000), slice(3_000, None)
    train = flight_table(frame[early], labels[early])
    assert notes(check_training(train)) == set()
    assert notes(check_split(train, flight_table(frame[later], labels[later]))) == set()


def test_the_flights_of_the_demo() -> None:
    """This repository trains on them, with the times of New York."""
    rows = real_flights(1, 2, 3).dropna(subset="outcome")
    march = rows["time_hour"] >= pd.Timestamp("2013-03-01", tz="UTC")

    def table(some: pd.DataFrame) -> LabelledTable:
        features = some[list(FEATURES)]
        return LabelledTable.of(
            features, some["outcome"], event_time="time_hour", entity_key=("flight_id",)
        )

    train = table(rows[~march])
    assert notes(check_training(train)) == set()
    assert notes(check_split(train, table(rows[march]))) == set()


@pytest.mark.parametrize("seed", range(20))
def test_noise(seed: int) -> None:
    """Columns of every kind that have nothing to do with a rare label, and ids among them."""
    random = np.random.default_rng(seed)
    rows = int(random.integers(200, 3_000))
    labels: Any = random.random(rows) < random.uniform(0.05, 0.5)
    frame = pd.DataFrame(
        {
            "id": random.permutation(rows),
            "name": [f"n{n}" for n in random.permutation(rows)],
            "whole": random.integers(0, 50, rows),
            "float": random.lognormal(0, 2, rows),
            "text": random.choice(list("abcdefgh"), rows),
            "many": random.integers(0, rows // 3, rows).astype(str),
            "flag": random.random(rows) < 0.5,
            "sparse": np.where(random.random(rows) < 0.9, np.nan, random.normal(size=rows)),
        }
    )
    assert notes(check_training(LabelledTable.of(frame, labels))) == set()
    assert notes(check_training(LabelledTable.of(frame, random.normal(size=rows)))) == set()
    assert notes(check_split(LabelledTable.of(frame[::2]), LabelledTable.of(frame[1::2]))) == set()
