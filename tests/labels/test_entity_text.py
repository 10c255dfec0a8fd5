"""The entity of a row as one text."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.labels.entity_text import entity_texts, name_text

TEXTS = st.text(max_size=5) | st.none() | st.sampled_from(['"', "\\", "\x1f", "a,b", '","'])


@settings(max_examples=20)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), max_size=6))
def test_it_is_the_json_of_the_values_and_no_two_entities_share_it(
    rows: list[tuple[str | None, str | None]],
) -> None:
    """Whatever characters the values have; null among them is no entity."""
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in (0, 1)]
    found = entity_texts(columns).to_pylist()
    assert [None if text is None else tuple(json.loads(text)) for text in found] == [
        None if None in row else row for row in rows
    ]
    for text in filter(None, found):
        assert text == name_text(json.loads(text))


def test_a_timestamp_is_the_same_entity_in_any_zone() -> None:
    """Values are written in the type of the contract, in UTC."""
    time = datetime(2026, 11, 1, 12, tzinfo=UTC)
    zoned = pa.array([time], pa.timestamp("us", tz="America/New_York"))
    assert entity_texts([zoned]).to_pylist() == ['["2026-11-01 12:00:00.000000Z"]']
    others = [pa.array([7]), pa.array([True]), pa.array([date(2026, 1, 2)])]
    assert entity_texts(others).to_pylist() == ['["7","true","2026-01-02"]']
    assert entity_texts([pa.array([Decimal("1.50")])]).to_pylist() == ['["1.50"]']
