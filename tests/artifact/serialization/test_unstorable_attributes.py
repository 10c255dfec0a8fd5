"""Attributes that skops loses or cannot store are named, or stored in another way."""

from __future__ import annotations

import datetime
import enum
import io
import logging
import random
import re
import zipfile
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_selector
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import KDTree
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import Bunch

from gnomon.artifact.serialization import pipeline_bytes
from gnomon.artifact.serialization.trust import is_known_safe
from gnomon.errors import PackRefused


class Side(enum.Enum):
    """A choice."""

    BUY = 1


class Keeps(BaseEstimator):
    """A step that learned something."""

    def __init__(self, learned: Any = None) -> None:
        self.learned = learned

    def fit(self, X: Any, y: Any = None) -> Keeps:  # noqa: N803
        """Nothing more to learn."""
        return self

    def transform(self, X: Any) -> Any:  # noqa: N803
        """Return the frame unchanged."""
        return X


def stored(learned: Any) -> Any:
    """The value of a step's attribute after it was stored and loaded."""
    content = pipeline_bytes.dump(make_pipeline(Keeps(learned), Keeps()), "skops")
    types = pipeline_bytes.named_types(content, "skops")
    return pipeline_bytes.load(content, "skops", types)[0].learned


@pytest.mark.parametrize(
    "learned",
    [
        {True: 1, False: 2},
        {False: "no"},
        {np.True_: 1.5, np.False_: 2.5},
        {1: "a", 2: "b"},
        {0.1: 1, float("inf"): 2, -0.0: 3},
        {np.float32(0.1): 1, np.int8(-3): 2, np.str_("x"): 3},
        {"": 1, "false": 2, "true": 3},
        {"false": {False: 1}},
        defaultdict(int, a=1),
    ],
    ids=repr,
)
def test_a_dictionary_comes_back(learned: dict[Any, Any]) -> None:
    """Keys keep their values and their types: skops alone makes one key of True and False."""
    again = stored(learned)
    assert again == learned
    assert [type(key) for key in again] == [type(key) for key in learned]


@pytest.mark.parametrize(
    "learned",
    [
        pd.Interval(0.5, 2, closed="left"),
        range(1, 9, 2),
        frozenset({2, 1}),
        pd.NA,
    ],
    ids=repr,
)
def test_values_of_pandas_and_python_are_kept_without_being_trusted(learned: Any) -> None:
    """A step after ``pandas.cut`` holds intervals, and loads without `trusted`."""
    content = pipeline_bytes.dump(Keeps([learned]), "skops")
    types = pipeline_bytes.untrusted_types(content)
    own = f"{Keeps.__module__}.Keeps"
    assert [name for name in types if name != own and not is_known_safe(name)] == []
    (again,) = pipeline_bytes.load(content, "skops", types).learned
    assert again is learned or again == learned
    assert type(again) is type(learned)


@pytest.mark.parametrize(
    ("learned", "says"),
    [
        ({1: "a", "1": "b"}, "the keys 1 and '1', which have the same name in JSON"),
        ({False: 1, "": 2}, "the keys False and '', which have the same name in JSON"),
        ({None: 1}, "the key None, which is not text, a number or a boolean"),
        ({("JFK", "LAX"): 2475.0}, r"the key \('JFK', 'LAX'\), which is not text"),
        ({"x": {b"y": 1}}, "the key b'y', which is not text"),
        (defaultdict(int, {3: 1}), "a defaultdict whose keys are not text"),
        (
            pd.Series([1.0], pd.Index([("a", "b")], tupleize_cols=False)),
            "it contains Series of pandas",
        ),
        (pd.Series([1j], ["a"]), "it contains Series of pandas"),
        ([{"a": pd.DataFrame({"x": [1]})}], "it contains DataFrame of pandas"),
        (1 + 2j, "it contains complex"),
        (pd.Timestamp("2024-01-31"), "it contains Timestamp of pandas, which skops cannot make"),
        ([pd.Timedelta("1h")], "it contains Timedelta of pandas"),
        ({"last": pd.Period("2024-01")}, "it contains Period of pandas"),
        (pd.NaT, "it contains NaTType of pandas"),
        (Side.BUY, "a member of the enumeration Side"),
        ({"side": [Side.BUY]}, "a member of the enumeration Side"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_cannot_be_stored_is_named(learned: Any, says: str) -> None:
    """The refusal names the step, its attribute and what is in it, and what to keep instead."""
    with pytest.raises(PackRefused, match=rf"the attribute `learned` of Keeps: .*{says}") as info:
        stored(learned)
    assert info.value.where == "keeps-1"
    assert info.value.hint is not None
    assert 'serializer="pickle"' in info.value.hint


def test_of_a_frame_the_hint_is_a_line_to_copy() -> None:
    """The hint suggests an array or a dictionary whose keys can be stored."""
    frame = pd.DataFrame({"a": ["x", "y"], "b": ["u", "v"], "mean": [1.0, 2.0]})
    for learned, line in (
        (frame, '`.to_dict("list")`'),
        (frame.set_index(["a", "b"])["mean"], '`.reset_index().to_dict("list")`'),
        (pd.Series([1j]), "`.to_numpy()` or `.to_dict()`"),
    ):
        with pytest.raises(PackRefused) as info:
            stored(learned)
        assert line in str(info.value.hint)
    stored(frame.set_index(["a", "b"]).reset_index().to_dict("list"))


def test_a_large_vocabulary_is_stored_in_time_that_grows_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """skops alone takes quadratic time for NumPy scalars: minutes for a vocabulary of
    50,000 words.
    """
    calls = []
    monkeypatch.setattr(zipfile.ZipFile, "namelist", lambda archive: calls.append(archive) or [])
    model = make_pipeline(TfidfVectorizer(max_features=4).fit(["to be or not to be"]))
    content = pipeline_bytes.dump(model, "skops")
    assert len(zipfile.ZipFile(io.BytesIO(content)).infolist()) > 4
    assert not calls


HOURS_DTYPE = pd.CategoricalDtype(pd.date_range("2024-01-31", periods=2))


class Named(dict[str, int]):
    """A dictionary with an attribute."""


def named() -> Named:
    """One whose attribute says what it is of."""
    of = Named(a=1)
    of.of = "sizes"  # type: ignore[attr-defined]
    return of


@pytest.mark.parametrize(
    ("learned", "message", "hint"),
    [
        (deque([1, 2], maxlen=5), "deque of collections, .* without its content", "list"),
        (re.compile("a+"), "Pattern of re, .* cannot load", "re.compile"),
        (pd.MultiIndex.from_product([[1], [2]]), "MultiIndex of pandas", "tolist"),
        (pd.CategoricalIndex(["a"]), "CategoricalIndex of pandas", "tolist"),
        (pd.Index(["a"], name=("x", "y")), "Index of pandas", "tolist"),
        (np.rec.array([("x", 1.0)], names="k,v"), "recarray of numpy", r"plain array"),
        (logging.getLogger("gnomon.kept"), "Logger of logging", r"logging.getLogger"),
        (pd.Series(["a", "b"]).unique(), "ArrowStringArray of pandas, .* as it was", "tolist"),
        (pd.Series(["a"], dtype="category").unique(), "Categorical of pandas", "tolist"),
        (pd.array([1], dtype="int64[pyarrow]"), "ArrowExtensionArray of pandas", "tolist"),
        (pd.array(["a"], dtype=pd.StringDtype("python")), "StringArray of pandas", "tolist"),
        (pd.DataFrame.abs, r"the method NDFrame\.abs", r"def step\(X\): return X\.abs\(\)"),
        (HOURS_DTYPE, "CategoricalDtype of pandas", r"`\.categories\.tolist\(\)`"),
        (named(), "Named of tests with an attribute of its own, `of`", "attribute of the step"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_as_it_is_names_its_attribute(
    learned: Any, message: str, hint: str
) -> None:
    """skops stores them, but loads them empty or not at all."""
    with pytest.raises(PackRefused, match=f"attribute `learned` of Keeps: .*{message}") as caught:
        stored({"inside": [learned]})
    assert re.search(hint, str(caught.value.hint))


def stored_untrusted(learned: Any) -> Any:
    """The value after it was stored and loaded, of which no type has to be trusted."""
    content = pipeline_bytes.dump(Keeps({"inside": learned}), "skops")
    types = pipeline_bytes.named_types(content, "skops")
    assert all(map(is_known_safe, (name for name in types if name.startswith("pandas"))))
    return stored(learned)


@pytest.mark.parametrize(
    "learned",
    [
        pd.Index(["age", "fare"], name="columns"),
        pd.Index(["age", None]),
        pd.Index(["age", 3], dtype=object),
        pd.Index(["age"], dtype="string"),
        pd.Index(np.array([3, 1], "uint8")),
        pd.Index([True, False]),
        pd.RangeIndex(2, 10, 3, name="place"),
    ],
    ids=repr,
)
def test_the_columns_of_a_frame_are_kept_without_being_trusted(learned: pd.Index[Any]) -> None:
    """Steps keep ``X.columns``; a ``ColumnTransformer`` keeps what its callable returned."""
    again = stored_untrusted(learned)
    assert type(again) is type(learned)
    assert again.identical(learned)
    assert again.dtype == learned.dtype


@pytest.mark.parametrize(
    "learned",
    [
        pd.DataFrame({"age": [1.5, 2], "fare": [2, 3]}).mean(),
        pd.Series([1.5, np.nan], ["a", "b"], dtype="float32", name="means"),
        pd.Series(["a", None], [3, 1]),
        pd.Series(["a", 3, None], dtype=object),
        pd.Series([1, None], ["a", "b"], dtype="Int64"),
        pd.Series([True, False], pd.Index(["a", "b"], name="city")),
        pd.Series([2**63 + 1], ["a"], dtype="uint64"),
    ],
    ids=lambda series: str(series.dtype),
)
def test_a_series_is_kept_without_being_trusted(learned: pd.Series[Any]) -> None:
    """Steps keep ``X.mean()`` and the means of groups, with their labels, dtype and name."""
    pd.testing.assert_series_equal(stored_untrusted(learned), learned)


@pytest.mark.parametrize("categories", [["b", "a"], [3, 1], None])
def test_a_type_of_categories_is_kept_without_being_trusted(categories: list[Any] | None) -> None:
    """Steps keep ``X["city"].dtype``."""
    learned = pd.CategoricalDtype(categories, ordered=True)
    again = stored_untrusted(learned)
    assert (again.ordered, again == learned) == (True, True)
    assert categories is None or again.categories.tolist() == categories


def test_of_a_packages_own_attribute_the_hint_is_to_replace_the_step() -> None:
    """The user can change a parameter, but not what a class of a package learns."""
    scaler = StandardScaler().fit([[1.0], [2.0]])
    scaler.means_ = pd.DataFrame([1.0])
    with pytest.raises(PackRefused) as learned:
        pipeline_bytes.dump(scaler, "skops")
    assert str(learned.value.hint).startswith("StandardScaler keeps it; replace the step, or pack")
    given = FunctionTransformer(np.clip, kw_args={"a_max": pd.DataFrame([1.0])})
    with pytest.raises(PackRefused) as chosen:
        pipeline_bytes.dump(given, "skops")
    assert "to_numpy" in str(chosen.value.hint)


def test_no_pattern_is_spoken_of_where_there_is_none() -> None:
    """A selector of columns has an attribute called `pattern`, too."""
    selected = make_column_selector(dtype_include=HOURS_DTYPE)
    with pytest.raises(PackRefused) as caught:
        stored({"inside": [selected]})
    assert "re.compile" not in str(caught.value.hint)


@pytest.mark.parametrize(
    "learned",
    [
        np.ma.masked_array([1.0, 2.0], [False, True]),
        np.random.RandomState(3),
        random.Random(3),
        KDTree(np.eye(3)),
        Decimal("1.10"),
        datetime.date(2024, 1, 2),
        OrderedDict(b=1, a=2),
        Counter("aab"),
        pd.array([1, None], dtype="Int64"),
        Bunch(a=1, b=[2]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_comes_back_as_it_is_is_stored(learned: Any) -> None:
    """It does not matter how an object that comes back equal is constructed."""
    again = stored(learned)
    assert type(again) is type(learned)
    assert state(again) == state(learned)


def state(value: Any) -> Any:
    """What is in it, to be compared."""
    if isinstance(value, np.random.RandomState | random.Random):
        return (
            value.random_sample(9).tolist() if hasattr(value, "random_sample") else value.random()
        )
    return value.query(np.eye(3)[:1])[1].tolist() if isinstance(value, KDTree) else repr(value)
