import numpy as np
import pytest

from tests.skew.diagnosis.cases import explained, why

RNG = np.random.default_rng(12)
VALUES = RNG.normal(20, 5, 300)
SOME = RNG.random(300) < 0.2


@pytest.mark.parametrize("default", [np.nan, 0.0, -999.0, float(VALUES.mean())])
def test_a_feature_that_one_side_lacks(default: float) -> None:
    """Null, or one and the same default, where the other side has values."""
    assert why(np.where(SOME, default, VALUES), VALUES) == ["missing feature"]
    found = explained(VALUES, np.where(SOME, default, VALUES))
    assert "has values where offline is" in found.found[0][0].finding


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
    assert [p.cause for p, _ in found.found] == ["imputation"]
    assert "about the mean" in found.found[0][0].finding


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
