"""Rows found by exact keys."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.labels.key_finder import KeyFinder, row_key

KEYS = st.lists(st.text("ab-/0\N{LATIN SMALL LETTER E WITH ACUTE}", max_size=3) | st.none())


@settings(max_examples=20)
@given(keys=KEYS, batch=KEYS)
def test_it_finds_each_key_that_is_searched_for(
    keys: list[str | None], batch: list[str | None]
) -> None:
    """And says which; nulls are never found."""
    finder = KeyFinder(pa.array(keys, pa.string()))
    known = finder.keys.to_pylist()
    assert known == sorted({key for key in keys if key is not None}, key=str.encode)
    positions, places = finder.find(pa.array(batch, pa.string()))
    found = dict(zip(positions.to_pylist(), places.to_pylist(), strict=True))
    expected = {n: known.index(key) for n, key in enumerate(batch) if key in known}
    assert found == expected
    all_places = finder.places(pa.array(batch, pa.string())).tolist()
    assert all_places == [expected.get(n, -1) for n in range(len(batch))]


def test_a_row_is_named_by_its_request_and_number() -> None:
    """The key of rows of the log and of labels."""
    assert row_key(pa.array(["a"]), pa.array([2], pa.int32())).to_pylist() == ["a/2"]
