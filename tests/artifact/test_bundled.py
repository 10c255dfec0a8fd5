"""The artifacts that a bento contains."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gnomon.artifact import Artifact, tags
from gnomon.artifact.bundled import bento_of, install_bundled
from gnomon.errors import ArtifactCorrupt


def test_a_source_file_is_of_the_bento_above_it(tmp_path: Path) -> None:
    """A file in a deployment's own folder belongs to no bento."""
    source = tmp_path / "bento" / "src" / "service" / "__init__.py"
    assert bento_of(source) is None
    source.parent.mkdir(parents=True)
    (tmp_path / "bento" / "bento.yaml").touch()
    assert bento_of(source) == tmp_path / "bento"


def test_what_the_store_lacks_is_put_there_once(
    home: Path, packed: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is copied completely and under its own tag; a damaged one is not."""
    bento = tmp_path / "bento"
    shutil.copytree(packed.path, bento / "models" / packed.name / packed.version)
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "empty"))
    assert install_bundled(bento, "another") == []
    assert install_bundled(bento, packed.name) == [packed.tag]
    assert tags(packed.name) == [packed.tag]
    assert install_bundled(bento, packed.name) == []
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "third"))
    (bento / "models" / packed.name / packed.version / "profile.arrow").write_bytes(b"")
    with pytest.raises(ArtifactCorrupt):
        install_bundled(bento, packed.name)
    assert tags(packed.name) == []
