"""The check in a fresh process."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from gnomon.artifact import Artifact, fresh_process, pack
from gnomon.errors import PackRefused
from tests.artifact.conftest import reseal

pytestmark = pytest.mark.usefixtures("fresh_children")


@pytest.mark.slow
@pytest.mark.slow
def test_a_whole_artifact_passes(packed: Artifact) -> None:
    """It loads and verifies without anything of this process."""
    fresh_process.in_fresh_process(packed.path)


@pytest.mark.slow
def test_the_reason_comes_back(copied: Path) -> None:
    """The error of the other process is raised here."""
    (copied / "code" / "preprocessing" / "constants.py").write_text("FACTOR = 3\n")
    reseal(copied)
    with pytest.raises(PackRefused, match="fresh process: step `columns"):
        fresh_process.in_fresh_process(copied)


@pytest.mark.slow
@pytest.mark.slow
def test_a_process_that_dies_is_a_refusal(copied: Path) -> None:
    """Code that ends the interpreter is reported with its output."""
    (copied / "code" / "preprocessing" / "constants.py").write_text(
        "import os\nos.write(2, b'out of cheese')\nos._exit(9)\n"
    )
    reseal(copied)
    with pytest.raises(PackRefused, match="status 9: out of cheese"):
        fresh_process.in_fresh_process(copied)


@pytest.mark.slow
def test_packages_that_pythonpath_brings_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """A package from `pip install --target` is required, not vendored, and may read its files."""
    folder = tmp_path / "target"
    (folder / "scaled_by_file").mkdir(parents=True)
    (folder / "scaled_by_file" / "__init__.py").write_text(
        "from pathlib import Path\n"
        "FACTOR = float((Path(__file__).parent / 'factor.txt').read_text())\n"
        "def scaled(X):\n    return X * FACTOR\n"
    )
    (folder / "scaled_by_file" / "factor.txt").write_text("2")
    info = folder / "scaled_by_file-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scaled-by-file\nVersion: 1.0\n")
    (info / "RECORD").write_text(
        "scaled_by_file/__init__.py,,\nscaled_by_file/factor.txt,,\n"
        "scaled_by_file-1.0.dist-info/RECORD,,\n"
    )
    monkeypatch.syspath_prepend(folder)
    scaled = importlib.import_module("scaled_by_file").scaled
    X = pd.DataFrame(np.random.default_rng(1).normal(size=(40, 2)), columns=["a", "b"])  # noqa: N806
    pipeline = make_pipeline(FunctionTransformer(scaled), LinearRegression()).fit(X, X["a"])
    artifact = pack("scaled", pipeline, X, X["a"], leakage="off", trusted="scaled_by_file.scaled")
    assert artifact.manifest.modules == {}
    assert artifact.manifest.environment.packages["scaled-by-file"] == "1.0"
