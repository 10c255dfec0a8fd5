"""Inspecting an artifact, and refusing one that was tampered with."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gnomon.artifact import Artifact, Environment, contracts_of, inspect
from gnomon.artifact.manifest import sha256
from gnomon.errors import (
    ArtifactCorrupt,
    ArtifactIncompatible,
    UnknownArtifact,
    UntrustedTypes,
)
from tests.artifact.conftest import reseal

FILES = [
    "manifest.json",
    "manifest.sha256",
    "model.yaml",
    "pipeline.skops",
    "contract.json",
    "checks.json",
    "golden.arrow",
    "profile.arrow",
    "requirements.txt",
    "code/preprocessing/__init__.py",
    "code/preprocessing/clock.py",
    "code/preprocessing/constants.py",
]


def test_the_files_of_an_artifact(packed: Artifact) -> None:
    """Exactly these; the tampering tests below go through all of them."""
    found = {p.relative_to(packed.path).as_posix() for p in packed.path.rglob("*") if p.is_file()}
    assert found == set(FILES)


def test_inspect_says_what_it_is(packed: Artifact) -> None:
    """Tag, digest, contract, golden rows and profile are read without loading anything."""
    artifact = inspect(packed.path)
    assert artifact == packed
    assert artifact.tag == f"flights:{artifact.version}"
    assert len(artifact.digest) == 64
    assert [f.name for f in artifact.contract.features] == [
        "carrier",
        "distance",
        "wind",
        "departs",
    ]
    assert artifact.golden().num_rows == 64
    assert "output/prediction" in artifact.golden().column_names
    assert artifact.manifest.seeds == {"model__random_state": 7}
    assert artifact.manifest.lineage.given == {"month": "January"}


@pytest.mark.parametrize("name", FILES)
def test_an_altered_file_is_named(copied: Path, name: str) -> None:
    """One bit flipped anywhere is corruption, and the message says of which file."""
    path = copied / name
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 2] ^= 1
    else:
        content += b"\n"
    path.write_bytes(content)
    with pytest.raises(ArtifactCorrupt) as caught:
        inspect(copied)
    assert Path(name).name in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(copied: Path, name: str) -> None:
    """A truncated file, or one with an added line, is corrupt."""
    path = copied / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] if content else b"\n")
    with pytest.raises(ArtifactCorrupt) as caught:
        inspect(copied)
    assert Path(name).name in str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    """A file that is gone is corruption, and the message says which."""
    (copied / name).unlink()
    with pytest.raises(ArtifactCorrupt) as caught:
        inspect(copied)
    assert Path(name).name in str(caught.value)


@pytest.mark.parametrize("name", ["code/preprocessing/extra.py", "code/numpy.py", "notes.txt"])
def test_an_added_file_is_refused(copied: Path, name: str) -> None:
    """Code that was not packed could be imported, so nothing may be added."""
    (copied / name).write_text("raise SystemExit\n")
    with pytest.raises(ArtifactCorrupt, match=Path(name).name):
        inspect(copied)


def test_a_compiled_copy_of_code_is_refused(copied: Path) -> None:
    """A cache file could hold other code than the source whose hash is checked."""
    cache = copied / "code" / "preprocessing" / "__pycache__"
    cache.mkdir()
    (cache / f"clock.{sys.implementation.cache_tag}.pyc").write_bytes(b"")
    with pytest.raises(ArtifactCorrupt, match="pyc"):
        inspect(copied)


def test_a_link_out_of_the_folder_is_refused(copied: Path, tmp_path: Path) -> None:
    """A folder of code that is a link does not belong to the artifact."""
    (tmp_path / "elsewhere").mkdir()
    (copied / "code" / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactCorrupt, match="linked"):
        inspect(copied)


def test_a_type_the_manifest_does_not_name_is_refused(copied: Path, packed: Artifact) -> None:
    """Even if every hash is correct, the pipeline may only name what the manifest lists."""
    types = packed.manifest.types
    reseal(copied, types=tuple(name for name in types if "HourOfDay" not in name))
    with pytest.raises(UntrustedTypes, match=r"preprocessing\.clock\.HourOfDay"):
        inspect(copied)


@pytest.mark.parametrize(
    "name", ["../toy", "..", "a/b", "toy\n", "to\x1b[2Jy", "", "toy:1", "a" * 64]
)
@pytest.mark.parametrize("part", ["name", "version"])
def test_a_name_that_no_file_may_have_is_refused(copied: Path, part: str, name: str) -> None:
    """Streams, reports and evidence use the artifact's name in file names."""
    reseal(copied, **{part: name})
    with pytest.raises(ArtifactCorrupt, match="manifest"):
        inspect(copied)


def test_a_pickle_is_read_and_not_run(copied: Path, tmp_path: Path) -> None:
    """A forged pickle that would write a file is refused by the type it names; none is written."""

    class Bomb:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "exploded",)

    (copied / "pipeline.skops").unlink()
    (copied / "pipeline.pkl").write_bytes(pickle.dumps(Bomb(), protocol=5))
    reseal(copied, serializer="pickle")
    with pytest.raises(UntrustedTypes, match=rf"{Path.__module__}\.Path\.touch"):  # it moves about
        inspect(copied)
    assert not (tmp_path / "exploded").exists()


def test_another_python_is_refused(copied: Path, packed: Artifact) -> None:
    """An artifact packed under another minor version of Python is not loaded."""
    environment = msgspec.structs.replace(packed.manifest.environment, python="3.9.1")
    reseal(copied, environment=environment)
    with pytest.raises(ArtifactIncompatible, match=r"Python 3\.9\.1"):
        inspect(copied)


def test_another_scikit_learn_is_refused(copied: Path, packed: Artifact) -> None:
    """An artifact packed under another minor version of scikit-learn is not loaded."""
    environment = packed.manifest.environment
    packages = {**environment.packages, "scikit-learn": "0.24.2"}
    reseal(copied, environment=msgspec.structs.replace(environment, packages=packages))
    with pytest.raises(ArtifactIncompatible, match=r"scikit-learn 0\.24\.2"):
        inspect(copied)


def test_a_newer_format_is_refused(copied: Path) -> None:
    """A manifest of a format this version does not know says so, whatever else it holds."""
    manifest = json.loads((copied / "manifest.json").read_bytes())
    manifest |= {"format": 99, "novelty": True}
    content = json.dumps(manifest).encode()
    (copied / "manifest.json").write_bytes(content)
    (copied / "manifest.sha256").write_text(f"{sha256(content)}  manifest.json\n")
    with pytest.raises(ArtifactIncompatible, match=r"format 99; .* reads up to 2"):
        inspect(copied)


def test_a_folder_that_is_no_artifact_is_unknown(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(UnknownArtifact, match="empty"):
        inspect(tmp_path / "empty")


def test_an_artifact_may_be_moved(copied: Path, packed: Artifact, tmp_path: Path) -> None:
    """Nothing in it depends on its location."""
    moved = Path(shutil.move(copied, tmp_path / "elsewhere"))
    assert inspect(moved).digest == packed.digest


@pytest.mark.usefixtures("fresh_children")
def test_inspecting_imports_no_code_and_nothing_heavy(
    packed: Artifact, bare: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Neither the user's code, nor bentoml, nor scikit-learn, nor skops are imported."""
    done = bare(
        """
        import sys
        from gnomon.artifact import inspect

        print(inspect(sys.argv[1]).tag)
        heavy = {"bentoml", "sklearn", "skops", "scipy", "preprocessing"}
        print(sorted(heavy & set(sys.modules)))
        """,
        packed.path,
    )
    assert done.stdout.splitlines() == [packed.tag, "[]"], done.stderr


def test_an_artifact_of_the_first_release_is_loaded(
    tmp_path: Path, bare: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Its format is 1; it names losses, trees, a generator and code of its own."""
    with tarfile.open(Path(__file__).parent / "data" / "artifact-1.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    # Another Python or scikit-learn than it was packed under would rightly refuse it.
    reseal(tmp_path / "1", environment=Environment.here())
    done = bare(
        "import sys; from gnomon.artifact import load; print(load(sys.argv[1]).artifact.tag)",
        tmp_path / "1",
    )
    assert done.stdout == "boost:1\n", done.stderr


def test_contracts_are_read_of_the_artifacts_that_are_whole(copied: Path, packed: Artifact) -> None:
    """One that is gone is left out, and one that is altered is too."""
    assert contracts_of([str(packed.path), f"{packed.name}:gone"]) == [packed.contract]
    (copied / "contract.json").write_text("{}")
    assert contracts_of([str(copied)]) == []
