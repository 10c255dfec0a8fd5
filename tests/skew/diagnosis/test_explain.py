"""Which causes explain a column, alone and together."""

from __future__ import annotations

import numpy as np
import pytest

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
    assert [f.proposal.cause for f in explained(unsure, sure, "feature").found][:1] == ["rounding"]
    assert explained(unsure, sure, "output").found == ()


def test_an_answer_that_is_rounded_on_all_rows_is_told() -> None:
    """Serving code that sends two decimals does that."""
    answers = np.random.default_rng(4).uniform(0, 1, 200)
    told = explained(answers.round(2), answers, "output")
    assert [f.proposal.cause for f in told.found] == ["rounding"]
    assert told.is_whole


RNG = np.random.default_rng(17)
VALUES = RNG.gamma(4, 12, 600).round(2)
PART = RNG.random(600) < 0.35


def test_a_cause_holds_on_rows_that_it_was_not_fitted_on() -> None:
    """Half of the rows that differ are set aside, and counted apart."""
    (found,) = explained(np.where(PART, VALUES * 2.54, VALUES), VALUES).found
    differ = int(PART.sum())
    assert found.proof.seen + found.proof.unseen == differ
    assert abs(found.proof.seen - found.proof.unseen) <= 1
    assert found.proof.predicted == found.proof.unseen
    assert (found.proof.agreeing, found.proof.kept) == (600 - differ, 0)


def test_what_was_learned_by_heart_fails_on_the_other_half() -> None:
    """A table of codes fits any rows it was made from; on others, random codes are others."""
    codes = RNG.integers(0, 40, 600).astype(float)
    assert not any(f.is_confirmed for f in explained(RNG.permutation(codes), codes).found)


def test_what_holds_between_any_two_rows_proves_nothing() -> None:
    """Whole numbers from 0 to 2 are, rounded to tens, the same for any pair of rows."""
    small = RNG.uniform(0, 2, 600)
    other = RNG.uniform(0, 2, 600)
    assert not any(f.is_confirmed for f in explained(other, small).found)
    coarse = RNG.integers(0, 2, 600) * 100.0 + RNG.integers(0, 3, 600)
    assert not any(f.is_confirmed for f in explained(RNG.permutation(coarse), coarse).found)


def test_two_explanations_that_hold_alike_are_both_said() -> None:
    """With one decimal on every number, a lost decimal comma is 10 times."""
    tenths = (RNG.integers(1, 900, 600) * 10 + RNG.integers(1, 10, 600)) / 10
    (found,) = explained(np.where(PART, tenths * 10, tenths), tenths).found
    assert {found.proposal.cause, *(r.cause for r in found.rivals)} == {"locale", "unit change"}
    assert not found.is_confirmed


def test_a_cause_that_says_why_the_other_rows_agree_comes_first() -> None:
    """Where numbers below 1,000 agree, a separator was misread; "1,000 times less" leaves that
    open.
    """
    distances = RNG.integers(1, 9_000, 600).astype(float)
    (found,) = explained(np.where(distances >= 1000, distances / 1000, distances), distances).found
    assert found.proposal.cause == "locale"
    assert found.is_everywhere
    assert found.is_confirmed


def test_one_higher_here_and_one_lower_there_is_no_cause() -> None:
    """Each holds on many rows; what moves them both ways is unknown."""
    counts = RNG.poisson(6, 600).astype(float)
    found = explained(counts + RNG.integers(-1, 2, 600), counts).found
    assert len(found) == 2
    assert not any(f.is_confirmed for f in found)


def test_a_part_of_few_pairs_is_few_observations() -> None:
    """Six encoded labels on 600 rows are six numbers, and four of them look rounded."""
    groups = RNG.integers(0, 6, 600)
    left = np.array([0.1, 0.2, 0.3, 0.25, 0.4, 0.33])[groups]
    right = np.array([0.12, 0.21, 0.28, 0.25, 0.37, 0.35])[groups]
    assert not any(f.is_confirmed for f in explained(left, right, "step").found)


def test_nulls_on_both_sides_are_no_evidence() -> None:
    """They agree whatever the cause is, which then still holds everywhere."""
    some = np.where(RNG.random(600) < 0.2, np.nan, VALUES)
    (found,) = explained(some * 2.54, some).found
    assert found.is_everywhere
    assert found.proof.agreeing == 0


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_each_cause_accounts_for_its_own_rows(share: float) -> None:
    """Two causes on one column share its rows between them."""
    lost = RNG.random(600) < share
    found = explained(np.where(lost, np.nan, VALUES * 1000), VALUES).found
    assert {f.proposal.cause: int(f.rows.sum()) for f in found} == {
        "missing feature": int(lost.sum()),
        "unit change": int((~lost).sum()),
    }
