"""Frames as a client sends them in Arrow."""

from __future__ import annotations

import json

import pandas as pd

from gnomon.service.client.arrow_calls import BatchStream
from gnomon.service.lane.arrow_records import arrow_lines


def test_categories_that_are_intervals_are_sent_as_their_text() -> None:
    """As in JSON: Arrow writes them as a type that it cannot read again."""
    frame = pd.DataFrame({"age": [3.0, 30.0, None]})
    frame["band"] = pd.cut(frame["age"], [0, 18, 99])
    stream = BatchStream(None, "here")
    lines = arrow_lines(stream.encode(frame) + stream.last())
    assert all(isinstance(line, bytes) for line in lines)
    bands = [json.loads(line)["band"] for line in lines if isinstance(line, bytes)]
    assert bands == ["(0.0, 18.0]", "(18.0, 99.0]", None]
    assert isinstance(frame["band"].dtype, pd.CategoricalDtype)
    assert frame["band"].dtype.categories.inferred_type == "interval"


def test_records_are_sent_with_every_kind_of_null() -> None:
    """As in JSON: `frame.to_dict("records")` keeps NaT and NA, which Arrow does not convert."""
    stream = BatchStream(None, "here")
    record = {"at": pd.Timestamp("2024-01-31T12:00Z"), "city": "Ulm", "age": 3.0}
    nulls = {"at": pd.NaT, "city": pd.NA, "age": float("nan")}
    lines = arrow_lines(stream.encode([record, nulls]) + stream.last())
    assert [json.loads(line) for line in lines if isinstance(line, bytes)] == [
        {"at": "2024-01-31T12:00:00Z", "city": "Ulm", "age": 3.0},
        {"at": None, "city": None, "age": None},
    ]


def test_a_key_that_the_first_record_lacks_is_sent() -> None:
    """Arrow takes the columns of a list of dictionaries from the first, and drops other keys."""
    stream = BatchStream(None, "here")
    lines = arrow_lines(stream.encode([{"x": 1}, {"x": 2, "y": "a"}]) + stream.last())
    rows = [json.loads(line) for line in lines if isinstance(line, bytes)]
    assert [row.get("y") for row in rows] == [None, "a"]
