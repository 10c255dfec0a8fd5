"""What the engine reports about a row on which the pipeline raises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from gnomon.artifact import LoadedArtifact, load, pack
from gnomon.artifact.checks.allowances import PackWarning
from gnomon.worker.engine import Engine
from gnomon.worker.failure_attribution import row_error
from gnomon.worker.messages import ERROR

ROWS = 60
X = pd.DataFrame(
    {
        "size": np.linspace(0, 1, ROWS),
        "kind": np.where(np.arange(ROWS) % 3, "red", "blue"),
        "name": [f"n{at}" for at in range(ROWS)],
        "count": np.arange(ROWS),
    }
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedArtifact:
    """A pipeline of two encoders, neither of which knows what to do with an unseen value."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(tmp_path_factory.mktemp("home")))
        columns = make_column_transformer(
            (OneHotEncoder(), ["kind"]), (OrdinalEncoder(), ["name"]), remainder="passthrough"
        )
        model = make_pipeline(columns, Ridge()).fit(X, X["size"])
        with pytest.warns(PackWarning):
            artifact = pack("encoders", model, X, leakage="off")
        return load(artifact.tag)


def scored(loaded: LoadedArtifact, *changed: dict[str, Any]) -> pa.RecordBatch:
    rows = [{"size": 0.5, "kind": "red", "name": "n1", "count": 3} | change for change in changed]
    schema = loaded.artifact.contract.input_schema
    return Engine(loaded).score(pa.RecordBatch.from_pylist(rows, schema=schema))


def test_an_unseen_category_is_to_blame(loaded: LoadedArtifact) -> None:
    """The row fails alone, with the field, what its encoder knows, and the step."""
    answers = scored(loaded, {}, {"kind": "green"}, {})
    good, error, again = answers.column(ERROR).to_pylist()
    assert (good, again) == (None, None)
    assert row_error(error) == (
        ".kind",
        'expected one of "blue", "red", as step `columntransformer/onehotencoder` (OneHotEncoder) '
        'raises on any other, got "green"',
    )


def test_another_error_names_its_step(loaded: LoadedArtifact) -> None:
    """Text without a domain in the contract cannot be blamed; the step is named."""
    error = scored(loaded, {"name": "somebody"}).column(ERROR)[0].as_py()
    assert error.startswith(
        "ValueError in step `columntransformer/ordinalencoder` (OrdinalEncoder): Found unknown"
    )


def test_a_row_that_fits_no_frame_is_said_to(loaded: LoadedArtifact) -> None:
    """A diagnosis tries nulls: one that a column of integers cannot hold fails alone."""
    good, error = scored(loaded, {}, {"count": None}).column(ERROR).to_pylist()
    assert good is None
    assert error == "a null in `count`, whose training dtype `int64` holds none"
