from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gnomon.skew.diagnosis.case import FEWEST_ROWS
from gnomon.skew.diagnosis.explain import explain
from tests.skew.diagnosis.cases import case, explained, near, why

Floats = npt.NDArray[np.float64]

VALUES = np.random.default_rng(1).normal(50, 20, size=200)


@pytest.mark.parametrize(
    ("change", "cause", "finding"),
    [
        (lambda x: np.round(x, 2), "rounding", "the online side has 2 decimals"),
        (lambda x: np.round(x, -1), "rounding", "the online side has whole multiples of 10"),
        (np.round, "rounding", "the online side has whole numbers"),
        (lambda x: np.array([float(f"{v:.3g}") for v in x]), "rounding", "3 significant digits"),
        (np.trunc, "truncation", "the online side is cut to whole numbers"),
        (lambda x: np.trunc(x * 100) / 100, "truncation", "cut to 2 decimals"),
        (
            lambda x: x.astype(np.float32).astype(np.float64),
            "float32",
            "differs by the precision of 32-bit floats, on the online side",
        ),
    ],
)
def test_digits_that_one_side_lost(
    change: Callable[[Floats], Floats], cause: str, finding: str
) -> None:
    """Each, on every row: named, described, and undone on every row."""
    found = explained(change(VALUES), VALUES)
    assert found.is_whole
    (first, *rest) = found.found
    proposal, rows = first.proposal, first.rows
    assert not rest
    assert proposal.cause == cause
    assert finding in proposal.finding
    assert rows.sum() == found.case.differs.sum() > 0


def test_the_side_that_lost_digits_is_the_one_named() -> None:
    """Rounding on the offline side is not blamed on the online side."""
    proposal = explained(VALUES, np.round(VALUES, 1)).found[0].proposal
    assert "the offline side has 1 decimal" in proposal.finding


def test_last_bits_are_noise_and_not_rounding() -> None:
    """Where a policy lets nothing pass, sums in another order are called what they are."""
    noisy = VALUES * (1 + np.random.default_rng(2).normal(0, 3e-16, len(VALUES)))

    def equal(one: Floats, other: Floats) -> npt.NDArray[np.bool_]:
        return one == other

    one = case(noisy, VALUES, agree=equal)
    differs = noisy != VALUES
    found = explain(replace(one, differs=differs, agrees=~differs))
    assert [f.proposal.cause for f in found.found] == ["float noise"]


def test_few_rows_or_few_values_are_no_pattern() -> None:
    """Seven rows, or a flag that is 1 instead of 0, say nothing of why."""
    few = VALUES[: FEWEST_ROWS - 1]
    assert why(np.round(few, 1), few) == []
    assert why(np.ones(100), np.zeros(100)) == []


def test_two_causes_on_different_rows_are_told_apart() -> None:
    """Half of the rows rounded, a third of the rest a hundred times as large."""
    left = VALUES.copy()
    left[::2] = np.round(left[::2], 1)
    left[1::3] = VALUES[1::3] * 100
    assert sorted(why(left, VALUES)) == ["rounding", "unit change"]


@settings(deadline=None, max_examples=40)
@given(
    hnp.arrays(np.float64, 60, elements=st.floats(-1e6, 1e6)),
    hnp.arrays(np.float64, 60, elements=st.floats(-1e6, 1e6)),
)
def test_what_accounts_for_a_column_leaves_nothing(left: Floats, right: Floats) -> None:
    """This holds for any values: rows that are explained did differ, and each is explained once."""
    found = explained(left, right)
    counted = sum(int(f.rows.sum()) for f in found.found)
    assert counted <= (~near(left, right)).sum()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_noise_has_no_cause(seed: int) -> None:
    """Independent values on both sides are never explained."""
    random = np.random.default_rng(seed)
    assert why(random.normal(size=100), random.normal(size=100)) == []
