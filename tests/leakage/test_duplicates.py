"""Rows, entities and days that a holdout shares with the training data."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from gnomon.leakage import LabelledTable, LeakageReport, check_split
from tests.leakage.data import RNG, bundled, flight_table, flights, houses


def split(train: pd.DataFrame, holdout: pd.DataFrame, **roles: Any) -> LeakageReport:
    """The report of a split."""
    return check_split(LabelledTable.of(train, **roles), LabelledTable.of(holdout, **roles))


def severities(report: LeakageReport) -> dict[str, str]:
    """Return the severities by check."""
    return {finding.check: finding.severity for finding in report.findings}


def test_rows_on_both_sides_are_a_leak() -> None:
    """One in twenty of the holdout; how many and which."""
    frame, _ = houses(2_000)
    holdout = pd.concat([frame[1_000:1_950], frame[:50]], ignore_index=True)
    report = split(frame[:1_000], holdout)
    (finding,) = report.findings
    assert (finding.check, finding.severity) == ("duplicates", "leak")
    assert (finding.evidence.hits, finding.evidence.rows) == (50, 1_000)
    assert finding.evidence.examples[0] == "row 950 of the holdout"


def test_data_that_was_repeated_before_the_split_is_found() -> None:
    """Rare classes drawn several times, then split by chance."""
    frame, labels = bundled("breast_cancer")
    grown = pd.concat([frame, *[frame[labels == 0]] * 3], ignore_index=True)
    grown = grown.sample(frac=1, random_state=0)
    assert severities(split(grown[:900], grown[900:])) == {"duplicates": "leak"}


def test_equal_rows_are_equal_whatever_their_dtypes() -> None:
    """An integer that became a float on one side, or text that became a category."""
    frame, _ = flights(1_000)
    frame = frame.drop(columns=["flight", "event"]).assign(x=RNG.normal(size=1_000))
    other = frame.astype({"seats": "float64", "carrier": "category", "wind": "Float64"})
    assert severities(split(frame, other)) == {"duplicates": "leak"}


def test_rows_of_few_values_are_alike_by_chance() -> None:
    """Two dice and a coin repeat by chance: that is not a copy."""
    rolls = pd.DataFrame(
        {
            "one": RNG.integers(1, 7, 2_000),
            "two": RNG.integers(1, 7, 2_000),
            "coin": RNG.choice(["head", "tail"], 2_000),
        }
    )
    assert split(rolls[:1_000], rolls[1_000:]).findings == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.assign(income=rows["income"] + 1e-5),
        lambda rows: rows.assign(town=rows["town"].str.upper() + "  "),
        lambda rows: rows.assign(id=range(9_000, 9_000 + len(rows))),
    ],
    ids=["rounding", "case and spaces", "another name"],
)
def test_rows_that_are_nearly_the_same_are_suspect(change: Any) -> None:
    """A record that was entered twice."""
    frame, _ = houses(2_000)
    frame["town"] = RNG.choice(["Palo Alto", "San José", "Oakland"], 2_000)
    frame["id"] = range(2_000)
    holdout = pd.concat([frame[1_000:1_900], change(frame[:100])], ignore_index=True)
    report = split(frame[:1_000], holdout)
    assert severities(report) == {"near duplicates": "suspect"}
    assert 100 <= (report.findings[0].evidence.hits or 0) <= 110


def test_entities_on_both_sides_are_suspect() -> None:
    """Customers with rows on both sides."""
    frame, _ = houses(2_000)
    frame["customer"] = RNG.integers(0, 300, 2_000)
    report = split(frame[:1_000], frame[1_000:], entity_key=("customer",))
    (finding,) = report.findings
    assert (finding.check, finding.severity) == ("entities", "suspect")
    assert finding.features == ("customer",)
    apart = frame["customer"] < 150
    assert split(frame[apart], frame[~apart], entity_key=("customer",)).findings == ()


def test_entities_that_come_back_later_are_a_note() -> None:
    """Online they come back as well."""
    frame, labels = flights()
    frame["flight"] = RNG.choice(["UA1", "UA2", "AA7"], len(frame))
    first, second = slice(0, 2_000), slice(2_000, None)
    train, later = flight_table(frame[first], labels[first]), flight_table(frame[second], None)
    assert severities(check_split(train, later)) == {"entities": "note"}
    mixed = flight_table(frame[::2], None), flight_table(frame[1::2], None)
    assert severities(check_split(*mixed))["entities"] == "suspect"


def test_a_split_by_chance_overlaps_in_time() -> None:
    """The holdout has days that the model has seen; the days are listed."""
    frame, labels = flights()
    report = check_split(
        flight_table(frame[::2], labels[::2]), flight_table(frame[1::2], labels[1::2])
    )
    (finding,) = report.findings
    assert (finding.check, finding.severity) == ("time overlap", "suspect")
    assert "2013-01-01 00:00 to 2013-03-31" in finding.sentence
    assert finding.evidence.value is not None
    assert finding.evidence.value > 0.99


def test_a_holdout_from_before_is_told_so() -> None:
    """The model was trained on the future of the holdout."""
    frame, _ = flights()
    train, holdout = frame[2_000:], frame[:2_000]
    report = check_split(flight_table(train, None), flight_table(holdout, None))
    assert report.findings[0].sentence.startswith("the entire holdout is before")


def test_a_holdout_without_times_is_unknown() -> None:
    """The column is there and empty."""
    frame, _ = flights(400)
    holdout = frame[200:].assign(event=pd.NaT)
    report = check_split(flight_table(frame[:200], None), flight_table(holdout, None))
    assert severities(report) == {"time overlap": "unknown"}


def test_what_was_not_named_is_not_looked_for() -> None:
    """Without key and event time, the report says so."""
    frame, _ = houses(400)
    report = split(frame[:200], frame[200:])
    assert set(report.skipped) == {"entities", "time overlap"}
    assert set(report.passed) == {"duplicates", "near duplicates"}
