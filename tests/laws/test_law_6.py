"""Law 6: look before you run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gnomon.errors import ArtifactError
from gnomon.models import inspect
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
    """An artifact whose code would act on import is inspected without a trace of it."""
    witness = tmp_path / "it-ran"
    monkeypatch.setenv("WITNESS", "")
    tag = pack(
        "import os\nif os.environ.get('WITNESS'): open(os.environ['WITNESS'], 'w')\n" + times(1)
    )
    monkeypatch.setenv("WITNESS", str(witness))
    assert inspect(tag).tag == tag
    assert not witness.exists()
    shutil.rmtree(own_home / "models")
