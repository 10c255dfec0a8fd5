"""Contracts from training frames."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from gnomon.contract import Feature, infer_contract
from gnomon.errors import ContractError

HOURS = pd.date_range("2013-01-01", periods=4, freq="h", tz="America/New_York")


def inferred(column: Any, **options: Any) -> Feature:
    """The feature that a column of values is inferred as."""
    frame = pd.DataFrame({"x": column})
    return infer_contract(frame, task="regression", **options).features[0]


def refused(column: Any) -> ContractError:
    """How a column is refused."""
    with pytest.raises(ContractError) as caught:
        inferred(column)
    assert caught.value.where == "column `x`"
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("column", "kind", "dtype", "nullable"),
    [
        ([1, 2], "integer", "int64", False),
        (np.array([1, 2], "uint8"), "integer", "uint8", False),
        ([1, None], "float", "float64", True),
        (np.array([1.5, 2], "float32"), "float", "float32", False),
        (pd.array([1, None], dtype="Int32"), "integer", "Int32", True),
        (pd.array([1.5, None], dtype="Float64"), "float", "Float64", True),
        ([True, False], "boolean", "bool", False),
        (pd.array([True, None], dtype="boolean"), "boolean", "boolean", True),
        (pd.Series([True, None], dtype=object), "boolean", "object", True),
        (["a", "b"], "string", "str", False),
        (["a", None], "string", "str", True),
        (pd.array(["a", None], dtype="string"), "string", "string", True),
        (pd.Series(["a", None], dtype=object), "string", "object", True),
        (pd.Series(["a", np.nan], dtype=object), "string", "object[nan]", True),
        (pd.Series(["a", pd.NA], dtype=object), "string", "object[NA]", True),
        (pd.Series([2, pd.NA], dtype=object), "integer", "object[NA]", True),
        (pd.Series([True, pd.NA], dtype=object), "boolean", "object[NA]", True),
        (pd.array(["a", None], dtype="string[python]"), "string", "string[python]", True),
        (pd.Series([None, None], dtype=object), "string", "object", True),
        (["a", "a"], "category", "str", False),
        (pd.Categorical(["a", None]), "category", "category", True),
        (pd.Categorical(["a", "b"], ordered=True), "category", "category[ordered]", False),
        (HOURS, "timestamp", "datetime64[us, America/New_York]", False),
        (HOURS.as_unit("ns"), "timestamp", "datetime64[ns, America/New_York]", False),
    ],
)
def test_type_dtype_and_nulls_are_those_of_the_column(
    column: Any, kind: str, dtype: str, nullable: bool
) -> None:
    """Each pandas dtype is its type; a null seen in training is allowed, and imputed if absent."""
    feature = inferred(column)
    assert (feature.type, feature.dtype, feature.nullable) == (kind, dtype, nullable)
    assert feature.missing == ("impute" if nullable else "error")


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.DatetimeIndex(["2013-01-01"]), {"type": "timestamp", "timezone": "Europe/Berlin"}),
        (pd.Series([dt.date(2013, 1, 1)], dtype=object), {"type": "date", "dtype": "object"}),
        (pd.Series([Decimal("1.50"), None], dtype=object), {"type": "decimal", "scale": 2}),
        (pd.Series([[1, 2], [3, 4]], dtype=object), {"items": "integer", "length": 2}),
        (pd.Series([[1.5], []], dtype=object), {"items": "float", "length": None}),
        (
            pd.Series([np.zeros(3, "float32")], dtype=object),
            {"type": "list", "dtype": "ndarray[float32]", "length": 3},
        ),
        (pd.Categorical([2, 1, 2]), {"type": "integer", "domain": (1, 2)}),
        (pd.Categorical([True, False]), {"type": "boolean", "domain": (False, True)}),
        (pd.cut([1.0, 2.0], [0.5, 1.5, 2.5]), {"domain": ("(0.5, 1.5]", "(1.5, 2.5]")}),
        (pd.array([1], dtype="int8[pyarrow]"), {"type": "integer", "dtype": "int8[pyarrow]"}),
        (pd.Series([1, None], dtype=object), {"type": "integer", "dtype": "object"}),
    ],
)
def test_other_columns_keep_what_they_are(column: Any, expected: dict[str, Any]) -> None:
    """Clocks without a zone, dates, decimals, arrays, categories that are no text, Arrow types."""
    feature = inferred(column, timezone="Europe/Berlin")
    assert {key: getattr(feature, key) for key in expected} == expected


def test_a_key_of_dictionaries_with_several_kinds_of_values_is_refused_with_a_line() -> None:
    """The line is for dictionaries, and mends them."""
    X = [{"a": 1}, {"a": "x"}, {"b": 2}]  # noqa: N806
    with pytest.raises(ContractError) as caught:
        infer_contract(X, task="regression")
    given = {"X": X}
    exec(str(caught.value.hint), given)
    assert infer_contract(given["X"], task="regression").input == "records"


def test_an_array_of_objects_keeps_one_dtype() -> None:
    """Text and numbers together, or with nulls."""
    array = np.array([["a", 1, None], ["b", 2, 3]], dtype=object)
    contract = infer_contract(array, task="regression")
    assert contract.input == "array"
    assert {feature.dtype for feature in contract.features} == {"object"}


def test_objects_are_refused_by_what_they_are() -> None:
    """The error has a line that works: dictionaries become columns, numbers of several kinds
    floats.
    """
    cells = [{"a": 1, "b": {"c": 2.0}}, {"a": 3, "b": {"c": 4.0}}]
    X = pd.DataFrame({"x": cells, "y": [1, 2]}, index=[5, 6])  # noqa: N806
    error = refused(cells)
    assert "the cells are dictionaries" in error.message
    given = {"X": X, "pd": pd}
    exec(str(error.hint).partition("read those: ")[2], given)
    assert given["X"].to_dict("list") == {"y": [1, 2], "a": [1, 3], "b.c": [2.0, 4.0]}
    assert given["X"].index.tolist() == [5, 6]
    error = refused(pd.Series([Decimal("1.5"), 2.5, None], dtype=object))
    assert "several kinds: Decimal, float" in error.message
    assert str(error.hint).endswith("astype(float)")
    assert "of type `UUID`" in refused(pd.Series([UUID(int=1)], dtype=object)).message


def test_timestamps_without_a_zone_need_one() -> None:
    """It is never guessed which instants they are."""
    error = refused(pd.DatetimeIndex(["2013-01-01"]))
    assert 'timezone="America/New_York"' in str(error.hint)
    assert "dt.tz_localize" in str(error.hint)


def test_columns_called_by_integers_are_served_by_their_digits() -> None:
    """They are integers again in the frame that the pipeline gets."""
    contract = infer_contract(pd.DataFrame([[1, 2]], columns=[0, 10]), task="regression")
    assert [(f.name, f.column) for f in contract.features] == [("0", 0), ("10", 10)]


def test_a_carried_column_is_none_of_the_pipelines() -> None:
    """Named in X, or in a separate frame; it may be the entity key."""
    frame = pd.DataFrame({"x": [1.0, 2.0], "id": ["a", "b"]})
    by_name = infer_contract(frame, task="regression", carry=["id"], entity_key=["id"])
    assert [(f.name, f.carried) for f in by_name.features] == [("x", False), ("id", True)]
    beside = infer_contract(
        frame[["x"]].to_numpy(), task="regression", carry=frame["id"], entity_key=["id"]
    )
    assert [(f.name, f.carried) for f in beside.features] == [("x0", False), ("id", True)]
    with pytest.raises(ContractError, match="X has no column `key` to carry"):
        infer_contract(frame, task="regression", carry=["key"])
    with pytest.raises(ContractError, match="every feature is carried"):
        infer_contract(frame, task="regression", carry=["x", "id"])


def test_the_range_is_what_training_saw() -> None:
    """Numbers have the smallest and the largest value seen; infinity is not one."""
    feature = inferred([1.5, np.nan, -2.0, np.inf])
    assert (feature.minimum, feature.maximum) == (-2.0, 1.5)
    assert (inferred([np.nan]).minimum, inferred([np.nan]).maximum) == (None, None)


def test_the_range_holds_integers_no_float_equals() -> None:
    """The largest value seen is never outside its own range, even past 2**53."""
    feature = inferred([-(2**53) - 1, 2**53 + 1])
    assert feature.minimum is not None
    assert feature.maximum is not None
    assert feature.minimum <= -(2**53) - 1
    assert feature.maximum >= 2**53 + 1


def test_few_repeated_strings_are_a_category() -> None:
    """Up to 200 distinct strings, each seen twice on average, are a sorted domain."""
    assert inferred(["b", "a", "b", "a", None]).domain == ("a", "b")
    assert inferred([str(i % 200) for i in range(400)]).type == "category"
    assert inferred([str(i % 201) for i in range(402)]).type == "string"
    assert inferred([str(i % 200) for i in range(399)]).domain is None


def test_categories_keep_their_order() -> None:
    """The domain of a pandas category is its categories, in their order, seen or not."""
    column = pd.Categorical(["a", "z"], categories=["z", "unseen", "a"])
    assert inferred(column).domain == ("z", "unseen", "a")


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("America/New_York", "America/New_York"),
        ("UTC", "UTC"),
        (dt.UTC, "UTC"),
        (dt.timezone(dt.timedelta(hours=5, minutes=30)), "+05:30"),
        (dt.timezone(-dt.timedelta(hours=3)), "-03:00"),
    ],
)
def test_a_timestamp_keeps_its_zone(zone: Any, name: str) -> None:
    """The zone of the column is the zone requests must give."""
    assert inferred(pd.DatetimeIndex(["2013-01-01"], tz=zone)).timezone == name


@pytest.mark.parametrize(
    ("column", "hint"),
    [
        (pd.to_timedelta(["1h"]), "X['x'] = X['x'].dt.total_seconds()"),
        (pd.period_range("2013", periods=1), "X['x'] = X['x'].dt.to_timestamp()"),
        (pd.arrays.IntervalArray.from_breaks([0, 1]), "X['x'] = X['x'].array.mid"),
        (np.array([1j]), "X['x_real'], X['x_imag'] = X['x'].to_numpy().real, X.pop('x')"),
        (pd.Series([1, "a"], dtype=object), "X['x'] = X['x'].astype(\"str\")"),
        (pd.Series([b"a"], dtype=object), "X['x'] = X['x'].str.decode('utf-8')"),
        (pd.Series([[1], ["a"]], dtype=object), "X['x'] = [[str(item) for item in cell]"),
        (pd.Series([[[1]]], dtype=object), "X['x'] = [np.ravel(cell) for cell in X['x']]"),
        (pd.Series([[np.nan]], dtype=object), "X['x'] = [np.nan_to_num(cell)"),
        (pd.Series(["a", None, np.nan], dtype=object), "X['x'] = X['x'].where("),
        (pd.Categorical(HOURS), "X['x'] = X['x'].astype(X['x'].dtype.categories.dtype)"),
        (pd.Series([dt.time(1, 2, 3)], dtype=object), "X['x'] = [t.hour * 3600"),
        (np.array([2**63], "uint64"), "X['x'] = X['x'].astype(\"str\")"),
        (np.array([1.0], ">f8"), "X['x'] = X['x'].astype(X['x'].dtype.newbyteorder('='))"),
        (pd.array([0, 1], dtype=pd.SparseDtype("float64", 0.0)), "X['x'].sparse.to_dense()"),
    ],
)
def test_a_column_json_cannot_carry_is_refused_with_the_line_that_mends_it(
    column: Any, hint: str
) -> None:
    """The line is copied and run as it is; after it the column can be sent."""
    text = str(refused(column).hint)
    assert hint in text
    X = pd.DataFrame({"x": column})  # noqa: N806
    line = text[text.index("X[") :]
    exec(line, {"np": np, "pd": pd, "X": X})
    assert infer_contract(X, task="regression", timezone="UTC").features


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros((2, 2, 2)), "got numpy.ndarray of shape \\(2, 2, 2\\)"),
        (pd.DataFrame({"x": []}), "got an empty one"),
        (pd.DataFrame(index=[0, 1]), "got an empty one"),
        (pd.DataFrame([[1]], columns=[(1, 2)]), "text or integers, got \\(1, 2\\)"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "`x` is named twice"),
    ],
)
def test_a_frame_without_usable_columns_is_refused(frame: Any, message: str) -> None:
    """A contract needs rows, and named columns of their own."""
    with pytest.raises(ContractError, match=message):
        infer_contract(frame, task="regression")


@pytest.mark.parametrize(
    ("classes", "kind", "names"),
    [
        (np.array([False, True]), "boolean", ["probability_false", "probability_true"]),
        (np.array([0, 1, 2]), "integer", ["probability_0", "probability_1", "probability_2"]),
        (np.array(["late", "on time"]), "string", ["probability_late", "probability_on time"]),
        (np.array([0.0, 1.0]), "float", ["probability_0.0", "probability_1.0"]),
    ],
)
def test_outputs_follow_from_the_classes(classes: Any, kind: str, names: list[str]) -> None:
    """The prediction has the labels' type; each class has its probability, in order."""
    frame = pd.DataFrame({"x": [1]})
    contract = infer_contract(frame, task="classification", classes=classes)
    assert (contract.outputs[0].name, contract.outputs[0].type) == ("prediction", kind)
    assert list(contract.probability_columns) == names
    assert contract.classes == tuple(classes.tolist())
    plain = infer_contract(frame, task="classification", classes=classes, probabilities=False)
    assert plain.outputs == contract.outputs[:1]


def test_a_regression_predicts_a_float() -> None:
    """Without classes there is one output."""
    contract = infer_contract(pd.DataFrame({"x": [1]}), task="regression")
    assert [(o.name, o.type) for o in contract.outputs] == [("prediction", "float")]


def test_keys_must_be_columns() -> None:
    """Entity key and event time are checked against the columns."""
    frame = pd.DataFrame({"id": ["a", "b"], "at": HOURS[:2]})
    options: dict[str, Any] = {"task": "regression", "entity_key": ["id"], "event_time": "at"}
    contract = infer_contract(frame, **options)
    assert (contract.entity_key, contract.event_time) == (("id",), "at")
    with pytest.raises(ContractError, match="no feature `key`"):
        infer_contract(frame, task="regression", entity_key=["key"])


@pytest.mark.parametrize(
    ("name", "instead"), [('a "b"', "a _b_"), ("a\0b", "a_b"), ("", "column"), ("\n", "_")]
)
def test_a_name_that_no_feature_can_have_is_refused_with_a_line_to_copy(
    name: str, instead: str
) -> None:
    """The line makes a name that a feature can have."""
    frame = pd.DataFrame({name: [1.0, 2.0]})
    with pytest.raises(ContractError, match="cannot be called") as caught:
        infer_contract(frame, task="regression")
    line = str(caught.value.hint).partition(": ")[2]
    assert line == f"X = X.rename(columns={{{name!r}: {instead!r}}})"
    renamed = {"X": frame}
    exec(line, renamed)
    assert infer_contract(renamed["X"], task="regression").features[0].name == instead


@pytest.mark.parametrize(
    ("first", "dtype"),
    [
        ("9999-12-31", "datetime64[us]"),
        ("9999-12-31", "datetime64[us, America/New_York]"),
        ("9999-12-31", "timestamp[us, tz=UTC][pyarrow]"),
        ("2262-02-01", "datetime64[ns, UTC]"),
        ("0001-06-01", "datetime64[us]"),
    ],
)
def test_a_time_that_no_request_may_have_is_refused(first: str, dtype: str) -> None:
    """As the last day there is, for a contract without end. The line to copy helps."""
    times = pd.Series([pd.Timestamp(first), pd.Timestamp("2024-01-01"), None], name="until")
    naive = pd.api.types.pandas_dtype(dtype) == "datetime64[us]"
    X = pd.DataFrame(  # noqa: N806
        {"until": (times if naive else times.dt.tz_localize("UTC")).astype(dtype)}
    )
    with pytest.raises(ContractError, match=r"the column contains .*, and a request may") as caught:
        infer_contract(X, task="regression", timezone="UTC")
    assert caught.value.hint is not None
    exec(caught.value.hint.removeprefix("before the pipeline is fitted: "), {"X": X, "pd": pd})
    assert infer_contract(X, task="regression", timezone="UTC").features[0].type == "timestamp"
    assert X["until"].dtype == dtype
