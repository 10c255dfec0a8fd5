"""Packing: what is refused, and what is in the artifact that comes out."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from gnomon.artifact import Artifact, inspect, load, pack
from gnomon.artifact.checks.unused_columns import UnusedColumnWarning
from gnomon.artifact.packing import accept_types, check_batch_invariance, data_digest
from gnomon.artifact.serialization import pipeline_bytes
from gnomon.contract import infer_contract
from gnomon.errors import ContractError, PackRefused, UntrustedTypes
from tests.artifact.conftest import write_package
from tests.forking import run_python

Project = Callable[..., Any]


def numbers(rows: int = 60) -> tuple[pd.DataFrame, pd.Series[Any]]:
    random = np.random.default_rng(2)
    frame = pd.DataFrame(random.normal(size=(rows, 2)), columns=["a", "b"])
    return frame, frame["a"] * 2 + frame["b"] + 1


def fitted() -> tuple[Any, pd.DataFrame, pd.Series[Any]]:
    frame, target = numbers()
    return make_pipeline(StandardScaler(), LinearRegression()).fit(frame, target), frame, target


@pytest.mark.usefixtures("fresh_children")
def test_it_is_in_the_store_and_loads(home: Path) -> None:
    """What pack returns is what inspect finds under the tag, and it answers as the pipeline."""
    pipeline, frame, target = fitted()
    artifact = pack("house-prices", pipeline, frame, target)
    assert inspect("house-prices:latest") == artifact
    assert artifact.path == home / "models" / "house-prices" / artifact.version
    answer = load(artifact.tag).predict(frame)["prediction"].to_numpy()
    np.testing.assert_array_equal(answer, pipeline.predict(frame))


@pytest.mark.usefixtures("home")
def test_two_packs_of_one_thing_differ_in_time_only() -> None:
    """Every file but the manifest, its seal and model.yaml has the same bytes."""
    frame, target = numbers()

    def packed() -> Artifact:
        model = HistGradientBoostingRegressor(max_iter=3, random_state=4)
        pipeline = make_pipeline(StandardScaler(), model)
        return pack("twice", pipeline.fit(frame, target), frame, target)

    first, second = packed(), packed()
    assert first.version != second.version
    different = {
        name
        for name in first.manifest.files.keys() | second.manifest.files.keys()
        if first.manifest.files.get(name) != second.manifest.files.get(name)
    }
    assert different == {"model.yaml"}
    assert first.manifest.lineage == second.manifest.lineage
    assert first.manifest.types == second.manifest.types


def test_the_users_code_is_vendored_and_trusted(packed: Artifact) -> None:
    """Its classes and functions are on the list of trusted types, by name."""
    manifest = packed.manifest
    assert manifest.modules["preprocessing.clock"] == "preprocessing/clock.py"
    assert "preprocessing.clock.HourOfDay" in manifest.trusted
    assert "preprocessing.clock.miles_to_km" in manifest.trusted


def test_requirements_name_what_it_runs_on(packed: Artifact) -> None:
    """Every version is pinned, including Gnomon's."""
    lines = (packed.path / "requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in lines}
    assert {"gnomon", "scikit-learn", "numpy", "pandas", "skops", "pyarrow"} <= names
    assert all("==" in line for line in lines)


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_two_versions_of_one_package_live_side_by_side(tmp_path: Path) -> None:
    """Law 4: artifacts whose `preprocessing` differ each run their own, in their own process."""
    script = textwrap.dedent("""
        import sys
        import numpy as np, pandas as pd
        import preprocessing
        from sklearn.linear_model import LinearRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer
        import gnomon.artifact
        frame = pd.DataFrame({"x": np.arange(40.0)})
        pipeline = make_pipeline(
            FunctionTransformer(preprocessing.scale), LinearRegression(fit_intercept=False)
        ).fit(frame, frame["x"])
        pipeline[-1].coef_ = np.array([1.0])
        print(gnomon.artifact.pack("versions", pipeline, frame).path)
    """)
    paths = []
    for factor in (1, 100):
        folder = tmp_path / f"checkout{factor}"
        source = f"def scale(X):\n    return X * {factor}\n"
        write_package(folder, "preprocessing", {"__init__.py": source})
        done = run_python(["-c", script], cwd=folder, env=os.environ)
        assert done.returncode == 0, done.stderr
        paths.append(done.stdout.strip())
    answers = []
    for path in paths:
        answer = (
            "import sys; from gnomon.artifact import load; import pandas as pd; print(load("
            "sys.argv[1]).predict(pd.DataFrame({'x': [1.0]}))['prediction'][0])"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", answer, path],
            cwd=tmp_path / "checkout1",
            capture_output=True,
            text=True,
            check=False,
        )
        answers.append((done.stdout.strip(), done.stderr))
    assert [answer for answer, _ in answers] == ["1.0", "100.0"], answers


BATCH = """
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class CentreOnBatch(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X - X.mean()

    def get_feature_names_out(self, names=None):
        return names
"""


@pytest.mark.usefixtures("home")
def test_a_step_that_looks_at_the_batch_is_refused(project: Project) -> None:
    """A row would get another answer alone than with others."""
    centre = project({"__init__.py": BATCH}, name="batch_dependent").CentreOnBatch()
    frame, target = numbers()
    pipeline = make_pipeline(centre, LinearRegression()).fit(frame, target)
    with pytest.raises(PackRefused, match="centreonbatch"):
        pack("batch", pipeline, frame, target)


@pytest.mark.parametrize("what", ["array", "list"])
@pytest.mark.usefixtures("home")
def test_columns_without_names_are_refused_where_it_was_fitted_on_names(what: str) -> None:
    """Columns in another order would be mixed up silently."""
    pipeline, frame, target = fitted()
    rows: Any = frame.to_numpy() if what == "array" else frame.to_numpy().tolist()
    with pytest.raises(PackRefused, match="fitted on columns with names, and X has none") as caught:
        pack("flights", pipeline, rows, target)
    assert "columns=pipeline.feature_names_in_" in str(caught.value.hint)


@pytest.mark.usefixtures("home")
def test_what_was_fitted_on_an_array_is_given_one_in_the_order_of_the_names() -> None:
    """When packed with a frame, it takes columns by name, in any order."""
    frame, target = numbers()
    pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(frame.to_numpy(), target)
    artifact = pack("array", pipeline, frame, target)
    assert artifact.contract.input == "array"
    loaded = load(artifact.path)
    there, turned = loaded.predict(frame), loaded.predict(frame[["b", "a"]])
    assert there.equals(turned)
    expected = pipeline.predict(frame.to_numpy())  # In another order of summation, perhaps.
    np.testing.assert_allclose(there.column("prediction"), expected, rtol=1e-12)


@pytest.mark.usefixtures("home")
def test_a_column_that_the_pipeline_drops_does_not_block() -> None:
    """A dropped column is left out with a warning; a used one is refused with a line to copy."""
    frame, target = numbers()
    frame["since"] = pd.to_timedelta(np.arange(len(frame)), unit="h")
    kept = ColumnTransformer([("scaled", StandardScaler(), ["a", "b"])])
    pipeline = make_pipeline(kept, LinearRegression()).fit(frame, target)
    with pytest.warns(UnusedColumnWarning, match="not in the contract: `since`"):
        artifact = pack("dropped", pipeline, frame, target)
    assert [feature.name for feature in artifact.contract.features] == ["a", "b"]
    seconds = FunctionTransformer(lambda rows: rows.assign(since=rows["since"].dt.seconds))
    used = make_pipeline(seconds, LinearRegression()).fit(frame, target)
    with pytest.raises(ContractError, match="timedelta64") as caught:
        pack("used", used, frame, target)
    assert caught.value.hint == "X['since'] = X['since'].dt.total_seconds()"


@pytest.mark.usefixtures("home")
def test_columns_called_by_integers_are_integers_again_for_the_pipeline() -> None:
    """Such columns come from ``pd.DataFrame(array)``; requests use their digits as names."""
    frame, target = numbers()
    frame = frame.set_axis([0, 1], axis=1)
    pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(frame, target)
    artifact = pack("integers", pipeline, frame, target)
    assert [(f.name, f.column) for f in artifact.contract.features] == [("0", 0), ("1", 1)]


@pytest.mark.usefixtures("home")
def test_a_carried_column_is_in_the_contract_and_not_in_what_the_pipeline_gets() -> None:
    """The entity key need not be an input of the model."""
    frame, target = numbers()
    pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(frame, target)
    both = frame.assign(customer=[f"c{i}" for i in range(len(frame))])
    artifact = pack(
        "carried", pipeline, both, target, carry=("customer",), entity_key=("customer",)
    )
    assert artifact.contract.feature("customer").carried
    loaded = load(artifact.path)
    assert loaded.predict(both).equals(loaded.predict(frame))
    inputs = {row["name"] for row in artifact.profile().to_pylist() if row["kind"] == "input"}
    assert inputs == {"a", "b", "customer"}


@pytest.mark.usefixtures("home")
def test_an_empty_frame_is_refused() -> None:
    """A contract cannot be inferred from it."""
    pipeline, frame, _ = fitted()
    with pytest.raises(PackRefused, match="no rows"):
        pack("flights", pipeline, frame.iloc[:0])


@pytest.mark.usefixtures("home")
def test_a_pipeline_that_is_not_fitted_is_refused() -> None:
    """The error says to fit it."""
    frame, target = numbers()
    with pytest.raises(PackRefused, match="not fitted"):
        pack("flights", make_pipeline(StandardScaler(), LinearRegression()), frame, target)


@pytest.mark.usefixtures("home")
def test_a_target_of_another_length_is_refused() -> None:
    """The error says both lengths."""
    pipeline, frame, target = fitted()
    with pytest.raises(PackRefused, match="60 rows, but y has 59"):
        pack("flights", pipeline, frame, target[:-1])


@pytest.mark.usefixtures("home")
def test_what_answers_nothing_is_refused() -> None:
    """A pipeline must end in something that answers rows."""
    frame, _ = numbers()
    for nothing in (NearestNeighbors().fit(frame), len):
        with pytest.raises(PackRefused, match="nothing that answers new rows"):
            pack("flights", nothing, frame)


@pytest.mark.usefixtures("home")
def test_one_target_as_a_column_is_taken_with_a_warning() -> None:
    """Scikit-learn warns too; the answers are those of the pipeline."""
    frame, target = numbers()
    pipeline = LinearRegression().fit(frame, target.to_frame())
    with pytest.warns(DataConversionWarning, match="y has one column"):
        artifact = pack("column", pipeline, frame, target.to_frame())
    answer = load(artifact.tag).predict(frame)["prediction"].to_numpy()
    np.testing.assert_array_equal(answer, pipeline.predict(frame).ravel())


@pytest.mark.usefixtures("home")
def test_an_artifact_without_golden_rows_is_refused() -> None:
    """Nothing could be verified on load."""
    pipeline, frame, target = fitted()
    with pytest.raises(PackRefused, match="at least one golden row"):
        pack("flights", pipeline, frame, target, golden_rows=0)


@pytest.mark.usefixtures("home")
def test_a_lambda_is_refused() -> None:
    """The pipeline could not be loaded."""
    frame, target = numbers()
    pipeline = make_pipeline(FunctionTransformer(lambda x: x * 2), LinearRegression())
    with pytest.raises(PackRefused, match="lambda"):
        pack("flights", pipeline.fit(frame, target), frame, target)


@pytest.mark.parametrize("name", ["Flights", "a/b", "", "über", "-x", "x" * 64])
@pytest.mark.usefixtures("home")
def test_a_name_bentoml_would_not_take_is_refused(name: str) -> None:
    """The error says which are allowed."""
    pipeline, frame, target = fitted()
    with pytest.raises(PackRefused, match="lower-case"):
        pack(name, pipeline, frame, target)


def with_a_fraction() -> tuple[Any, pd.DataFrame, pd.Series[Any]]:
    pipeline, frame, target = fitted()
    pipeline[-1].share_ = Fraction(1, 3)
    return pipeline, frame, target


def test_a_type_nobody_trusts_is_refused_and_leaves_nothing(home: Path) -> None:
    """The error names it and how to trust it; no half artifact and no staging folder stay."""
    pipeline, frame, target = with_a_fraction()
    with pytest.raises(UntrustedTypes, match=r"fractions\.Fraction") as caught:
        pack("flights", pipeline, frame, target)
    assert "trusted=['fractions.Fraction']" in str(caught.value.hint)
    assert [path for path in home.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("home")
def test_a_type_that_was_named_is_recorded() -> None:
    """It is on the manifest's list, and the artifact loads."""
    artifact = pack("flights", *with_a_fraction(), trusted=["fractions.Fraction"])
    assert artifact.manifest.trusted == ("fractions.Fraction",)
    assert load(artifact.tag).pipeline[-1].share_ == Fraction(1, 3)


@pytest.mark.usefixtures("home")
def test_pickle_is_used_when_asked_for_and_marked() -> None:
    """The manifest says so and lists what the pickle names."""
    pipeline, frame, target = with_a_fraction()
    artifact = pack("flights", pipeline, frame, target, serializer="pickle")
    assert artifact.manifest.serializer == "pickle"
    assert "fractions.Fraction" in artifact.manifest.types
    assert not (artifact.path / "pipeline.skops").exists()
    answer = load(artifact.tag).predict(frame)["prediction"].to_numpy()
    np.testing.assert_array_equal(answer, pipeline.predict(frame))


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_children")
@pytest.mark.usefixtures("home")
def test_code_that_only_works_here_is_refused(project: Project, tmp_path: Path) -> None:
    """The artifact is loaded in a fresh process, where missing files are noticed."""
    (tmp_path / "table.txt").write_text("3")
    source = """
        from pathlib import Path

        FACTOR = int((Path(__file__).parents[2] / "table.txt").read_text())


        def scale(X):
            return X * FACTOR
    """
    module = project({"__init__.py": source}, name="reads_beside")
    frame, target = numbers()
    pipeline = make_pipeline(FunctionTransformer(module.scale), LinearRegression())
    with pytest.raises(PackRefused, match=r"fresh process.*FileNotFoundError"):
        pack("flights", pipeline.fit(frame, target), frame, target)


@pytest.mark.usefixtures("home")
def test_a_contract_can_be_given() -> None:
    """An edited contract is kept as it is."""
    pipeline, frame, target = fitted()
    inferred = pack("flights", pipeline, frame, target).contract
    features = (msgspec.structs.replace(inferred.features[0], unit="mile"), inferred.features[1])
    contract = msgspec.structs.replace(inferred, features=features)
    assert pack("flights", pipeline, frame, target, contract=contract).contract == contract


@pytest.mark.usefixtures("home")
def test_a_contract_that_cannot_carry_the_data_is_refused() -> None:
    """Rows must get the same answers after conversion to the contract's types."""
    frame = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0) % 3})
    pipeline = make_pipeline(LinearRegression()).fit(frame[["b", "a"]], frame["a"])
    contract = infer_contract(frame[["b", "a"]], task="regression")
    swapped = msgspec.structs.replace(contract, features=contract.features[:1])
    with pytest.raises(PackRefused, match="feature names"):
        pack("flights", pipeline, frame[["b", "a"]], contract=swapped)


def test_the_data_has_a_fingerprint() -> None:
    """It changes with a value, a name, a type or the target, and only then."""
    frame, target = numbers()
    digest = data_digest(frame, target)
    assert digest == data_digest(frame.copy(), target.to_numpy())
    others = [
        (frame.rename(columns={"a": "c"}), target),
        (frame.astype({"a": "float32"}), target),
        (frame.assign(a=frame["a"].where(frame.index != 3, 0.0)), target),
        (frame, target + 1),
        (frame, None),
    ]
    assert len({digest, *(data_digest(X, y) for X, y in others)}) == 6


INFERRING = """
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class Convert(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X.convert_dtypes()


class Fill(Convert):
    def transform(self, X):
        return X.fillna(X.mean()).fillna(0)


class Dummies(Convert):
    def transform(self, X):
        return pd.get_dummies(X["kind"]).reindex(columns=["a", "b"]).astype(float)


class Hashed(Convert):
    def transform(self, X):
        return pd.DataFrame({"kind": [float(hash(v) % 1000) for v in X["kind"]]})
"""


def gaps(rows: int = 300) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Numbers of which one in a hundred is missing, in rows that are not chosen as corners."""
    random = np.random.default_rng(4)
    frame = pd.DataFrame(
        random.normal(size=(rows, 12)).round(1) + 0.05, columns=list("abcdefghijkl")
    )
    frame.loc[77, "l"] = np.nan
    return frame, frame["a"] + random.normal(size=rows)


@pytest.mark.parametrize(
    ("step", "where"),
    [("Convert", "column `a`"), ("Fill", "column `l`")],
)
@pytest.mark.usefixtures("home")
def test_what_only_a_whole_or_a_null_row_shows_is_refused(
    step: str, where: str, project: Project
) -> None:
    """Neither corners nor spaced rows contain them, so such rows are constructed or
    searched for.
    """
    module = project({"__init__.py": INFERRING}, name="inferring")
    frame, target = gaps()
    if step == "Convert":
        frame = frame.fillna(0.05)
    model = HistGradientBoostingRegressor(max_iter=2)
    pipeline = make_pipeline(getattr(module, step)(), model).fit(frame, target)
    with pytest.raises(PackRefused) as caught:
        pack("inferred", pipeline, frame, target)
    assert caught.value.where == f"step `{step.lower()}`, {where}"


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_children")
@pytest.mark.parametrize(
    ("step", "says"), [("Dummies", "in a batch of one"), ("Hashed", "fresh process")]
)
@pytest.mark.usefixtures("home")
def test_columns_of_the_batch_and_hashes_of_the_process_are_refused(
    step: str, says: str, project: Project
) -> None:
    """Columns made from the batch change with it; Python hashes text differently in each
    process.
    """
    module = project({"__init__.py": INFERRING}, name="inferring")
    frame = pd.DataFrame({"kind": ["a", "b", "b", "a", "b"] * 20})
    target = np.random.default_rng(5).normal(size=100)
    model = HistGradientBoostingRegressor(max_iter=2)
    pipeline = make_pipeline(getattr(module, step)(), model).fit(frame, target)
    with pytest.raises(PackRefused, match=says) as caught:
        pack("hashed", pipeline, frame, target)
    assert f"step `{step.lower()}`, column" in str(caught.value)
    if step == "Hashed":
        assert "use zlib.crc32" in str(caught.value.hint)


def test_a_module_is_trusted_by_its_whole_name() -> None:
    """Vendoring `fraction` does not make the module `fractions` trusted."""
    content = pipeline_bytes.dump(with_a_fraction()[0], "skops")
    with pytest.raises(UntrustedTypes, match=r"fractions\.Fraction"):
        accept_types(content, "skops", {"fraction": "fraction.py"}, ())
    assert "fractions.Fraction" in accept_types(content, "skops", {"fractions": "f.py"}, ())


def of_its_company(frame: pd.DataFrame) -> pd.DataFrame:
    """Fill nulls of the last column with the batch's mean, where the first column has a value."""
    filled = frame.copy()
    rows = filled["c39"].isna() & filled["c00"].notna()
    filled.loc[rows, "c39"] = filled["c39"].mean()
    return filled.fillna(0.0)


def test_a_null_in_any_column_of_a_wide_frame_is_tried_alone() -> None:
    """Even if there are more columns than probed rows, the last column's null is tried."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame(random.normal(size=(401, 40)), columns=[f"c{i:02d}" for i in range(40)])
    frame.loc[[0, 400], "c00"] = np.nan
    frame.loc[123, "c39"] = np.nan
    target = frame["c01"] * 2
    pipeline = make_pipeline(FunctionTransformer(of_its_company), LinearRegression())
    pipeline.fit(frame, target)
    contract = infer_contract(frame, task="regression")
    with pytest.raises(PackRefused, match=r"differ in a batch of one: .* column `c39`"):
        check_batch_invariance(pipeline, frame, contract)


def test_columns_of_arrow_lists_are_in_the_digest_of_the_data() -> None:
    """pandas cannot hash their cells, which ended packing in a TypeError."""
    dtype = pd.ArrowDtype(pa.list_(pa.float64()))
    one, other = (
        pd.DataFrame({"pixels": pd.array([[1.0, 2.0], [3.0, last]], dtype=dtype)})
        for last in (4.0, 5.0)
    )
    assert data_digest(one, None) == data_digest(one.copy(), None) != data_digest(other, None)
