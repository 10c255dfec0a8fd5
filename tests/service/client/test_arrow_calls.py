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
