"""The segments by which rows are split, and the names of bins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from gnomon.drift.segments import Segments, place_names
from tests.drift.columns import frozen


def test_values_are_segments_and_rare_ones_go_together() -> None:
    """The 11 most frequent values; null is a segment of its own."""
    training = [f"v{i:02d}" for i in range(20) for _ in range(40 - i)]
    segments = Segments(frozen(training))
    given = pa.array(["v00", "v10", "v11", "unheard of", None])
    assert segments.of(given) == ["v00", "v10", "all others", "all others", "null"]


def test_a_number_is_four_stretches() -> None:
    """Named by their ends, with about as many training rows each."""
    segments = Segments(frozen(np.arange(1000.0)))
    found = segments.of(pa.array([-5.0, 260.0, 700.0, 5000.0, None]))
    assert len(set(found)) == 5
    assert (found[0][:5], found[3][-9:], found[4]) == ("below", "and above", "null")


def test_a_number_of_few_values_is_its_values() -> None:
    """The values are written as they are in the data."""
    segments = Segments(frozen(np.repeat([0.0, 1.0, 2.5], 50)))
    assert segments.of(pa.array([0.0, 1.0, 2.5])) == ["0", "1", "2.5"]


def test_stretches_of_time_are_named_in_iso_8601() -> None:
    """They are not named in seconds since 1970."""
    bins = frozen(pd.date_range("2013-04-01", periods=1000, freq="h", tz="UTC"))
    assert all("2013-0" in name and "Z" in name for name in place_names(bins))
    found = Segments(bins).of(
        pa.array([pd.Timestamp("2013-04-01T07:00Z")], pa.timestamp("us", "UTC"))
    )
    assert found[0].startswith("below 2013-04-")
    assert found[0].endswith("Z")
