"""Checking frames and records against a contract."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.artifact.profile import SCHEMA
from gnomon.contract import Check, Contract, ContractReport, Decoder, Feature, check_frame
from gnomon.contract.check.column_judge import Times
from gnomon.contract.check.contract_report import CheckFinding
from gnomon.errors import InvalidRequest
from tests.contract.flight import FLIGHT, RECORD
from tests.contract.strategies import contract, contracts, records

NOW = 1_700_000_000_000_000
AGED = contract(
    Feature(name="at", type="timestamp", dtype="datetime64[us, UTC]"),
    Feature(
        name="seen",
        type="timestamp",
        dtype="datetime64[us, UTC]",
        nullable=True,
        missing="impute",
        max_age=dt.timedelta(hours=6),
    ),
)


def frame(**changes: Any) -> pd.DataFrame:
    """Three flights, with some columns changed; None takes a column out."""
    record = RECORD | {
        "scheduled": pd.Timestamp(RECORD["scheduled"]).tz_convert("America/New_York")
    }
    columns = {**{name: [value] * 3 for name, value in record.items()}, **changes}
    return pd.DataFrame({name: values for name, values in columns.items() if values is not None})


def only(checked: ContractReport) -> CheckFinding:
    """The one finding there is."""
    (finding,) = checked.findings
    return finding


def batch_from_records(*given: Any, by: Contract = FLIGHT) -> ContractReport:
    """Records that arrived a second after each other."""
    check = Check(by)
    micros = NOW + np.arange(len(given)) * 1_000_000
    check.add_records(given, lambda row: f"r {row}", Times(micros, micros > 0))
    return check.result()


def test_rows_that_keep_to_it() -> None:
    """No finding, and nothing is stored."""
    assert check_frame(frame(), FLIGHT).findings == ()
    assert check_frame(frame(), FLIGHT).verdict == "kept"
    assert check_frame(frame()[:0], FLIGHT).verdict == "unknown"


@pytest.mark.parametrize(
    ("changes", "feature", "rule", "level", "rows", "got"),
    [
        ({"distance": [80, 100.5, 90]}, "distance", "type", "broken", 1, "100.5"),
        ({"distance": [80, None, None]}, "distance", "null", "broken", 2, "null"),
        ({"distance": [80, 79, 80]}, "distance", "range", "allowed", 1, "79"),
        ({"distance": ["80"] * 3}, "distance", "type", "broken", 3, '"80"'),
        ({"dep_delay": [1.0, None, np.nan]}, None, None, None, 0, None),
        ({"weekend": [0, 1, 0]}, "weekend", "type", "broken", 3, "0"),
        ({"weekend": None}, "weekend", "missing", "allowed", 3, "no such field"),
        ({"carrier": None}, "carrier", "missing", "broken", 3, "no such field"),
        ({"carrier": ["UA", "ZZ", "ZZ"]}, "carrier", "domain", "allowed", 2, '"ZZ"'),
        ({"extra": [1, 2, 3]}, "extra", "unknown", "allowed", 3, "a column of int64"),
        ({"scheduled": pd.to_datetime(["2013-04-01T12:00Z"] * 3)}, None, None, None, 0, None),
        (
            {"scheduled": pd.to_datetime(["2013-04-01"] * 3)},
            "scheduled",
            "timezone",
            "broken",
            3,
            '"2013-04-01T00:00:00"',
        ),
    ],
)
def test_each_rule(
    changes: dict[str, Any],
    feature: str | None,
    rule: str | None,
    level: str | None,
    rows: int,
    got: str | None,
) -> None:
    """A finding has the feature, the level, the number of rows and the values."""
    checked = check_frame(frame(**changes), FLIGHT)
    if feature is None:
        assert checked.findings == ()
        return
    finding = only(checked)
    assert (finding.feature, finding.rule, finding.level) == (feature, rule, level)
    assert (finding.rows, finding.of, finding.share) == (rows, 3, rows / 3)
    assert got in finding.got
    assert finding.examples[0].got == got


def test_a_finding_says_where_to_look() -> None:
    """Rows are numbered through all frames that were added; the frequent values come first."""
    check = Check(FLIGHT)
    check.add_frame(frame())
    check.add_frame(frame(carrier=["UA", "ZZ", "UA"]))
    check.add_frame(frame(carrier=["YY", "YY", "UA"]))
    finding = only(check.result())
    assert list(finding.got.items()) == [('"YY"', 2), ('"ZZ"', 1)]
    assert [example.row for example in finding.examples] == [4, 6, 7]
    assert finding.expected == 'one of "AA", "B6", "UA"'


def test_a_bound_that_refuses_is_broken() -> None:
    """The same value is let through, or refused, as the contract says."""
    strict = msgspec.structs.replace(
        FLIGHT,
        features=tuple(msgspec.structs.replace(f, outside="error") for f in FLIGHT.features),
    )
    findings = check_frame(frame(carrier=["ZZ"] * 3, distance=[1, 80, 80]), strict).findings
    assert [(finding.feature, finding.level, finding.rows) for finding in findings] == [
        ("distance", "broken", 1),
        ("carrier", "broken", 3),
    ]


def test_untyped_text_is_read_as_what_it_spells() -> None:
    """As in CSV files: one invalid value does not invalidate a column of numbers."""
    odd = frame(distance=["80", "90", "x"], weekend=["true", "false", "maybe"])
    findings = check_frame(odd, FLIGHT, text=True).findings
    assert [(finding.feature, finding.rule, finding.rows) for finding in findings] == [
        ("distance", "type", 1),
        ("weekend", "type", 1),
    ]


def test_records_are_held_to_the_same_rules() -> None:
    """Each with fields of its own, an arrival, and what has no shape at all."""
    lacks = {name: value for name, value in RECORD.items() if name != "carrier"}
    checked = batch_from_records(RECORD, lacks, RECORD | {"distance": "x", "new": 1}, [1])
    findings = {(finding.feature, finding.rule): finding for finding in checked.findings}
    assert {key: finding.level for key, finding in findings.items()} == {
        ("$", "type"): "broken",
        ("carrier", "missing"): "broken",
        ("distance", "type"): "broken",
        ("new", "unknown"): "allowed",
    }
    lost = findings["carrier", "missing"]
    assert (lost.rows, lost.of, lost.examples[0].row) == (1, 4, "r 1")
    moment = dt.datetime.fromtimestamp(NOW / 1e6 + 1, dt.UTC)
    assert lost.first == lost.last == lost.examples[0].at == moment


def test_an_age_is_that_at_arrival() -> None:
    """Six hours are six hours; five minutes ahead is clock skew, more is the future."""
    arrival = dt.datetime.fromtimestamp(NOW / 1e6, dt.UTC)
    for hours, rule in ((5.9, None), (6.1, "stale"), (-0.05, None), (-0.2, "future")):
        seen = arrival - dt.timedelta(hours=hours)
        record = {"at": arrival.isoformat(), "seen": seen.isoformat()}
        findings = batch_from_records(record, by=AGED).findings
        assert [f.rule for f in findings] == ([] if rule is None else [rule]), hours
    assert batch_from_records({"at": arrival.isoformat(), "seen": None}, by=AGED).verdict == "kept"


def test_the_age_in_a_frame_is_that_at_the_event() -> None:
    """Without an event time the age is unknown, which is reported."""
    at = pd.to_datetime(["2024-01-01T12:00Z", "2024-01-01T12:00Z"])
    seen = pd.to_datetime(["2024-01-01T11:00Z", "2024-01-01T01:00Z"])
    rows = pd.DataFrame({"at": at, "seen": seen})
    finding = only(check_frame(rows, msgspec.structs.replace(AGED, event_time="at")))
    assert (finding.rule, finding.rows, finding.examples[0].row) == ("stale", 1, 1)
    blind = check_frame(rows, AGED)
    assert blind.findings == ()
    assert any("seen: its age" in why for why in blind.unchecked)


def profile_of(values: np.ndarray[Any, Any]) -> Any:
    """The training profile of one number, in bins between quantiles."""
    import pyarrow as pa

    edges = np.quantile(values, np.linspace(0, 1, 21))[1:-1]
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=20)
    row = {
        "kind": "input", "name": "x", "rows": len(values), "nulls": 0, "edges": edges.tolist(),
        "minimum": values.min(), "maximum": values.max(), "counts": counts.tolist(),
    }  # fmt: skip
    return pa.Table.from_pylist([row], schema=SCHEMA)


NUMBER = contract(Feature(name="x", type="float", dtype="float64", unit="miles"))


def test_another_unit_is_suspected() -> None:
    """The training profile decides: a sample of training data is not suspected, nor a shift by a
    third.
    """
    random = np.random.default_rng(3)
    trained = random.gamma(3, 400, 20_000)
    profile = profile_of(trained)
    for factor in (1.609344, 1000, 1 / 2.54, 1, 1.3):
        suspected = factor not in (1, 1.3)
        rows = pd.DataFrame({"x": random.choice(trained, 2_000) * factor})
        checked = check_frame(rows, NUMBER, profile=profile)
        assert (checked.verdict == "suspected") == suspected, factor
    rows = pd.DataFrame({"x": trained[:2_000] * 1.609344})
    finding = only(check_frame(rows, NUMBER, profile=profile))
    assert "kilometres and miles" in str(finding.hint)
    assert finding.expected.startswith("miles, median")


def test_a_temperature_in_another_unit_is_suspected() -> None:
    """A shift is reported only if the numbers are far off; three degrees are normal variation."""
    trained = np.random.default_rng(4).normal(12, 8, 20_000)
    profile = profile_of(trained)
    for x, y, units in (
        (1.8, 32.0, "Celsius and Fahrenheit"),
        (1.0, 273.15, "Celsius and Kelvin"),
        (1.0, 3.0, None),
    ):
        checked = check_frame(pd.DataFrame({"x": trained[:2_000] * x + y}), NUMBER, profile=profile)
        assert [str(units) in str(finding.hint) for finding in checked.findings] == [True] * bool(
            units
        )


def test_checks_merge() -> None:
    """Parts of a log that are checked separately add up to the complete log."""
    odd = [RECORD | {"carrier": "ZZ"}, RECORD | {"distance": 1.5}, RECORD] * 20
    micros = NOW + np.arange(len(odd)) * 1_000_000
    whole = Check(FLIGHT)
    whole.add_records(odd, str, Times(micros, micros > 0))
    parts = [Check(FLIGHT), Check(FLIGHT)]
    for part, rows in zip(parts, (slice(0, 30), slice(30, 60)), strict=True):
        first = rows.start
        part.add_records(
            odd[rows],
            lambda row, first=first: str(first + row),
            Times(micros[rows], micros[rows] > 0),  # type: ignore[misc]
        )
    parts[0].merge(parts[1])
    assert parts[0].result() == whole.result()


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.just([]),
    st.sampled_from(["3", "true", "2013-01-31T18:05:00Z", "2013-01-31T18:05:00"]),
)


@settings(deadline=None)  # the first decoder imports pandas
@given(contracts(), st.data())
def test_broken_is_what_a_decoder_refuses(given_: Contract, data: st.DataObject) -> None:
    """The rules are the decoder's, whatever the contract and the record."""
    record = data.draw(records(given_))
    name = data.draw(st.sampled_from([*record]))
    if data.draw(st.booleans()):
        del record[name]
    else:
        record[name] = data.draw(ODD)
    try:
        Decoder(given_).decode(json.dumps(record).encode())
        refused = False
    except InvalidRequest:
        refused = True
    try:
        parsed = msgspec.json.decode(json.dumps(record).encode())
    except msgspec.DecodeError:  # an integer beyond a double: no JSON reader takes it
        assert refused
        return
    assert (batch_from_records(parsed, by=given_).verdict == "broken") == refused


def test_the_most_frequent_values_are_kept() -> None:
    """If there are more different values than a finding holds, those of most rows are kept."""
    rows = pd.concat([frame()] * 60, ignore_index=True)
    rows["carrier"] = [f"X{n}" for n in range(175)] + ["ZZ"] * 5
    check = Check(FLIGHT)
    check.add_frame(rows)
    finding = only(check.result())
    assert next(iter(finding.got.items())) == ('"ZZ"', 5)
    assert len(finding.got) < 175
