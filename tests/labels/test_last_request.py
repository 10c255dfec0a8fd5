"""The last row of an entity at or before a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.labels.last_request import LastRequests

PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), min_size=1, max_size=8)


@settings(max_examples=20)
@given(labels=PAIRS, batches=st.lists(PAIRS, max_size=4), within=st.integers(0, 4))
def test_it_is_what_a_look_at_all_rows_finds(
    labels: list[tuple[int, int]], batches: list[list[tuple[int, int]]], within: int
) -> None:
    """However the rows are divided into batches; rows of one time are ties."""
    entities, times = (np.array(column) for column in zip(*labels, strict=True))
    last = LastRequests(entities, times, within)
    seen = 0
    for batch in batches:
        of, arrived = (np.array(column) for column in zip(*batch, strict=True))
        last.see(of, arrived, np.arange(seen, seen + len(batch)))
        seen += len(batch)
    rows = [row for batch in batches for row in batch]
    for number, (entity, time) in enumerate(labels):
        candidates = [t for e, t in rows if e == entity and time - within <= t <= time]
        if not candidates:
            assert last.row[number] == -1
            continue
        best = max(candidates)
        assert rows[last.row[number]] == (entity, best)
        assert last.ties[number] == candidates.count(best)
