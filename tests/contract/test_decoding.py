"""Request bodies into rows and batches."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Literal

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from gnomon.contract import Decoder, Feature
from gnomon.errors import BodyTooLarge, InvalidRequest, MalformedBody
from tests.contract.flight import FLIGHT, RECORD, body, refusal, without
from tests.contract.strategies import contract, contracts, features, records, values


def test_one_record_is_one_row() -> None:
    """A bare object is one record, and says so."""
    decoded = Decoder(FLIGHT).decode(body())
    assert decoded.single
    assert decoded.unknown == ()
    assert [astuple(row)[:5] for row in decoded.rows] == [(2475, 3.5, True, "UA", "N14228")]


@pytest.mark.parametrize("extra", [{}, {"note": 1}])
def test_rows_are_rows_in_order(extra: dict[str, Any]) -> None:
    """`rows` holds many records, wherever in the body it stands."""
    request = extra | {"rows": [RECORD, RECORD | {"distance": 100}]}
    decoded = Decoder(FLIGHT).decode(json.dumps(request).encode())
    assert not decoded.single
    assert [astuple(row)[0] for row in decoded.rows] == [2475, 100]
    assert decoded.unknown == tuple(extra)


def test_a_batch_has_the_contracts_schema() -> None:
    """Rows become one Arrow batch of the contract's input schema; timestamps are instants."""
    decoder = Decoder(FLIGHT)
    batch = decoder.batch(decoder.decode(body(dep_delay=None)).rows)
    assert batch.schema == FLIGHT.input_schema
    assert batch.column("dep_delay").to_pylist() == [None]
    assert batch.column("scheduled").cast(pa.timestamp("us", "UTC")).to_pylist() == [
        dt.datetime(2013, 4, 1, 9, 15, tzinfo=dt.UTC)
    ]


@pytest.mark.parametrize("outside", ["allow", "error"])
def test_an_interval_may_be_written_as_pandas_writes_it(outside: Literal["allow", "error"]) -> None:
    """`str` of an interval of integers has no points; the row has the category of training."""
    domain = ("(0.0, 10.0]", "(10.0, 12.5]")
    band = Feature(
        name="band", type="category", dtype="category[ordered, interval[float64, right]]",
        domain=domain, outside=outside,
    )  # fmt: skip
    decoder = Decoder(contract(band))
    texts = ["(0, 10]", *domain]
    decoded = decoder.decode(json.dumps({"rows": [{"band": text} for text in texts]}).encode())
    assert decoder.batch(decoded.rows)["band"].to_pylist() == ["(0.0, 10.0]", *domain]
    assert decoder.outside(decoded.rows) == {}
    extra = decoder.decode(b'{"band": "(0, 10]", "x": 1}')
    assert decoder.batch(extra.rows)["band"].to_pylist() == ["(0.0, 10.0]"]


def test_unknown_fields_are_kept_by_name() -> None:
    """Fields that are not features are named once, in order, and the record is still read."""
    rows: list[dict[str, Any]] = [
        RECORD | {"b": 1, "a": None},
        RECORD | {"a": {"deep": []}, "c": 0},
    ]
    decoded = Decoder(FLIGHT).decode(json.dumps({"rows": rows}).encode())
    assert decoded.unknown == ("b", "a", "c")
    assert len(decoded.rows) == 2


@pytest.mark.parametrize("extra", [{}, {"unknown": 1}])
def test_absent_fields_follow_the_contract(extra: dict[str, Any]) -> None:
    """An absent field is a null to impute, its default, or an error, as its feature says."""
    decoder = Decoder(FLIGHT)
    rest = {k: v for k, v in RECORD.items() if k not in ("dep_delay", "weekend")} | extra
    row = decoder.decode(json.dumps(rest).encode()).rows[0]
    assert astuple(row)[1:3] == (None, False)
    error = refusal(without("carrier"))
    assert (error.where, error.message) == (
        "$.carrier",
        "expected category, but the field is missing",
    )


def test_a_missing_field_names_the_unknown_field() -> None:
    """A misspelt field is an unknown one and a missing one: the error names both."""
    misspelt = without("carrier")[:-1] + b', "Carrier": "UA"}'
    assert "Carrier" in str(refusal(misspelt))


def test_a_default_timestamp_is_read_as_one() -> None:
    """The default of a timestamp is written as a request would send it."""
    start = "2013-01-01T00:00:00Z"
    feature = Feature(
        name="t", type="timestamp", dtype="datetime64[us, UTC]", missing="default", default=start
    )
    decoder = Decoder(contract(feature))
    assert astuple(decoder.decode(b"{}").rows[0]) == (dt.datetime(2013, 1, 1, tzinfo=dt.UTC),)


@pytest.mark.parametrize(
    ("given", "where", "message"),
    [
        (b"[]", "$", "expected an object, got an array"),
        (b"3", "$", "expected an object, got 3"),
        (b"null", "$", "expected an object, got null"),
        (b'{"rows": {}}', "$.rows", "expected an array, got an object"),
        (b'{"rows": null}', "$.rows", "expected an array, got null"),
        (b'{"rows": []}', "$.rows", "expected at least one row, got []"),
        (b'{"x": 1, "rows": []}', "$.rows", "expected at least one row, got []"),
        (b'{"rows": [1]}', "$.rows[0]", "expected an object, got 1"),
        (b"{}", "$.distance", "expected integer, but the field is missing"),
    ],
)
def test_json_of_another_shape_is_refused(given: bytes, where: str, message: str) -> None:
    """JSON that is neither a record nor rows of records is refused at the place it goes wrong."""
    error = refusal(given)
    assert not isinstance(error, MalformedBody)
    assert (error.where, error.message) == (where, message)


@pytest.mark.parametrize("extra", [b"", b', "unknown": 0'])
def test_the_last_of_a_repeated_key_counts(extra: bytes) -> None:
    """Of a key given twice the last value counts, on either path."""
    request = body()[:-1] + b', "distance": 200' + extra + b"}"
    assert astuple(Decoder(FLIGHT).decode(request).rows[0])[0] == 200


def test_values_outside_are_let_through_and_counted() -> None:
    """Values outside the domain or range are accepted by default, and counted by feature."""
    decoder = Decoder(FLIGHT)
    changed: list[dict[str, Any]] = [{}, {"distance": 79}, {"distance": 4984, "carrier": "ZZ"}]
    request = json.dumps({"rows": [RECORD | change for change in changed]}).encode()
    assert decoder.outside(decoder.decode(request).rows) == {"distance": 2, "carrier": 1}
    assert decoder.outside(decoder.decode(body(dep_delay=None)).rows) == {}


def test_ten_thousand_rows_are_read() -> None:
    """A large request is read whole; the limit is the caller's to set."""
    decoder = Decoder(FLIGHT)
    rows = decoder.decode(json.dumps({"rows": [RECORD] * 10_000}).encode()).rows
    assert decoder.batch(rows).num_rows == 10_000


@pytest.mark.parametrize("extra", [{}, {"unknown": 1}])
def test_more_rows_than_allowed_are_refused(extra: dict[str, Any]) -> None:
    """The limit holds on either path, and is checked before the rows are read one by one."""
    request = json.dumps({"rows": [RECORD | extra] * 3 + [{}] * bool(extra)}).encode()
    with pytest.raises(BodyTooLarge, match="expected at most 2 rows, got") as caught:
        Decoder(FLIGHT).decode(request, max_rows=2)
    assert (caught.value.where, caught.value.status) == ("$.rows", 413)
    assert len(Decoder(FLIGHT).decode(json.dumps({"rows": [RECORD] * 2}).encode(), 2).rows) == 2


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_record_survives_the_journey_to_arrow(data: st.DataObject) -> None:
    """JSON in, Arrow out: every accepted value is the value that was sent."""
    given_contract = data.draw(contracts())
    sent = data.draw(st.lists(records(given_contract), min_size=1, max_size=4))
    decoder = Decoder(given_contract)
    decoded = decoder.decode(json.dumps({"rows": sent}).encode())
    batch = decoder.batch(decoded.rows)
    assert batch.schema == given_contract.input_schema
    for feature in given_contract.features:
        expected = [record[feature.name] for record in sent]
        if feature.type == "timestamp":
            expected = [v and dt.datetime.fromisoformat(v) for v in expected]
        assert batch.column(feature.name).to_pylist() == expected


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_two_paths_agree(data: st.DataObject) -> None:
    """An unknown field selects the slower path, which must give the same result."""
    feature = data.draw(features())
    number = st.integers() | st.floats(allow_nan=False)
    odd = st.none() | st.booleans() | number | number.map(str) | st.text() | st.dates().map(str)
    value = data.draw(values(feature) | odd)
    try:
        text = json.dumps({"x": value}, allow_nan=False)
    except ValueError:
        assume(False)
    decoder = Decoder(contract(feature))

    def outcome(given: str) -> Any:
        try:
            return decoder.decode(given.encode()).rows
        except InvalidRequest as error:
            return str(error)

    assert outcome(text) == outcome(text[:-1] + ', "unknown": 0}')
