"""Relations that are described where no cause is known; none of them is confirmed as a cause."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.skew.diagnosis.cases import explained

RNG = np.random.default_rng(12)
N = 600
VALUES = RNG.normal(60, 15, N)
GROUP = RNG.integers(0, 6, N)
SHARES = [0.3, 0.25, 0.2, 0.1, 0.05, 0.04, 0.03, 0.03]
LABELS = np.array(list("abcdefgh"))[RNG.choice(8, N, p=SHARES)]


def described(left: Any, right: Any, **context: Any) -> tuple[str, str]:
    """The name and the text of the only thing that is found, which is no cause."""
    (found,) = explained(left, right, **context).found
    assert not found.is_confirmed
    assert found.rows.sum() >= 0.99 * explained(left, right, **context).case.differs.sum()
    return found.proposal.cause, found.proposal.finding


@pytest.mark.parametrize(
    ("left", "right", "says"),
    [
        (np.minimum(VALUES, 85), VALUES, "is never above 85 on the online side"),
        (np.maximum(VALUES, 30), VALUES, "is never below 30 on the online side"),
        (np.clip(VALUES, 40, 80), VALUES, "is never below 40 or above 80 on the online side"),
        (VALUES, np.minimum(VALUES, 85), "is never above 85 on the offline side"),
    ],
)
def test_clipped_values_are_bounded(left: object, right: object, says: str) -> None:
    """One side, either one, at either end or both; the others agree because they are inside."""
    name, text = described(left, right)
    assert name == "bounded values"
    assert says in text


@pytest.mark.parametrize("step", [5, 0.25, 30])
def test_a_coarse_grid_has_its_step(step: float) -> None:
    """Steps that are no powers of ten, which rounding to digits would explain."""
    name, text = described(np.round(VALUES / step) * step, VALUES)
    assert name == "coarse grid"
    assert f"nearest multiple of {step:g}" in text


@pytest.mark.parametrize("domains", [{}, {"x": frozenset("abcdefgh")}])
def test_rare_labels_that_became_one(domains: dict[str, frozenset[str]]) -> None:
    """Wherever the other side has one of them; no look-up failed, which would spare some rows."""
    merged = [label if label in "abcd" else "other" for label in LABELS]
    name, text = described(merged, LABELS.tolist(), domains=domains)
    assert name == "merged labels"
    assert "is other on the online side wherever offline is e, f, g and others (4 labels" in text
    assert "rarer than any other" in text


def test_a_factor_of_each_group() -> None:
    """The same for all rows of a group, as by a table of the group's statistics."""
    factors = np.array([1, 1.1, 0.9, 1.3, 1, 0.7])[GROUP]
    name, text = described(VALUES * factors, VALUES, groups=[("shop", GROUP)])
    assert name == "constant per group"
    assert "0.7 to 1.3 times offline, the same for each `shop`" in text


@pytest.mark.parametrize(
    ("noise", "says"),
    [
        (RNG.normal(0, 2, N), "standard deviation of 2"),
        (VALUES * RNG.normal(0, 0.05, N), "of its value"),
    ],
)
def test_noise_has_a_size(noise: Any, says: str) -> None:
    """Of the same size everywhere, or a share of the value."""
    name, text = described(VALUES + noise, VALUES)
    assert name == "noise"
    assert says in text


@pytest.mark.parametrize("change", [np.log1p, np.sqrt, lambda x: 1 / (1 + x)])
def test_a_curve_is_an_increasing_or_decreasing_function(change: Any) -> None:
    """Whatever its form, what was seen of it bounds the rest."""
    positive = VALUES - VALUES.min()
    name, text = described(change(positive), positive)
    assert name == "monotone function"
    assert "function of offline, of no form that was tried" in text


def test_values_of_other_rows() -> None:
    """A permutation, or rows that got the values of others."""
    name, text = described(RNG.permutation(VALUES), VALUES)
    assert (name, "the same values in another order" in text) == ("values of other rows", True)
    some = np.where(RNG.random(N) < 0.3, RNG.permutation(VALUES), VALUES)
    assert described(some, VALUES)[0] == "values of other rows"


def test_unrelated_values_have_no_relation() -> None:
    """Neither noise nor a curve, nor values of other rows."""
    assert explained(RNG.normal(60, 15, N), VALUES).found == ()


def test_values_that_were_clipped_on_a_part_of_the_rows() -> None:
    """Other rows beyond the bound agree, so it is no bound of all; nor is a look-up missing."""
    part = RNG.random(N) < 0.5
    name, text = described(np.where(part, np.minimum(VALUES, 70), VALUES), VALUES)
    assert name == "bounded values"
    assert "is cut to at most 70 on the online side on the rows that differ" in text


def test_noise_on_a_column_of_few_digits_is_no_rounding() -> None:
    """Rounding the noise away gives the other side, on the rows that have it."""
    whole = np.round(VALUES)
    noisy = np.where(RNG.random(N) < 0.3, whole + RNG.normal(0, 0.1, N), whole)
    assert "rounding" not in [f.proposal.cause for f in explained(noisy, whole).found]


def test_usual_values_are_no_defaults() -> None:
    """Rows of other entities have many frequent values, each of them on some rows."""
    few = RNG.choice([2.5, 4.0, 7.0, 10.0, 15.0, 20.0], N)
    other = np.where(RNG.random(N) < 0.6, RNG.permutation(few), few)
    assert "missing feature" not in [f.proposal.cause for f in explained(other, few).found]
