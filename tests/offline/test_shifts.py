import numpy as np
import pyarrow as pa
import pytest

from gnomon.offline.shifts import NOW, SHIFTS, Shift, Shifted, changing


@pytest.mark.parametrize(
    ("shift", "what"),
    [
        (Shift(step=-1), "1 version earlier"),
        (Shift(step=2), "2 versions later"),
        (Shift(hours=-1), "1 hour earlier"),
        (Shift(hours=24), "1 day later"),
        (Shift(hours=-168), "7 days earlier"),
    ],
)
def test_a_shift_says_how_far_it_is(shift: Shift, what: str) -> None:
    """The distance is in versions or in time."""
    assert shift.what == what


def test_the_next_versions_and_three_lags_are_tried_both_ways() -> None:
    """One version, an hour, a day and a week, earlier and later."""
    assert [(s.step, s.hours) for s in SHIFTS] == [
        (-1, 0), (1, 0), (0, -1), (0, -24), (0, -168), (0, 1), (0, 24), (0, 168),
    ]  # fmt: skip


def test_what_changes_nothing_is_left_out() -> None:
    """The same rows, or none at all, are no other moment; one other row is."""
    rows = {NOW: [1, 2], Shift(step=-1): [1, -1], Shift(step=1): [-1, -1], Shift(hours=-24): [1, 0]}

    def history(about: pa.Table, shift: Shift) -> Shifted:
        return Shifted(shift, np.array(rows.get(shift, [1, 2])), about)

    found = [one.shift for one in changing(history, pa.table({"row": [0, 1]}))]
    assert found == [NOW, Shift(hours=-24)]
