"""The private parts of scikit-learn that Gnomon uses exist and behave as expected.

A failure names what a release changed. Until that is fixed, leave that release out of ``SEEN`` and
of the range in ``pyproject.toml``: then no shortcut is taken with it.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from gnomon.compat import sklearn as private

FRAME = pd.DataFrame(
    {"carrier": ["AA", "UA", "AA", "DL"] * 10, "x": np.arange(40.0), "y": np.arange(40.0) % 7}
)


def gone(what: str, then: str) -> str:
    """The sentence for a part that a release has removed or changed."""
    return f"scikit-learn {sklearn.__version__} has no `{what}` as Gnomon knows it: {then}"


def test_this_release_was_read() -> None:
    """The shortcuts are enabled with the installed scikit-learn."""
    assert private.is_seen_release(), (
        f"scikit-learn {sklearn.__version__} is none of {', '.join(private.SEEN)}: read its steps, "
        "run these tests and tests/pipeline, then add it to gnomon.compat.sklearn.SEEN"
    )


@pytest.mark.parametrize("version", ["1.6.1", "1.10.0", "2.0", "1.70.1"])
def test_an_unread_release_is_not_taken_for_one(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """``1.70`` is not ``1.7``."""
    monkeypatch.setattr(sklearn, "__version__", version)
    assert not private.is_seen_release()


def test_a_step_knows_what_it_gives() -> None:
    """``set_output``, and the configuration where a step was not asked."""
    step = StandardScaler().fit(FRAME[["x"]])
    assert private.output_container(step) == "default"
    assert private.output_container(step.set_output(transform="pandas")) == "pandas", gone(
        "_sklearn_output_config", "a shortcut would give an array where a frame was asked for"
    )
    with sklearn.config_context(transform_output="pandas"):
        assert private.output_container(StandardScaler().fit(FRAME[["x"]])) == "pandas"


def test_columns_have_places() -> None:
    """Columns are found by name, mask or selector."""
    step = ColumnTransformer(
        [
            ("names", "passthrough", ["y", "x"]),
            ("mask", "passthrough", [False, True, False]),
            ("chosen", "passthrough", make_column_selector(dtype_include="float64")),
        ]
    ).fit(FRAME)
    places = {name: list(private.places_of_columns(step, name)) for name, _, _ in step.transformers}
    assert places == {"names": [2, 1], "mask": [1], "chosen": [1, 2]}, gone(
        "_transformer_to_input_indices", "shortcuts of column transformers need another way"
    )


def test_an_encoder_tells_of_missing_values() -> None:
    """Where nothing was missing, it has nothing to tell."""
    holes = pd.DataFrame({"c": ["a", np.nan, "b"]}, dtype=object)
    assert private.has_category_for_missing(OrdinalEncoder().fit(holes)), gone(
        "_missing_indices", "a shortcut would encode missing values as unknown ones"
    )
    assert not private.has_category_for_missing(OrdinalEncoder().fit(FRAME[["carrier"]]))


@pytest.mark.parametrize("kind", [OneHotEncoder, OrdinalEncoder])
def test_an_encoder_tells_whether_it_groups(kind: Any) -> None:
    """Rare categories in one, or each by itself."""
    unknown = {"unknown_value": -1} if kind is OrdinalEncoder else {}
    handle = "use_encoded_value" if kind is OrdinalEncoder else "ignore"
    plain = kind(handle_unknown=handle, **unknown).fit(FRAME[["carrier"]])
    rare = kind(handle_unknown=handle, min_frequency=15, **unknown).fit(FRAME[["carrier"]])
    assert (private.groups_rare_categories(plain), private.groups_rare_categories(rare)) == (
        False,
        True,
    ), gone("_infrequent_enabled", "a shortcut would give every rare category a column")


BOOSTING = [HistGradientBoostingClassifier, HistGradientBoostingRegressor]


@pytest.mark.parametrize("kind", BOOSTING)
def test_boosting_has_the_parts_that_are_called(kind: Any) -> None:
    """Its checks, its encoder, the bits of its categories, and how its trees are added up."""
    X = np.column_stack((np.arange(40) % 3, np.arange(40.0)))  # noqa: N806
    model = kind(max_iter=2, categorical_features=[0]).fit(X, np.arange(40) % 2)
    then = "boosting is served by its own checks, several times as slowly"
    for name in ("_preprocess_X", "_preprocessor", "_bin_mapper", "_predict_iterations"):
        assert hasattr(model, name), gone(name, then)
    assert list(inspect.signature(model._preprocess_X).parameters) == ["X", "reset"], gone(
        "_preprocess_X(X, reset)", then
    )
    added = "X, predictors, raw_predictions, is_binned, n_threads"
    assert ", ".join(inspect.signature(model._predict_iterations).parameters) == added, gone(
        f"_predict_iterations({added})", then
    )
    assert len(model._bin_mapper.make_known_categories_bitsets()) == 2, gone(
        "_bin_mapper.make_known_categories_bitsets", then
    )
    (tree, *_), *_ = model._predictors
    assert len(inspect.signature(tree.predict).parameters) == 4, gone(
        "TreePredictor.predict(X, categories, places, threads)", then
    )


def test_the_check_of_boostings_numbers_is_known() -> None:
    """It is found in the encoder, and is not confused with other functions."""
    X = np.column_stack((np.arange(40) % 3, np.arange(40.0)))  # noqa: N806
    model = HistGradientBoostingRegressor(max_iter=2, categorical_features=[0]).fit(X, X[:, 1])
    encoder = private.encoder_of_boosting(model)
    checks = [step.func for _, step, _ in encoder.transformers_ if hasattr(step, "func")]
    assert [private.is_check_of_numbers(check) for check in checks] == [True], gone(
        "check_array in the encoder of histogram gradient boosting",
        "its numbers are checked again on every call",
    )
    assert not private.is_check_of_numbers(np.log1p)
    assert not private.is_check_of_numbers(None)


def test_columns_are_taken_as_a_column_transformer_does() -> None:
    """One column as it is, several as a frame; by name, place, mask or slice. From a frame it
    takes them by the names of training, also if others are missing or in another order."""
    then = "steps inside a column transformer cannot be traced"
    why = gone("sklearn.utils._safe_indexing", then)

    def taken(columns: Any, given: Any) -> Any:
        step = ColumnTransformer([("one", "passthrough", columns)]).fit(FRAME)
        found = private.take_columns(step, "one", given, step.transformers_[0][2])
        assert np.array_equal(step.transform(given).ravel(), np.ravel(found)), why
        return found

    for given in (FRAME, FRAME[["y", "x"]]):
        for columns in (["x", "y"], [1, 2], [-2, -1], [False, True, True], slice("x", "y")):
            assert list(taken(columns, given).columns) == ["x", "y"], why
    texts = ColumnTransformer([("one", CountVectorizer(), 0)]).fit(FRAME)
    for columns in ("carrier", 0):
        given = FRAME[["x", "carrier"]]
        assert private.take_columns(texts, "one", given, columns).name == "carrier", why


def test_pca_tells_its_solver() -> None:
    """It also tells the solver that it chose itself."""
    X = np.random.default_rng(1).normal(size=(30, 4))  # noqa: N806
    assert private.pca_solver(PCA(2, svd_solver="full").fit(X)) == "full", gone(
        "PCA._fit_svd_solver", "every PCA without a seed is reported as one that drew"
    )
    assert private.pca_solver(PCA(2, svd_solver="arpack").fit(X)) == "arpack"
    assert private.pca_solver(object()) is None
