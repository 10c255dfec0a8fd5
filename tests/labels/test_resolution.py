"""What becomes of each record: whatever is sent again, a row has at most one label."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.labels.label import Label
from gnomon.labels.matching import Matches
from gnomon.labels.resolution import FATES, fates
from tests.labels.labelled_log import stored

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def label(request: str, value: Any, correction: int = 0) -> Label:
    return Label(request_id=request, value=value, correction=correction)


def fate(*labels: Label, unmatched: str = "") -> list[str]:
    records = stored(*labels)
    names = records.column("request_id").to_pylist()
    known = sorted(set(names) - {unmatched})
    places = np.array([known.index(name) if name in known else -1 for name in names])
    rows = pa.table({"request_id": known})
    return list(fates(records, Matches(rows, places, np.full(len(names), None, dtype=object))))


def test_the_same_again_is_a_duplicate() -> None:
    """Same prediction, same correction number, same value."""
    assert fate(label("a", "no"), label("a", "no"), label("b", "no")) == [
        "counted", "duplicate", "counted"
    ]  # fmt: skip


def test_another_value_contradicts_and_neither_counts() -> None:
    """Nothing says which is true."""
    assert fate(label("a", "no"), label("a", "yes"), label("a", "no")) == [
        "contradictory", "contradictory", "duplicate"
    ]  # fmt: skip


def test_the_highest_correction_wins_also_over_contradictory_ones() -> None:
    """Whatever the order in which they come."""
    labels = label("a", "yes", 2), label("a", "no"), label("a", "yes"), label("a", "no", 1)
    assert fate(*labels) == ["counted", "superseded", "superseded", "superseded"]


def test_null_withdraws() -> None:
    """A correction may also say that nothing is known after all."""
    assert fate(label("a", "yes"), label("a", None, 1)) == ["superseded", "withdrawn"]


def test_unmatched_ones_are_not_counted_twice() -> None:
    """Sent again, an unmatched label is a duplicate of the first."""
    labels = label("a", "yes"), label("a", "yes"), label("a", "no", 1)
    assert fate(*labels, unmatched="a") == ["unmatched", "duplicate", "unmatched"]


RECORDS = st.lists(
    st.builds(
        label,
        request=st.sampled_from("abc"),
        value=st.sampled_from(["yes", "no"]),
        correction=st.integers(0, 2),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=8)
@given(labels=RECORDS, again=st.integers(1, 3), seed=st.randoms())
def test_sending_again_in_any_order_changes_no_label(
    labels: list[Label], again: int, seed: Any
) -> None:
    """Every record has one fate, and repeats are all duplicates."""
    once = Counter(fate(*labels, unmatched="c"))
    assert set(once) <= set(FATES)
    repeated = labels * (again + 1)
    seed.shuffle(repeated)
    more = Counter(fate(*repeated, unmatched="c"))
    assert more - Counter(duplicate=10**6) == once - Counter(duplicate=10**6)
    assert more["duplicate"] - once["duplicate"] == again * len(labels)
