import numpy as np
import pandas as pd

from gnomon.offline.row_versions import Versions

VERSIONS = Versions(pd.Index(["b", "a", "b"]), np.array([4, 5, 7]), np.array([20, 10, 10]))
"""Rows 4, 5 and 7 of a table; b is known from 10 on, and otherwise from 20 on."""


def find(key: str, moment: int, step: int = 0, **how: bool) -> int:
    (found,) = VERSIONS.find(pd.Index([key]), np.array([moment]), step, **how)
    return int(found)


def test_the_latest_known_at_a_moment_is_found() -> None:
    """A version is known exactly at its time; between two versions, the earlier one is found."""
    assert [find("b", moment) for moment in (10, 19, 20, 99)] == [7, 7, 4, 4]
    assert (find("a", 10), find("c", 10)) == (5, -1)


def test_steps_stay_with_their_key() -> None:
    """One version earlier or later of the same key, or none."""
    assert [find("b", 20, step) for step in (-2, -1, 0, 1)] == [-1, 7, 4, -1]
    assert find("a", 10, 1) == -1


def test_what_was_known_only_later_is_foreseen_or_not() -> None:
    """The first row of a key represents the time before it, unless only what was known then is
    wanted.
    """
    assert (find("b", 9), find("b", 9, foresee=False)) == (7, -1)
    assert (find("b", 10, foresee=False), find("a", 9, foresee=False)) == (7, -1)


def test_rows_are_numbered_by_key() -> None:
    """Versions of one key have one number."""
    assert VERSIONS.codes.tolist() == [0, 1, 0]
