import numpy as np
import pytest

from gnomon.compare.sketch import RELATIVE_ERROR, Sketch

SHARES = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)
RNG = np.random.default_rng(7)


@pytest.mark.parametrize(
    "values",
    [
        RNG.standard_normal(50_000) * 1e-3,
        RNG.lognormal(3, 4, 50_000),
        -RNG.lognormal(-30, 9, 10_000),
        np.array([0.0, 0.0, 5e-324, 1e308, -1e308]),
        np.array([42.0]),
    ],
)
def test_quantiles_are_within_the_stated_error(values: np.ndarray) -> None:
    """Each quantile is within 1% of the true one's value, minimum and maximum exactly."""
    sketch = Sketch()
    sketch.add(values)
    true = np.quantile(values, SHARES, method="inverted_cdf")
    found = np.array(sketch.quantiles(SHARES))
    assert np.all(np.abs(found - true) <= RELATIVE_ERROR * np.abs(true) * (1 + 1e-9) + 3e-308)
    assert (found[0], found[-1]) == (values.min(), values.max())
    assert sketch.mean == pytest.approx(values.mean())


def test_merging_is_the_same_as_counting_together() -> None:
    """Any split of a stream, merged in any order, gives the quantiles of the whole."""
    values = RNG.standard_normal(10_000)
    whole, merged = Sketch(), Sketch()
    whole.add(values)
    for part in reversed(np.array_split(values, 7)):
        sketch = Sketch()
        sketch.add(part)
        merged.merge(sketch)
    assert merged.quantiles(SHARES) == whole.quantiles(SHARES)
    assert merged.count == whole.count


def test_what_is_not_finite_is_left_out() -> None:
    """NaN and infinities are ignored."""
    sketch = Sketch()
    sketch.add(np.array([np.nan, np.inf, -np.inf, 3.0]))
    assert (sketch.count, sketch.quantile(0.5)) == (1, 3.0)


def test_zeros_of_either_sign_and_what_is_too_small_are_one_value() -> None:
    """Equal rows differ by 0, which is most of a healthy stream."""
    sketch = Sketch()
    sketch.add(np.array([0.0, -0.0, 5e-324, 0.0, 2.0, -2.0]))
    sketch.add(np.zeros(4))
    found = sketch.quantiles((0.0, 0.1, 0.2, 0.9, 1.0))
    assert found == [-2.0, -2.0, 0.0, 0.0, 2.0]
    assert sketch.count == 10


def test_nothing_has_no_quantile() -> None:
    """An empty sketch returns None."""
    assert Sketch().quantile(0.5) is None
    assert Sketch().mean is None


def test_memory_does_not_grow_with_the_stream() -> None:
    """A million values over six orders of magnitude take some hundred bins."""
    sketch = Sketch()
    for _ in range(10):
        sketch.add(10 ** RNG.uniform(-3, 3, 100_000))
    assert len(sketch._bins) < 800
