import random

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from gnomon.pipeline.intervening import fixed_draws, forced
from gnomon.pipeline.tracing import trace

FRAME = pd.DataFrame({"x": np.arange(12.0), "kind": list("abc") * 4})


def fitted(*, sparse: bool) -> Pipeline:
    """Two branches and a model."""
    columns = ColumnTransformer(
        [
            ("size", StandardScaler(), ["x"]),
            ("kind", OneHotEncoder(sparse_output=sparse), ["kind"]),
        ],
        sparse_threshold=1.0 if sparse else 0.0,
    )
    return Pipeline([("columns", columns), ("model", LinearRegression())]).fit(
        FRAME, FRAME["x"] + (FRAME["kind"] == "a")
    )


@pytest.mark.parametrize("sparse", [False, True])
def test_a_steps_column_is_set_and_all_after_it_runs_on(sparse: bool) -> None:
    """The model sees the value; other columns, and the pipeline afterwards, are as they were."""
    pipeline = fitted(sparse=sparse)
    before, steps = pipeline.predict(FRAME), trace(pipeline, FRAME)
    values = {"columns/size/x": np.zeros(12), "columns/kind/kind_a": np.ones(12)}
    with forced(pipeline, FRAME, values):
        during = trace(pipeline, FRAME)
        answers = pipeline.predict(FRAME)
    assert (during["columns/size"]["x"] == 0).all()
    assert (during["columns/kind"]["kind_a"] == 1).all()
    expected = before - (steps["columns/size"]["x"] * pipeline[-1].coef_[0]).to_numpy()
    expected += (1 - (FRAME["kind"] == "a")).to_numpy() * pipeline[-1].coef_[1]
    np.testing.assert_allclose(answers, expected)
    np.testing.assert_array_equal(pipeline.predict(FRAME), before)


def test_a_column_that_is_none_is_refused() -> None:
    """Rather than nothing set."""
    with pytest.raises(KeyError), forced(fitted(sparse=False), FRAME, {"columns/what/x": [0.0]}):
        pass


def test_draws_are_the_same_for_a_while() -> None:
    """Draws of numpy's old and new generators and of the standard library repeat; then their
    states are restored.
    """

    def draw() -> tuple[float, float, float]:
        return np.random.rand(), float(np.random.default_rng().random()), random.random()

    state = random.getstate()
    with fixed_draws():
        one = draw()
    with fixed_draws():
        assert draw() == one
    assert random.getstate() == state
    assert draw() != one
