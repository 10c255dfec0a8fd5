"""Artifacts that are part of a bento, copied into the model store.

``bentoml export`` and ``bentoml containerize`` put the models that ``bentofile.yaml`` lists into
the bento itself, under ``models/``. ``bentoml import`` moves them into the store; in a container,
or in a bento that is served from the folder where it was unpacked, they are only there.
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
    """Return the bento that a source file is part of; None if there is none, as in a deployment."""
    return next((folder for folder in source.parents if (folder / _BENTO).is_file()), None)


def install_bundled(bento: Path, name: str) -> list[str]:
    """Copy a model's artifacts from a bento into the store.

    Artifacts that the store already has are left as they are.

    Args:
        bento: the bento's folder.
        name: the model's name.

    Returns:
        The tags that are new in the store.

    Raises:
        ArtifactError: an artifact does not pass inspection; earlier ones are in the store.
    """
    brought = bento / "models" / name
    installed = []
    for folder in sorted(brought.iterdir()) if brought.is_dir() else ():
        if not folder.is_dir() or (store.models() / name / folder.name).exists():
            continue
        artifact = inspect(folder)
        with store.staging() as copy:
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            with suppress(PackRefused):  # Another server was faster.
                store.publish(copy, artifact.name, artifact.version, artifact.manifest.created)
                installed.append(artifact.tag)
    return installed
