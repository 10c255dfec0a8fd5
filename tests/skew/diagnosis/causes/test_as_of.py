import numpy as np
import pandas as pd
import pyarrow as pa

from gnomon.offline.shifts import Shift
from gnomon.skew.diagnosis.case import Version
from gnomon.skew.diagnosis.causes.as_of import leakage, stale
from tests.skew.diagnosis.cases import case, explained, why

RNG = np.random.default_rng(13)
N = 400
WHO = RNG.integers(0, 25, N)
MOMENTS = np.arange(N, dtype=float) * 3
TRUE = pd.Series(RNG.normal(10, 3, N)).groupby(WHO).cumsum().to_numpy()
GROUPS = [("who", WHO.astype(np.int64))]


def last(values: object, lag: int = 1) -> np.ndarray:
    return pd.Series(values).groupby(WHO).shift(lag).to_numpy()


def test_the_value_of_the_last_time() -> None:
    """The value is of the same entity, one or two visits before."""
    for lag in (1, 2):
        old = np.where(np.isnan(last(TRUE, lag)), TRUE, last(TRUE, lag))
        found = explained(old, TRUE, row_times=MOMENTS, groups=GROUPS)
        assert [f.proposal.cause for f in found.found] == ["stale data"]
        assert "for the same `who`" in found.found[0].proposal.finding


def test_a_cache_that_is_filled_now_and_then() -> None:
    """The lags vary: every value is one that the entity had before."""
    turn = pd.Series(WHO).groupby(WHO).cumcount() // 4
    cached = pd.Series(TRUE).groupby([WHO, turn]).transform("first").to_numpy()
    assert why(cached, TRUE, row_times=MOMENTS, groups=GROUPS) == ["stale data"]


def test_a_value_that_was_known_later_leaks() -> None:
    """The offline side records that it was known later."""
    ahead = pd.Series(TRUE).groupby(WHO).shift(-1)
    right = ahead.fillna(pd.Series(TRUE)).to_numpy()
    known = np.where(ahead.isna(), MOMENTS - 1, MOMENTS + 30)
    found = explained(TRUE, right, row_times=MOMENTS, groups=GROUPS, known=known)
    assert [f.proposal.cause for f in found.found] == ["temporal leakage"]


def test_a_value_that_tells_the_label_offline_only_leaks() -> None:
    """The table has no times: offline the feature ranks the labels correctly, online it does
    not.
    """
    label = (RNG.random(N) < 0.4).astype(float)
    right = label * 5 + RNG.normal(0, 0.2, N)
    left = RNG.normal(2, 2, N)
    assert why(left, right, row_times=MOMENTS, label=label) == ["temporal leakage"]


def test_what_the_model_said_last_time_comes_back() -> None:
    """Added to the feature with a weight, or accumulated."""
    answers = RNG.random(N)
    fed = TRUE + 0.4 * np.nan_to_num(last(answers))
    context = {"row_times": MOMENTS, "groups": GROUPS, "outputs": {"probability_yes": answers}}
    found = explained(fed, TRUE, **context)
    assert [f.proposal.cause for f in found.found] == ["feedback loop"]
    assert "`probability_yes`" in found.found[0].proposal.finding


def test_values_dealt_out_anew_are_not_stale() -> None:
    """In a permutation every value occurs somewhere before, and as many after."""
    assert why(RNG.permutation(TRUE), TRUE, row_times=MOMENTS, groups=GROUPS) == []


def other_moments(left: np.ndarray, **values: np.ndarray) -> list[str]:
    """What is found when the table has these values an hour and a version earlier."""
    shifts = {"version": Shift(step=-1), "lag": Shift(hours=-1)}
    versions = [
        Version(shifts[name], pa.array(there), MOMENTS - 2) for name, there in values.items()
    ]
    found = explained(left, TRUE, row_times=MOMENTS, versions=lambda _: versions)
    return [f.proposal.finding for f in found.found]


def test_rows_that_agree_tell_a_lag_from_a_version() -> None:
    """Both explain the differing rows; only the lag explains why the others agree."""
    before = RNG.normal(10, 3, N)
    lagged = np.where(np.arange(N) % 4 == 0, before, TRUE)
    assert other_moments(lagged, version=before, lag=lagged) == [
        "is the table's value as of 1 hour earlier, 2 hours old when it was used"
    ]
    assert other_moments(before, version=before, lag=before) == [
        "is the table's value of 1 version earlier (and as of 1 hour earlier), 2 hours old when "
        "it was used"
    ]
    assert other_moments(before, version=before, lag=TRUE) == [
        "is the table's value of 1 version earlier, 2 hours old when it was used"
    ]


def test_a_version_with_few_values_explains_nothing() -> None:
    """Where any other row's value would do as well, it is not the other moment's."""
    few = np.where(RNG.random(N) < 0.9, 3.0, 4.0)
    assert not any("table's value" in finding for finding in other_moments(few, version=few))


def test_lateness_that_is_rarer_among_what_differs_is_no_leak() -> None:
    """Nine of ten values were known late and agree anyway, so lateness explains nothing."""
    differs = np.arange(N) % 4 == 0
    left = np.where(differs, RNG.normal(10, 3, N), TRUE)
    on_time = np.where(differs, np.arange(N) % 8 == 0, np.arange(N) % 10 == 1)
    mostly, only = (np.where(early, -1, 30) for early in (on_time, ~differs))
    assert not list(leakage(case(left, TRUE, row_times=MOMENTS, known=MOMENTS + mostly)))
    assert list(leakage(case(left, TRUE, row_times=MOMENTS, known=MOMENTS + only)))


def test_a_value_that_predicts_the_label_on_both_sides_does_not_leak() -> None:
    """A good feature is no leak: offline it has to be much better than online."""
    label = (RNG.random(N) < 0.4).astype(float)
    left, right = (label * 5 + RNG.normal(0, 0.2, N) for _ in range(2))
    assert "temporal leakage" not in why(left, right, row_times=MOMENTS, label=label)


def test_matches_that_any_earlier_row_would_give_are_not_the_row_before() -> None:
    """Where the rows before all have one value, a default explains the matches as well as a lag."""
    default, after = np.arange(N) % 10 == 0, np.arange(N) % 10 == 1
    right = np.where(default, 3.0, TRUE)
    left = np.where(after, 3.0, right)
    findings = [proposal.finding for proposal in stale(case(left, right, row_times=MOMENTS))]
    assert not any("row earlier" in finding for finding in findings)
    lagged = np.where(after, np.roll(TRUE, 1), TRUE)
    findings = [proposal.finding for proposal in stale(case(lagged, TRUE, row_times=MOMENTS))]
    assert findings == ["is the value from 1 row earlier"]


def test_a_few_rows_that_match_the_row_before_are_not_stale() -> None:
    """Below eight rows that differ, any pattern may be chance."""
    left = TRUE.copy()
    left[10:16] = TRUE[9:15]
    assert why(left, TRUE, row_times=MOMENTS) == []
    left[10:30] = TRUE[9:29]
    assert why(left, TRUE, row_times=MOMENTS) == ["stale data"]


def test_a_value_that_is_always_the_same_is_not_stale() -> None:
    """It occurs earlier by chance, as a bound that values were cut at does."""
    cut = np.minimum(TRUE, np.quantile(TRUE, 0.7))
    found = explained(cut, TRUE, row_times=MOMENTS, groups=GROUPS)
    assert "stale data" not in [f.proposal.cause for f in found.found]
