"""Which causes explain a column, alone and together."""

from __future__ import annotations

import numpy as np

from tests.skew.diagnosis.cases import explained


def test_a_part_of_an_answer_proves_nothing() -> None:
    """A forest that is mostly certain answers 0 and 1: where another feature makes it less
    certain, half of its answers look rounded, but are not. For a feature, a cause on half of the
    rows is reported.
    """
    random = np.random.default_rng(4)
    sure = np.repeat([0.0, 1.0], 100)
    unsure = np.abs(sure - random.uniform(0.02, 0.45, 200))
    unsure[::2] = random.uniform(0.0, 1.0, 100)
    assert [p.cause for p, _ in explained(unsure, sure, "feature").found][:1] == ["rounding"]
    assert explained(unsure, sure, "output").found == ()


def test_an_answer_that_is_rounded_on_all_rows_is_told() -> None:
    """Serving code that sends two decimals does that."""
    answers = np.random.default_rng(4).uniform(0, 1, 200)
    told = explained(answers.round(2), answers, "output")
    assert [p.cause for p, _ in told.found] == ["rounding"]
    assert told.is_whole
