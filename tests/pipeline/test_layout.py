"""What memory layout may change: the order of summation, within a derived bound."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_diabetes

from gnomon.pipeline.layout import relaid, rounding_bounds

FRAME = load_diabetes(as_frame=True).data.iloc[:40]
WEIGHTS = np.random.default_rng(3).normal(size=FRAME.shape[1]) * 1e3


def linear(frame: pd.DataFrame) -> pa.RecordBatch:
    return pa.record_batch({"prediction": frame.to_numpy() @ WEIGHTS})


def terms(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    return np.asarray(np.abs(frame.to_numpy() * WEIGHTS).sum(axis=1))


@pytest.mark.parametrize("rows", [True, False])
def test_the_same_values_are_laid_out_anew(rows: bool) -> None:
    """Columns, order and dtypes stay; only the place of the numbers in memory differs."""
    mixed = FRAME.assign(kind="x", whole=range(len(FRAME)))
    again = relaid(mixed, rows=rows)
    pd.testing.assert_frame_equal(again, mixed.reset_index(drop=True))
    assert relaid(FRAME, rows=rows).to_numpy().flags.c_contiguous == rows


def test_a_linear_model_may_differ_by_what_its_sum_may_cost() -> None:
    """The bound is at least 2 gamma(n) times the sum of the terms, and not 20 times as much."""
    n, unit = FRAME.shape[1], np.finfo(float).eps / 2
    higham = 2 * n * unit / (1 - n * unit) * terms(FRAME)
    bound = rounding_bounds(linear, FRAME, n)["prediction"]
    assert (bound >= higham).all()
    assert (bound <= 20 * higham).all()


def test_the_sums_of_every_order_are_within_the_bound() -> None:
    """A thousand orders of summation, of terms that nearly cancel."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(20, 30)) * 10.0 ** random.integers(-3, 9, 30))
    frame[29] = -frame[list(range(29))].sum(axis=1)  # what is left has no leading digits
    values = frame.to_numpy()

    def total(rows: pd.DataFrame) -> pa.RecordBatch:
        return pa.record_batch({"prediction": rows.to_numpy().sum(axis=1)})

    bound = rounding_bounds(total, frame, 30)["prediction"]
    sums = [np.cumsum(values[:, random.permutation(30)], axis=1)[:, -1] for _ in range(1000)]
    assert (np.ptp(sums, axis=0) <= bound).all()


def test_an_input_that_cannot_be_moved_leaves_the_largest_answer() -> None:
    """A whole number that is a code has no neighbouring value."""
    frame = pd.DataFrame({"code": [1, 2, 3]})

    def coded(rows: pd.DataFrame) -> pa.RecordBatch:
        return pa.record_batch({"prediction": [{1: 1.0, 2: 5.0, 3: 2.0}[v] for v in rows["code"]]})

    bound = rounding_bounds(coded, frame, 1)["prediction"]
    assert bound == pytest.approx(np.finfo(float).eps * np.array([7.0, 15.0, 9.0]))
