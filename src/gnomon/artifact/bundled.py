"""Artifacts that a bento brings along, put into the model store.

``bentoml export`` and ``bentoml containerize`` put the models that ``bentofile.yaml`` lists into
the bento itself, under ``models/``. ``bentoml import`` moves them into the store; a container, or a
bento that is served from where it was unpacked, has them there only.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from gnomon.artifact import store
from gnomon.artifact.artifact import inspect
from gnomon.errors import PackRefused

__all__ = ["bento_of", "install_bundled"]

_BENTO = "bento.yaml"


def bento_of(source: Path) -> Path | None:
    """The bento that a source file is part of; None where it is of none, as in a deployment."""
    return next((folder for folder in source.parents if (folder / _BENTO).is_file()), None)


def install_bundled(bento: Path, name: str) -> list[str]:
    """Put the artifacts of a model that a bento brings along into the store.

    Those that the store has already are left as they are.

    Args:
        bento: its folder.
        name: of the model.

    Returns:
        The tags that the store did not have.

    Raises:
        ArtifactError: one does not pass inspection; those before it are in the store.
    """
    brought = bento / "models" / name
    installed = []
    for folder in sorted(brought.iterdir()) if brought.is_dir() else ():
        if not folder.is_dir() or (store.models() / name / folder.name).exists():
            continue
        artifact = inspect(folder)
        with store.staging() as copy:
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            with suppress(PackRefused):  # Another server was quicker.
                store.publish(copy, artifact.name, artifact.version, artifact.manifest.created)
                installed.append(artifact.tag)
    return installed
