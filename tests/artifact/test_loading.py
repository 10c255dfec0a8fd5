"""Loading: where an artifact's code begins to run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gnomon.artifact import Artifact, load
from gnomon.errors import ArtifactError, GoldenMismatch
from tests.artifact.conftest import PREPROCESSING, SOURCE, flights, reseal, write_package

Bare = Callable[..., "subprocess.CompletedProcess[str]"]

PREDICT = """
import sys
import pandas as pd
from gnomon.artifact import load

loaded = load(sys.argv[1])
frame = pd.read_pickle(sys.argv[2])
print(loaded.predict(frame)["prediction"].to_pylist() == loaded.pipeline.predict(frame).tolist())
print(sorted(name for name in sys.modules if name.startswith("preprocessing")))
print({sys.modules[name].__file__.startswith(sys.argv[1]) for name in sys.modules
       if name.startswith("preprocessing")})
"""


def test_it_loads_where_only_gnomon_is_importable(
    packed: Artifact, bare: Bare, tmp_path: Path
) -> None:
    """Every vendored module comes from code/, and the answers are the pipeline's."""
    flights()[0].to_pickle(tmp_path / "frame.pkl")
    done = bare(PREDICT, packed.path, tmp_path / "frame.pkl")
    modules = ["preprocessing", "preprocessing.clock", "preprocessing.constants"]
    assert done.stdout.splitlines() == ["True", str(modules), "{True}"], done.stderr


@pytest.mark.slow
def test_its_own_code_wins_over_the_path(packed: Artifact, tmp_path: Path) -> None:
    """Another `preprocessing` on the path, as in a user's checkout, is not used."""
    write_package(tmp_path, "preprocessing", {"__init__.py": "raise SystemExit('wrong one')\n"})
    flights()[0].to_pickle(tmp_path / "frame.pkl")
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, str(packed.path), str(tmp_path / "frame.pkl")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{SOURCE}"},
    )
    assert done.stdout.splitlines()[-1] == "{True}", done.stderr


def test_a_name_that_is_taken_is_refused(packed: Artifact, project: Callable[..., Any]) -> None:
    """A process that has imported another `preprocessing` would run that one; a worker is
    needed.
    """
    project({**PREPROCESSING, "constants.py": "FACTOR = 2\n"}, module="clock")
    with pytest.raises(ArtifactError, match=r"`preprocessing\.constants`.*differs") as caught:
        load(packed.path)
    assert "worker" in str(caught.value.hint)


def test_two_artifacts_do_not_share_a_name(packed: Artifact, copied: Path, bare: Bare) -> None:
    """A second artifact with other code under the same names is refused; the first one
    still loads.
    """
    (copied / "code/preprocessing/constants.py").write_text("FACTOR = 2\n")
    reseal(copied)
    script = """
        import sys
        from gnomon.artifact import load
        load(sys.argv[1])
        load(sys.argv[1])
        try:
            load(sys.argv[2])
        except Exception as error:
            print(type(error).__name__, error.where)
    """
    done = bare(script, packed.path, copied)
    assert done.stdout.startswith(f"ArtifactError {copied}/code/preprocessing/"), done.stderr


def test_loading_writes_nothing(packed: Artifact, bare: Bare) -> None:
    """No compiled code is cached, so the artifact's files do not change."""
    before = {path: path.stat().st_mtime_ns for path in packed.path.rglob("*")}
    bare("import sys; from gnomon.artifact import load; load(sys.argv[1])", packed.path)
    assert {path: path.stat().st_mtime_ns for path in packed.path.rglob("*")} == before


def test_code_that_changes_the_answers_is_refused(copied: Path, bare: Bare) -> None:
    """Golden rows reveal the step and the column, even if every hash is correct."""
    (copied / "code" / "preprocessing" / "constants.py").write_text("FACTOR = 2\n")
    reseal(copied)
    script = """
        import sys
        from gnomon.artifact import load
        try:
            load(sys.argv[1])
        except Exception as error:
            print(type(error).__name__, error.message)
        load(sys.argv[1], verify=False)
    """
    done = bare(script, copied)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(GoldenMismatch.__name__ + " step `columns"), done.stdout
    assert "hour" in done.stdout


def test_a_missing_package_is_an_artifact_error(copied: Path, bare: Bare) -> None:
    """Code that cannot be imported here is refused with the reason and a hint, not a traceback."""
    (copied / "code" / "preprocessing" / "constants.py").write_text("import nowhere_at_all\n")
    reseal(copied)
    script = """
        import sys
        from gnomon.errors import ArtifactError
        from gnomon.artifact import load
        try:
            load(sys.argv[1])
        except ArtifactError as error:
            print(error)
    """
    done = bare(script, copied)
    assert "nowhere_at_all" in done.stdout, done.stderr
    assert "requirements.txt" in done.stdout
