from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gnomon.shadow.diagnosis.causes import FEWEST_ROWS, Attempt, Case, attempts

Floats = npt.NDArray[np.float64]

VALUES = np.random.default_rng(1).normal(50, 20, size=200)


def near(left: Floats, right: Floats) -> npt.NDArray[np.bool_]:
    return np.isclose(left, right, rtol=1e-9, atol=1e-12, equal_nan=True)


def case(left: Floats, right: Floats) -> Case:
    return Case(left=left, right=right, differs=~near(left, right), agree=near)


def confirmed(left: Floats, right: Floats) -> Attempt | None:
    tried = list(attempts(case(left, right)))
    return tried[-1] if tried and tried[-1].confirmed else None


@pytest.mark.parametrize(
    ("change", "cause", "finding"),
    [
        (lambda x: x + 2.5, "constant offset", "is 2.5 higher than offline"),
        (lambda x: x - 1e-3, "constant offset", "is 0.001 lower than offline"),
        (lambda x: x * 60, "scale", "is 60 times offline"),
        (lambda x: x / 1.609344, "scale", "is 0.621371 times offline"),
        (lambda x: np.round(x, 2), "rounding", "the online side has 2 decimals"),
        (lambda x: np.round(x, -1), "rounding", "the online side has whole multiples of 10"),
        (np.round, "rounding", "the online side has whole numbers"),
        (np.trunc, "truncation", "the online side is cut to whole numbers"),
        (
            lambda x: x.astype(np.float32).astype(np.float64),
            "float32",
            "differs by what 32 bit floats lose, on the online side",
        ),
    ],
)
def test_a_cause_is_confirmed_by_undoing_it(
    change: Callable[[Floats], Floats], cause: str, finding: str
) -> None:
    """Each cause, alone and on every row: named, described and undone on every row."""
    attempt = confirmed(change(VALUES), VALUES)
    assert attempt is not None
    assert attempt.repair.cause == cause
    assert finding in attempt.repair.finding
    assert attempt.vanished == attempt.differing > 0


def test_the_side_that_lost_digits_is_the_one_named() -> None:
    """Rounding on the offline side is not blamed on the online side."""
    attempt = confirmed(VALUES, np.round(VALUES, 1))
    assert attempt is not None
    assert "the offline side has 1 decimal" in attempt.repair.finding


def test_a_cause_on_some_rows_is_confirmed_on_those() -> None:
    """Rows that agree stay out of it."""
    left = VALUES.copy()
    left[::3] += 5
    attempt = confirmed(left, VALUES)
    assert attempt is not None
    assert attempt.repair.cause == "constant offset"
    assert attempt.differing == len(VALUES[::3])


def test_a_second_reason_on_many_rows_is_not_confirmed() -> None:
    """An offset that explains nine rows of ten is evidence, not a cause."""
    left = VALUES + 5
    left[::10] += np.arange(20)
    tried = list(attempts(case(left, VALUES)))
    offset = next(t for t in tried if t.repair.cause == "constant offset")
    assert not any(t.confirmed for t in tried)
    assert 0.8 < offset.vanished / offset.differing < 0.95


def test_few_rows_or_few_values_are_no_pattern() -> None:
    """Seven rows, or a flag that is 1 instead of 0, say nothing of why."""
    assert confirmed(VALUES[: FEWEST_ROWS - 1] + 5, VALUES[: FEWEST_ROWS - 1]) is None
    assert confirmed(np.ones(100), np.zeros(100)) is None


def test_null_on_one_side_is_no_pattern() -> None:
    """Values against nulls are not shifted by anything."""
    assert confirmed(VALUES, np.full(len(VALUES), np.nan)) is None


@given(
    hnp.arrays(np.float64, 60, elements=st.floats(-1e6, 1e6)),
    hnp.arrays(np.float64, 60, elements=st.floats(-1e6, 1e6)),
)
def test_what_is_confirmed_did_vanish(left: Floats, right: Floats) -> None:
    """Whatever the values: a confirmed cause leaves at most one row in a hundred differing."""
    attempt = confirmed(left, right)
    if attempt is not None:
        repaired = near(attempt.repair.left, attempt.repair.right)
        differed = ~near(left, right)
        assert (repaired & differed).sum() >= 0.99 * differed.sum()


@given(st.integers(0, 10_000))
def test_noise_has_no_cause(seed: int) -> None:
    """Independent values on both sides are never explained."""
    random = np.random.default_rng(seed)
    assert confirmed(random.normal(size=100), random.normal(size=100)) is None
