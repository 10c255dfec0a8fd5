import numpy as np
import pandas as pd
import pytest

from tests.skew.diagnosis.cases import explained, why

RNG = np.random.default_rng(12)
VALUES = RNG.normal(20, 5, 300)
SOME = RNG.random(300) < 0.2


NULLED = np.where(SOME, np.nan, VALUES)
SHOP = RNG.integers(0, 6, 300)


@pytest.mark.parametrize("default", [np.nan, 0.0, -999.0, float(VALUES.mean())])
def test_a_feature_that_one_side_lacks(default: float) -> None:
    """Null, or one and the same default, where the other side has values."""
    assert why(np.where(SOME, default, VALUES), VALUES) == ["missing feature"]
    found = explained(VALUES, np.where(SOME, default, VALUES))
    assert "has values where offline is" in found.found[0].proposal.finding


def test_a_default_on_every_row_is_missing_also_where_it_is_true_by_chance() -> None:
    """Wind is 0 online on every row; offline it is 0 now and then, and null on some."""
    truth = np.where(SOME, 0.0, VALUES)
    truth[::17] = np.nan
    assert why(np.zeros(300), truth) == ["missing feature"]


def test_nulls_that_are_filled_in_otherwise() -> None:
    """The mean here, the median there; the finding says which is which."""
    mean, median = float(VALUES[~SOME].mean()), 18.0
    left, right = np.where(SOME, mean, VALUES), np.where(SOME, median, VALUES)
    found = explained(left, right, "step", raw_null=SOME)
    assert [f.proposal.cause for f in found.found] == ["imputation"]
    assert "about the mean" in found.found[0].proposal.finding


def test_a_null_that_was_filled_in_before_the_model() -> None:
    """Offline sends null, online a number in its place."""
    left, right = np.where(SOME, 18.25, VALUES), np.where(SOME, np.nan, VALUES)
    assert why(left, right) == ["imputation"]


def test_a_flag_that_flipped_is_nothing_missing() -> None:
    """Ones that became zero are not missing, as zeros are normal."""
    flag = (RNG.random(300) < 0.5).astype(float)
    assert "missing feature" not in why(np.where(SOME, 1 - flag, flag), flag)


def test_a_usual_value_among_few_is_nothing_missing() -> None:
    """A value that half of the agreeing rows have does not replace a missing one."""
    level = RNG.choice([1.0, 2.0, 3.0, 4.0, 5.0], 300, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    assert "missing feature" not in why(np.where(SOME, 1.0, level), level)
    never = np.where(level == 1.0, 2.0, level)
    assert why(np.where(SOME, 1.0, never), never) == ["missing feature"]


@pytest.mark.parametrize(
    ("filled", "says"),
    [
        (np.nanmean(NULLED), ", about the me"),
        (np.nanmedian(NULLED), ", about the me"),
        (pd.Series(NULLED).ffill(), "the value before it where offline is null"),
        (
            pd.Series(NULLED).groupby(SHOP).ffill(),
            "the value before it with the same `shop` where offline is null",
        ),
        (
            pd.Series(NULLED).groupby(SHOP).transform("mean"),
            "approximately the mean of the rows with the same `shop` where offline is null",
        ),
        (
            pd.Series(NULLED).groupby(SHOP).transform("median"),
            "approximately the median of the rows with the same `shop` where offline is null",
        ),
    ],
)
def test_what_fills_nulls_is_said(filled: object, says: str) -> None:
    """A constant, the value before, or a statistic of the group; the nulls are the evidence."""
    (found,) = explained(np.where(SOME, filled, NULLED), NULLED, groups=[("shop", SHOP)]).found
    assert (found.proposal.cause, found.is_confirmed) == ("imputation", True)
    assert found.proposal.finding.startswith("is filled in with")
    assert says in found.proposal.finding


def test_values_where_the_other_side_is_null_are_not_blamed_on_it() -> None:
    """They may have been looked up, or be what an unknown filling made."""
    between = pd.Series(NULLED).interpolate().bfill().to_numpy()
    (found,) = explained(between, NULLED).found
    assert found.proposal.finding == "has values where offline is null"
    assert not found.is_confirmed
    assert "fills in what is null" in found.proposal.action


def test_two_categories_are_no_filling() -> None:
    """A column of few values has no stand-ins: 2 where the other has 3 is no imputation."""
    level = RNG.choice([0.1, 0.2, 0.25, 0.4], 300)
    other = np.where(level == 0.25, 0.28, level)
    assert "imputation" not in why(other, level, "step")
