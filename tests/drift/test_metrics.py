"""Every metric of drift agrees with SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from gnomon.drift.bins import GRAIN, Bins, Extra, Floats
from gnomon.drift.metrics import BinnedSides, measures, quantiles
from tests.drift.columns import against, counted, frozen

TRAINING = np.random.default_rng(1).normal(10, 3, 5_000)
SERVED = {
    "the same": np.random.default_rng(2).normal(10, 3, 4_000),
    "moved": np.random.default_rng(3).normal(11.5, 3, 3_000),
    "wider": np.random.default_rng(4).normal(10, 5, 3_000),
    "far above": np.random.default_rng(5).normal(40, 1, 500),
    "far below": np.random.default_rng(6).normal(-40, 1, 500),
}


def shares(bins: Bins, served: Floats, smoothed: float) -> tuple[Floats, Floats]:
    """NumPy's own histogram over the frozen edges; half-open bins as ours."""
    assert bins.edges is not None
    edges = np.concatenate([[-np.inf], bins.edges, [np.inf]])
    p, q = (np.histogram(side, edges)[0] + smoothed for side in (TRAINING, served))
    return p / p.sum(), q / q.sum()


@pytest.mark.parametrize("name", SERVED)
def test_psi_is_the_relative_entropy_both_ways(name: str) -> None:
    """SciPy's relative entropy of each side to the other, with half a row more in each bin."""
    bins = frozen(TRAINING)
    p, q = shares(bins, SERVED[name], 0.5)
    expected = stats.entropy(p, q) + stats.entropy(q, p)
    assert measures(against(bins, SERVED[name]))["psi"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", SERVED)
def test_js_is_scipys_distance_in_base_2(name: str) -> None:
    """The distances are equal on the same bins, without smoothing."""
    bins = frozen(TRAINING)
    p, q = shares(bins, SERVED[name], 0.0)
    found = measures(against(bins, SERVED[name]))
    assert found["js"] == pytest.approx(jensenshannon(p, q, 2), abs=1e-7)
    assert found["linf"] == pytest.approx(np.abs(p - q).max(), abs=1e-12)


@pytest.mark.parametrize("name", SERVED)
def test_ks_hides_no_more_than_a_bin(name: str) -> None:
    """SciPy's statistic of the raw values is between ours and ours plus a bin's 5%."""
    raw = stats.ks_2samp(TRAINING, SERVED[name]).statistic
    found = measures(against(frozen(TRAINING), SERVED[name]))["ks"]
    assert found <= raw + 1e-9
    assert found == pytest.approx(raw, abs=0.05)


@pytest.mark.parametrize("name", SERVED)
def test_wasserstein_is_scipys_but_for_the_bins(name: str) -> None:
    """It is that of the raw values, divided by training's standard deviation, however far they
    lie.
    """
    raw = stats.wasserstein_distance(TRAINING, SERVED[name]) / TRAINING.std()
    found = measures(against(frozen(TRAINING), SERVED[name]))["wasserstein"]
    assert found == pytest.approx(raw, rel=0.07, abs=0.02)


def test_wasserstein_of_few_values_is_exact() -> None:
    """A column counted by value is exact; two values out of range are rounded to a grain."""
    training = np.repeat([0.0, 1.0, 5.0], [500, 300, 200])
    served = np.repeat([0.0, 1.0, 5.0, 9.0, -2.0], [100, 500, 300, 50, 50])
    raw = stats.wasserstein_distance(training, served) / training.std()
    found = measures(against(frozen(training), served))["wasserstein"]
    assert found == pytest.approx(raw, abs=2 / GRAIN)


def test_ks_of_few_values_is_exact() -> None:
    """It equals SciPy's on the raw values."""
    training = np.repeat([0.0, 1.0, 5.0], [500, 300, 200])
    served = np.repeat([0.0, 1.0, 5.0], [100, 500, 300])
    raw = stats.ks_2samp(training, served).statistic
    assert measures(against(frozen(training), served))["ks"] == pytest.approx(raw, abs=1e-12)


def test_values_have_no_order() -> None:
    """Categories have no distribution function, and so no KS and no Wasserstein."""
    bins = frozen(["a", "b", "c"] * 100)
    found = measures(against(bins, ["a", "b", "d", None]))
    assert set(found) == {"psi", "js", "linf", "nulls", "new"}
    assert found["new"] == found["nulls"] == 0.25


def test_a_number_out_of_range_is_told() -> None:
    """The share of rows below training's least value or above its greatest."""
    bins = frozen(np.arange(100.0))
    assert measures(against(bins, [-1.0, 5.0, 99.0, 100.0]))["outside"] == 0.5


def test_nothing_but_nulls_has_no_shape() -> None:
    """Only the share of nulls is known."""
    found = measures(against(frozen(np.arange(100.0)), np.array([np.nan] * 5)))
    assert found == {"nulls": 1.0, "outside": 0.0}


def test_quantiles_are_numpys_within_a_bin() -> None:
    """Evenly between the edges of a bin."""
    bins = frozen(TRAINING)
    found = quantiles(bins, counted(bins, SERVED["moved"]).vector)
    expected = np.quantile(SERVED["moved"], [0.05, 0.25, 0.5, 0.75])
    assert list(found.values())[:4] == pytest.approx(expected, abs=0.5)
    few = frozen(np.repeat([0.0, 1.0, 5.0], [500, 300, 200]))
    assert quantiles(few, few.training)["p75"] == 1.0


@pytest.mark.parametrize(
    ("metric", "extra", "values"),
    [("new", Extra.NEW, ["a", "b", "c"] * 100), ("outside", Extra.ABOVE, np.arange(100.0))],
)
def test_fewer_strange_values_than_before_are_no_drift(
    metric: str, extra: Extra, values: object
) -> None:
    """Against an earlier month with new or outlying values, having fewer is not drift."""
    bins = frozen(values)
    strange = bins.training.copy()
    strange[bins.size + extra] += 30
    assert measures(BinnedSides(bins, strange, bins.training))[metric] == 0.0
    assert measures(BinnedSides(bins, bins.training, strange))[metric] > 0.0
