"""Law 6: look before you run."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from gnomon.artifact import inspect
from gnomon.artifact.folder import ArtifactFolder
from gnomon.artifact.signing import new_key, read_private, sign
from gnomon.errors import ArtifactError
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from tests.packing import Pack, times


def test_nothing_of_a_tampered_artifact_is_executed(
    pack: Pack, own_home: Path, tmp_path: Path, settings: Settings
) -> None:
    """Code that was changed after packing never runs: not by inspect, not by a worker."""
    tag = pack(times(1))
    folder = own_home / "models" / tag.replace(":", "/")
    artifact, witness = inspect(tag), tmp_path / "it-ran"
    code = folder / "code" / "preprocessing.py"
    code.write_text(f"open({str(witness)!r}, 'w')\n" + code.read_text())
    with pytest.raises(ArtifactError, match="preprocessing"):
        inspect(tag)
    with pytest.raises(ArtifactError, match="preprocessing"), WorkerClient(artifact, settings):
        pass
    assert not witness.exists()


def test_inspecting_imports_no_user_code(
    pack: Pack, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that would act on import leaves no trace when its artifact is inspected."""
    witness = tmp_path / "it-ran"
    monkeypatch.setenv("WITNESS", "")
    tag = pack(
        "import os\nif os.environ.get('WITNESS'): open(os.environ['WITNESS'], 'w')\n" + times(1)
    )
    monkeypatch.setenv("WITNESS", str(witness))
    assert inspect(tag).tag == tag
    assert not witness.exists()
    shutil.rmtree(own_home / "models")


def test_what_was_inspected_is_what_a_worker_loads(
    pack: Pack, own_home: Path, settings: Settings
) -> None:
    """Another artifact in its place is refused, even if its hashes are correct."""
    tag, other = pack(times(1)), pack(times(2))
    artifact = inspect(tag)
    shutil.rmtree(artifact.path)
    shutil.copytree(inspect(other).path, artifact.path)
    with pytest.raises(ArtifactError, match="contains"), WorkerClient(artifact, settings):
        pass
    forged = Path(shutil.copytree(artifact.path, own_home / "elsewhere"))
    moved = dataclasses.replace(artifact, path=forged)
    with pytest.raises(ArtifactError, match="with digest"), WorkerClient(moved, settings):
        pass


def test_a_worker_takes_signed_artifacts_only_where_keys_are_trusted(
    pack: Pack, own_home: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loading process checks the signature itself, whatever was inspected before and however
    its settings were made.
    """
    tag = pack(times(3))
    artifact = inspect(tag)
    new_key(tmp_path / "key", "us")
    monkeypatch.setenv("GNOMON_TRUSTED_KEYS", f"{tmp_path}/key.pub")
    with pytest.raises(ArtifactError, match="is not signed"), WorkerClient(artifact, settings):
        pass
    private = read_private(tmp_path / "key", bytes)
    sign(ArtifactFolder(artifact.path), tag, artifact.digest, private)
    with WorkerClient(artifact, settings) as worker:
        assert worker.pid
