"""A user's project: a package named `preprocessing`, a frame of flights, and a fitted pipeline."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

import gnomon
from gnomon.artifact import Artifact, pack
from gnomon.artifact.manifest import Manifest, hash_files
from tests.forking import fork_children, forked_children, fresh_children  # noqa: F401

SOURCE = Path(gnomon.__file__).parents[1]

PREPROCESSING = {
    "__init__.py": '"""The user\'s own transformers."""\n',
    "clock.py": """
        import numpy as np
        import pandas as pd
        from sklearn.base import BaseEstimator, TransformerMixin

        from preprocessing.constants import FACTOR


        class HourOfDay(TransformerMixin, BaseEstimator):
            def fit(self, X, y=None):
                self.n_features_in_ = X.shape[1]
                self.feature_names_in_ = np.asarray(X.columns, dtype=object)
                return self

            def transform(self, X):
                hours = X.iloc[:, 0].dt.tz_convert("America/New_York").dt.hour
                return pd.DataFrame({"hour": hours * FACTOR}, index=X.index)

            def get_feature_names_out(self, names=None):
                return np.asarray(["hour"], dtype=object)


        def miles_to_km(X):
            return X * 1.609344
    """,
    "constants.py": "FACTOR = 1\n",
}


def write_package(folder: Path, name: str, files: dict[str, str]) -> Path:
    """Write a package of some modules."""
    package = folder / name
    package.mkdir(parents=True)
    for file, source in files.items():
        (package / file).write_text(textwrap.dedent(source))
    return package


def reseal(folder: Path, **changes: Any) -> None:
    """Rewrite the manifest with changes and correct hashes, as an attacker would."""
    manifest, _ = Manifest.read(folder)
    names = {"manifest.json", "manifest.sha256"}
    files = {name: hash_ for name, hash_ in hash_files(folder).items() if name not in names}
    msgspec.structs.replace(manifest, **{"files": files, **changes}).write(folder)


def flights(rows: int = 300, seed: int = 1) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """A frame of flights and whether each was late."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "carrier": random.choice(["UA", "AA", "B6", "DL"], size=rows),
            "distance": random.integers(80, 4983, size=rows),
            "wind": random.normal(10, 5, size=rows).round(2),
            "departs": pd.Timestamp("2013-01-01T05:00", tz="UTC")
            + pd.to_timedelta(random.integers(0, 90 * 24 * 60, size=rows), unit="min"),
        }
    )
    frame.loc[::17, "wind"] = np.nan
    frame["departs"] = frame["departs"].astype("datetime64[us, UTC]")
    late = pd.Series(frame["wind"].fillna(10) + random.normal(0, 4, size=rows) > 11, name="late")
    return frame, late


def build(clock: Any, model: Any) -> Any:
    """An unfitted pipeline that uses the project's own transformer and function."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    km = FunctionTransformer(clock.miles_to_km, feature_names_out="one-to-one")
    columns = ColumnTransformer(
        [
            ("carrier", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["carrier"]),
            ("distance", make_pipeline(km, StandardScaler()), ["distance"]),
            ("wind", SimpleImputer(), ["wind"]),
            ("hour", clock.HourOfDay(), ["departs"]),
        ]
    )
    return Pipeline([("columns", columns), ("model", model)])


@contextmanager
def no_preprocessing() -> Iterator[None]:
    """Remove modules of the same name that other tests imported, and the import hooks of loaded
    artifacts.
    """
    aside = _taken()
    finders = [*sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path[:] = finders
        _taken()
        sys.modules.update(aside)


def _taken() -> dict[str, ModuleType]:
    names = [name for name in [*sys.modules] if name.partition(".")[0] == "preprocessing"]
    return {name: sys.modules.pop(name) for name in names}


@pytest.fixture(autouse=True)
def own_preprocessing() -> Iterator[None]:
    """Every test may import a `preprocessing` of its own."""
    with no_preprocessing():
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty BentoML home."""
    folder = tmp_path / "bentoml"
    monkeypatch.setenv("BENTOML_HOME", str(folder))
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Creates importable packages for a user; they are removed after the test."""
    folder = tmp_path / "project"
    before = set(sys.modules)

    def make(files: dict[str, str], name: str = "preprocessing", module: str = "") -> Any:
        write_package(folder, name, files)
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        return importlib.import_module(f"{name}.{module}" if module else name)

    yield make
    if str(folder) in sys.path:
        sys.path.remove(str(folder))
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """One artifact of the whole pipeline, not to be changed: `copied` gives a copy."""
    folder = tmp_path_factory.mktemp("packed")
    write_package(folder, "preprocessing", PREPROCESSING)
    previous = os.environ.get("BENTOML_HOME")
    os.environ["BENTOML_HOME"] = str(folder / "bentoml")
    sys.path.insert(0, str(folder))
    try:
        with no_preprocessing(), pytest.MonkeyPatch.context() as patch:
            fork_children(patch)
            return _pack()
    finally:
        sys.path.remove(str(folder))
        if previous is None:
            del os.environ["BENTOML_HOME"]
        else:
            os.environ["BENTOML_HOME"] = previous


def _pack() -> Artifact:
    from sklearn.linear_model import LogisticRegression

    clock = importlib.import_module("preprocessing.clock")
    frame, late = flights()
    pipeline = build(clock, LogisticRegression(random_state=7)).fit(frame, late)
    return pack("flights", pipeline, frame, late, lineage={"month": "January"})


@pytest.fixture
def copied(packed: Artifact, tmp_path: Path) -> Path:
    """A copy of the artifact's folder that a test may change."""
    return Path(shutil.copytree(packed.path, tmp_path / "copied"))


@pytest.fixture
def bare() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script in a new interpreter in which only gnomon is importable."""

    def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        return subprocess.run(
            [sys.executable, "-P", "-c", textwrap.dedent(script), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=environment,
        )

    return run
