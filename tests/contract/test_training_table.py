"""What a pipeline was fitted on, as a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from gnomon.contract.training_table import training_table
from gnomon.errors import ContractError


@pytest.mark.parametrize(
    ("given", "kind", "columns"),
    [
        (pd.DataFrame({"a": [1]}), "frame", ["a"]),
        (pd.Series(["one", "two"], name="body"), "series", ["body"]),
        (pd.Series(["one", "two"]), "series", ["text"]),
        (["one", "two"], "series", ["text"]),
        (np.array(["one", "two"]), "series", ["text"]),
        (np.zeros((2, 3)), "array", ["x0", "x1", "x2"]),
        ([[1, 2], [3, 4]], "array", ["x0", "x1"]),
        ([{"a": 1}, {"b": "x", "a": 2}], "records", ["a", "b"]),
        (np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), "frame", ["a", "b"]),
    ],
)
def test_each_kind_becomes_a_frame(given: Any, kind: str, columns: list[str]) -> None:
    """It is noted what it was; a name is made up where there is none."""
    table = training_table(given)
    assert (table.input, list(table.frame.columns)) == (kind, columns)


def test_an_array_keeps_its_width_and_takes_names() -> None:
    """Single floats stay single; names are given in the order of the columns."""
    table = training_table(np.zeros((2, 2), "float32"), names=["w", "h"])
    assert list(table.frame.columns) == ["w", "h"]
    assert set(map(str, table.frame.dtypes)) == {"float32"}
    with pytest.raises(ContractError, match="a name for each of 2 columns, got 1"):
        training_table(np.zeros((2, 2)), names=["w"])


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        (np.zeros((2, 3, 3)), "of shape \\(2, 3, 3\\)", "X.reshape(len(X), -1)"),
        (sparse.csr_matrix([[1.0]]), "sparse matrix", "X.toarray()"),
        ([{"a": None}], "the key `a` is null", "if v is not None"),
        ([{1: 2}], "keys that are text, got 1", "{str(key): value"),
        (3, "got int", "fitted on"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "levels", "join"),
        (
            pd.DataFrame([[1, 2]], columns=["a", "a"]),
            "`a` is named twice",
            "duplicated",
        ),
    ],
)
def test_what_is_none_of_them_is_refused(given: Any, message: str, hint: str) -> None:
    """The error says what it is and shows the line that makes a table of it."""
    with pytest.raises(ContractError, match=message) as caught:
        training_table(given)
    assert hint in str(caught.value.hint)


def test_frames_of_polars_are_taken() -> None:
    """They are taken as pandas frames are; a lazy one holds no rows yet."""
    import polars

    frame = polars.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert training_table(frame).frame.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    assert training_table(frame["b"]).input == "series"
    with pytest.raises(ContractError, match="LazyFrame"):
        training_table(frame.lazy())


def test_columns_beside_are_as_many_rows_and_others_than_the_pipelines() -> None:
    """Otherwise they could not be assigned to rows."""
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    with pytest.raises(ContractError, match="2 rows, but the columns to carry 1"):
        training_table(frame, carry=pd.DataFrame({"id": [1]}))
    with pytest.raises(ContractError, match="`x` is both a column of X"):
        training_table(frame, carry=frame)


@pytest.mark.parametrize("kind", [pa.Table, pa.RecordBatch])
def test_an_arrow_table_is_a_frame(kind: Any) -> None:
    """It used to be treated as an array without names."""
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    table = training_table(kind.from_pandas(frame))
    assert table.input == "frame"
    pd.testing.assert_frame_equal(table.frame, frame)
