"""Every refusal names the true reason and the line to change.

The table has what a user packs, what is wrong with it, and what message and hint must contain.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import DBSCAN
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from gnomon.artifact import inspect, load, pack
from gnomon.artifact.checks.allowances import PackWarning
from gnomon.artifact.packing import check_training
from gnomon.cli import console
from gnomon.cli.show.artifact import show_artifact
from gnomon.contract.training_table import training_table
from gnomon.errors import PackRefused

Project = Callable[..., Any]

X = pd.DataFrame(np.random.default_rng(5).normal(size=(80, 3)), columns=list("abc"))
Y = X["a"] * 2 - X["c"]
HOLES = X.mask(np.random.default_rng(6).random(X.shape) < 0.2)
KINDS = X.assign(kind=np.where(X["a"] > 0, "red", "blue"))

USERS = """
import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class Step(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self


class CentreOnBatch(Step):
    def transform(self, X):
        return X - X.mean()


class Counts(Step):
    def transform(self, X):
        self.calls_ = getattr(self, "calls_", 0) + 1
        return X + self.calls_


class Draws(Step):
    def transform(self, X):
        return X + np.random.normal(size=X.shape)


RATES = {}


class ByModule(Step):
    def fit(self, X, y=None):
        RATES["a"] = float(X["a"].mean())
        return super().fit(X, y)

    def transform(self, X):
        return X + RATES.get("a", 0.0)


class ByVariable(Step):
    def transform(self, X):
        return X * float(os.environ["RATE_OF_TODAY"])


class ByOptionalVariable(Step):
    def transform(self, X):
        return X * float(os.getenv("RATE_OF_TODAY", "1"))


class ByRelativeFile(Step):
    def transform(self, X):
        return X * float(Path("rate.txt").read_text())


class ByAbsoluteFile(Step):
    def __init__(self, path):
        self.path = path

    def transform(self, X):
        return X * float(Path(self.path).read_text())


class ByFileBeside(Step):
    def transform(self, X):
        return X * float((Path(__file__).parent / "rate.txt").read_text())


class Rule:
    def __init__(self, at):
        self.at = at

    def predict(self, X):
        return (X["a"] > self.at).astype(int).tolist()


class Gaps(Rule):
    def predict(self, X):
        return np.where(X["a"] > 0, np.nan, X["a"])


class Table(pd.DataFrame):
    @property
    def _constructor(self):
        return Table

    @property
    def first(self):
        return self["a"]


class Fits:  # and knows nothing of scikit-learn
    __slots__ = ("weights",)

    def fit(self, X, y):
        self.weights = np.array([1.0, 2.0])
        return self

    def predict(self, X):
        return X[["a", "c"]].to_numpy() @ self.weights


class Total:
    def predict(self, X):
        return X.sum(axis=1).to_numpy()


class ByClass(Total):
    def predict(self, X):
        return X.first.to_numpy() + X.sum(axis=1).to_numpy()


class ByLabel(Total):
    def predict(self, X):
        return super().predict(X) + np.array([str(label).startswith("c") for label in X.index])


class ByAttrs(Total):
    def predict(self, X):
        return super().predict(X) * X.attrs.get("scale", 1.0)


class InPlace(Total):
    def predict(self, X):
        X["a"] = X["a"] * 2
        return super().predict(X)


class WithDeviation(Total):
    def predict(self, X):
        mean = super().predict(X)
        return mean, mean * 0 + 1


class Tags(Total):
    def predict(self, X):
        return [["x"] if total > 0 else ["x", "y"] for total in super().predict(X)]


class Records(Total):
    def predict(self, X):
        return [{"score": total} for total in super().predict(X)]


class Complex(Step):
    def transform(self, X):
        return np.asarray(X) * 1j


class Circular(Step):
    def transform(self, X):
        return X

    def fit(self, X, y=None):
        self.self_ = Holder(self)
        return self


class Holder:
    def __init__(self, held):
        self.held = held
"""


class Case(NamedTuple):
    """A case of the table: what is packed and what the refusal must contain."""

    brought: Callable[[Any], tuple[Any, Any, Any]]
    message: str
    hint: str
    where: str | None = None


def model_after(name: str, *arguments: Any) -> Callable[[Any], tuple[Any, Any, Any]]:
    """A linear model after one of the user's steps."""
    return lambda users: (
        make_pipeline(getattr(users, name)(*arguments), LinearRegression()).fit(X, Y),
        X,
        Y,
    )


CASES = {
    "a clusterer that cannot predict": Case(
        lambda users: (DBSCAN().fit(X), X, None),
        "DBSCAN has no `predict`",
        "fit a classifier on its `labels_`",
    ),
    "a detector without novelty": Case(
        lambda users: (LocalOutlierFactor().fit(X), X, None), "novelty=False", "novelty=True"
    ),
    "not fitted": Case(
        lambda users: (make_pipeline(StandardScaler(), Ridge()), X, Y), "not fitted", "fit"
    ),
    "a class": Case(lambda users: (Ridge, X, Y), "got the class Ridge", r"Ridge\(\).fit\(X, y\)"),
    "a column beside the features": Case(
        lambda users: (Ridge().fit(X, Y), X.assign(customer="c1"), Y),
        "X has columns that the pipeline was not fitted on: `customer`",
        r"carry=\('customer',\)",
    ),
    "a column too few": Case(
        lambda users: (Ridge().fit(X, Y), X[["a", "b"]], Y),
        "X lacks columns that the pipeline was fitted on: `c`",
        "pass the frame it was fitted on",
    ),
    "columns in another order": Case(
        lambda users: (Ridge().fit(X, Y), X[["c", "b", "a"]], Y),
        "in another order than when the pipeline was fitted",
        r"X = X\[list\(pipeline.feature_names_in_\)\]",
    ),
    "a survival target": Case(
        lambda users: (
            LinearRegression().fit(X, Y),
            X,
            np.array([(True, 1.0)] * len(X), dtype=[("event", "?"), ("time", "f8")]),
        ),
        "structured array of event, time, as for survival models",
        "leave y out",
        "y",
    ),
    "a step that looks at the batch": Case(
        model_after("CentreOnBatch"),
        "rows differ",
        r"learn from the training data in `fit`.*allow=\(\"batch_dependent\",\)",
        "step `centreonbatch`, column `a`",
    ),
    "a step that counts": Case(
        model_after("Counts"),
        r"step `counts` gives different values for the same rows.*remembers earlier calls",
        "what `fit` learned",
        "step `counts`, column `a`",
    ),
    "a step that draws": Case(
        model_after("Draws"),
        r"step `draws` gives different values for the same rows.*draws at random",
        "what `fit` learned",
        "step `draws`, column `a`",
    ),
    "an imputer that draws": Case(
        lambda users: (
            make_pipeline(
                IterativeImputer(sample_posterior=True, random_state=0), LinearRegression()
            ).fit(HOLES, Y),
            HOLES,
            Y,
        ),
        "`iterativeimputer`.*draws at random",
        "sample_posterior=False",
    ),
    "a variable of the module": Case(
        model_after("ByModule"),
        "does not work in a fresh process: step `bymodule`, column `a`: row 0 was",
        "a variable of its module.*keep that in an attribute of the step",
    ),
    "an environment variable": Case(
        model_after("ByVariable"),
        r"needs the environment variable `RATE_OF_TODAY`.*KeyError",
        r'keep the value in an attribute.*allow=\("reads_environment",\)',
        "the environment",
    ),
    "an environment variable with a default": Case(
        model_after("ByOptionalVariable"),
        r"needs the environment variable `RATE_OF_TODAY`",
        "keep the value",
    ),
    "a file of the working directory": Case(
        model_after("ByRelativeFile"),
        r"reads `rate\.txt` of the working directory",
        r'next to `__file__`.*allow=\("reads_files",\)',
        "rate.txt",
    ),
    "a file by its path": Case(
        lambda users: model_after("ByAbsoluteFile", str(Path("rate.txt").resolve()))(users),
        r"reads `/.*/rate\.txt` of this machine",
        "next to `__file__`",
    ),
    "values that JSON has not": Case(
        lambda users: (users.Complex().fit(X), X, None),
        "it answers values of dtype `complex128`, and an output is a number",
        "numbers or strings",
    ),
    "the class of the frame": Case(
        lambda users: (users.ByClass(), users.Table(X), None),
        "uses more of the frame than its columns: its class",
        r"X is a users_steps\.Table, and requests become a pandas\.DataFrame",
    ),
    "the labels of the index": Case(
        lambda users: (users.ByLabel(), X.set_index(pd.Index([f"c{n}" for n in X.index])), None),
        "reads the index of X, which requests do not bring",
        r"X = X\.reset_index\(\)",
        "X",
    ),
    "attrs of the frame": Case(
        lambda users: (users.ByAttrs(), with_attrs(X, scale=3.0), None),
        r"reads `scale` of `X\.attrs`",
        "an attribute of the step",
        "X",
    ),
    "a step that changes its input": Case(
        lambda users: (users.InPlace(), X.copy(), None),
        "modifies the rows it is given",
        r"X = X\.copy\(\)",
        "column `a`",
    ),
    "a tuple of answers": Case(
        lambda users: (users.WithDeviation(), X, None),
        "`predict` answers a tuple of 2 for 64 rows",
        "np.column_stack",
        "predict",
    ),
    "lists of labels": Case(
        lambda users: (users.Tags(), X, None),
        "`predict` answers a list of 64 for 64 rows; expected a number or a label for each",
        "true and false",
        "predict",
    ),
    "dictionaries": Case(
        lambda users: (users.Records(), X, Y),
        "it answers values of type `dict`, and an output is a number",
        "numbers or strings",
    ),
    "an object that holds itself": Case(
        model_after("Circular"), "an object in it contains itself", 'serializer="pickle"'
    ),
    "a lambda": Case(
        lambda users: (FunctionTransformer(lambda x: x).fit(X), X, None), "lambda", ""
    ),
}


def with_attrs(frame: pd.DataFrame, **attrs: Any) -> pd.DataFrame:
    """A copy that has them."""
    copy = frame.copy()
    copy.attrs.update(attrs)
    return copy


@pytest.fixture
def users(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The user's module, an environment and a working directory that only this machine has."""
    module = project({"__init__.py": USERS, "rate.txt": "3"}, name="users_steps")
    monkeypatch.setenv("RATE_OF_TODAY", "3")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rate.txt").write_text("3")
    return module


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.usefixtures("home")
def test_a_refusal_says_the_true_reason_and_the_line_to_change(case: Case, users: Any) -> None:
    """It also names the step or the file, where there is one."""
    model, rows, target = case.brought(users)
    with pytest.raises(PackRefused) as caught:
        pack("refused", model, rows, target, leakage="off")
    assert re.search(case.message, caught.value.message, re.S), caught.value.message
    assert re.search(case.hint, str(caught.value.hint), re.S), caught.value.hint
    if case.where is not None:
        assert caught.value.where == case.where


@pytest.mark.usefixtures("home")
def test_a_file_beside_the_code_is_packed_with_it(users: Any) -> None:
    """It is in the artifact, so reading it is no reason to refuse."""
    model = make_pipeline(users.ByFileBeside(), LinearRegression()).fit(X, Y)
    assert pack("beside", model, X, Y, leakage="off").manifest.allowed == {}


@pytest.mark.usefixtures("home")
def test_what_is_allowed_is_recorded_with_what_was_found(users: Any) -> None:
    """A user can allow it by name; the manifest and a warning keep the reason."""
    model = make_pipeline(users.CentreOnBatch(), LinearRegression()).fit(X, Y)
    with pytest.warns(PackWarning, match="allowed, as batch_dependent"):
        artifact = pack("allowed", model, X, Y, leakage="off", allow=("batch_dependent",))
    found = inspect(artifact.tag).manifest.allowed
    assert list(found) == ["batch_dependent"]
    assert "step `centreonbatch`" in found["batch_dependent"]
    with console.out.capture() as shown:
        show_artifact(artifact)
    assert "allowed batch_dependent" in shown.get()


@pytest.mark.usefixtures("home")
def test_a_class_that_only_predicts_is_packed(users: Any) -> None:
    """It is fitted as it is, has no parameters, and knows nothing of scikit-learn."""
    artifact = pack("rule", users.Rule(0.5), X[["a"]], leakage="off")
    assert artifact.contract.task == "classification"
    assert [output.name for output in artifact.contract.outputs] == ["prediction"]


@pytest.mark.usefixtures("home")
def test_a_class_of_the_users_with_a_fit_is_packed_or_refused_as_not_fitted(users: Any) -> None:
    """It has none of scikit-learn's tags, and ended in an AttributeError of scikit-learn."""
    fitted = users.Fits().fit(X, Y)
    artifact = pack("fits", fitted, X, Y, leakage="off", serializer="pickle")
    answered = load(artifact.tag).predict(X)["prediction"].to_numpy()
    np.testing.assert_array_equal(answered, fitted.predict(X))
    with pytest.raises(PackRefused, match="the pipeline is not fitted"):
        pack("fits", users.Fits(), X, Y, leakage="off")


@pytest.mark.usefixtures("home")
def test_rows_of_training_without_an_answer_are_warned_of(users: Any) -> None:
    """Requests with such a row would get an error."""
    with pytest.warns(PackWarning, match=r"`prediction` is NaN or infinite in \d+ of 64 rows"):
        pack("gaps", users.Gaps(0.5), X[["a"]], leakage="off")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", "double[pyarrow]"])
def test_infinities_of_training_are_warned_of(dtype: str) -> None:
    """No request as JSON has one. The way out that it names packs in silence."""
    infinite = X[["a"]].astype("float64").copy()
    infinite.iloc[:3, 0] = [np.inf, -np.inf, np.nan]
    model = HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=1)
    frame = infinite.astype(dtype)
    with pytest.warns(PackWarning, match=r"infinite in training: `a` \(2 rows\)"):
        pack("trees", model.fit(frame, Y), frame, Y, leakage="off", seeds={})
    frame = infinite.replace([np.inf, -np.inf], np.nan).astype(dtype)
    pack("trees", model.fit(frame, Y), frame, Y, leakage="off", seeds={})


@pytest.mark.usefixtures("home")
def test_files_and_variables_are_allowed_apart(users: Any) -> None:
    """Allowing one does not allow the other."""
    by_file = make_pipeline(users.ByAbsoluteFile(str(Path("rate.txt").resolve())), Ridge())
    by_file.fit(X, Y)
    with pytest.raises(PackRefused, match=r"rate\.txt"):
        pack("files", by_file, X, Y, leakage="off", allow=("reads_environment",))
    with pytest.warns(PackWarning, match="allowed, as reads_files"):
        artifact = pack("files", by_file, X, Y, leakage="off", allow=("reads_files",))
    assert list(artifact.manifest.allowed) == ["reads_files"]


@pytest.mark.usefixtures("home")
def test_only_what_can_be_allowed_is_taken() -> None:
    """A name that is none is answered with those that are."""
    model = LinearRegression().fit(X, Y)
    with pytest.raises(PackRefused, match="got 'everything'") as caught:
        pack("allowed", model, X, Y, allow=("everything",))  # type: ignore[arg-type]
    assert caught.value.hint == "they are batch_dependent, reads_environment, reads_files"


@pytest.mark.usefixtures("home")
def test_iterative_imputer_is_packed_with_a_warning_of_the_one_row_it_answers_otherwise() -> None:
    """It fills a batch of only nulls by another rule, and training has no such row."""
    model = make_pipeline(
        IterativeImputer(random_state=0, max_iter=5), RandomForestRegressor(3, random_state=0)
    ).fit(HOLES[HOLES.notna().any(axis=1)], Y[HOLES.notna().any(axis=1)])
    rows = HOLES[HOLES.notna().any(axis=1)]
    with pytest.warns(PackWarning, match="every nullable feature is null"):
        artifact = pack("imputed", model, rows, leakage="off")
    answered = load(artifact.tag).predict(rows)["prediction"].to_numpy()
    np.testing.assert_array_equal(answered, model.predict(rows))


@pytest.mark.parametrize(
    ("encoder", "kind"), [(OneHotEncoder(), "OneHotEncoder"), (OrdinalEncoder(), "OrdinalEncoder")]
)
@pytest.mark.usefixtures("home")
def test_an_encoder_that_refuses_unseen_categories_is_warned_of(encoder: Any, kind: str) -> None:
    """The warning has the step and its class, the feature, and the two ways out."""
    model = make_pipeline(
        make_column_transformer((encoder, ["kind"]), remainder="passthrough"), Ridge()
    ).fit(KINDS, Y)
    with pytest.warns(PackWarning) as caught:
        pack("unseen", model, KINDS, Y, leakage="off")
    (said,) = [str(one.message) for one in caught if one.category is PackWarning]
    assert said.startswith(f"step `columntransformer/{kind.lower()}` ({kind}) raises on a value")
    assert 'handle_unknown="ignore"' in said
    assert 'outside="error" for `kind`' in said


@pytest.mark.usefixtures("home")
def test_an_encoder_that_ignores_them_is_not() -> None:
    """Nothing fails, so nothing is said."""
    encoder = OneHotEncoder(handle_unknown="ignore")
    model = make_pipeline(
        make_column_transformer((encoder, ["kind"]), remainder="passthrough"), Ridge()
    ).fit(KINDS, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PackWarning)
        pack("ignored", model, KINDS, Y, leakage="off")


class Rounds(TransformerMixin, BaseEstimator):
    """It is fitted, although no learned attribute ends in an underscore."""

    def fit(self, X: Any, y: Any = None) -> Rounds:  # noqa: N803
        self.places = 2
        return self

    def transform(self, X: Any) -> Any:  # noqa: N803
        return np.round(X, self.places)


@pytest.mark.usefixtures("home")
def test_metadata_requests_are_left_out() -> None:
    """They route `sample_weight` in training; the pipeline keeps them, the artifact does not."""
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=True),
            Ridge().set_fit_request(sample_weight=True),
        ).fit(X, Y, sample_weight=np.ones(len(X)))
        artifact = pack("routed", model, X, Y, leakage="off")
        assert model[-1].get_metadata_routing().fit.requests == {"sample_weight": True}
    answered = load(artifact.tag).predict(X)["prediction"].to_numpy()
    np.testing.assert_array_equal(answered, model.predict(X))


def test_a_step_without_underscores_counts_as_fitted() -> None:
    """It answers rows, and that is what fitted means."""
    check_training(Rounds().fit(X), training_table(X), None)
    with pytest.raises(PackRefused, match="not fitted"):
        check_training(Rounds(), training_table(X), None)
