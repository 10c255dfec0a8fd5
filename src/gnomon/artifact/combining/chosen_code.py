"""Whose copy of the user's modules a combined artifact gets."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from gnomon.artifact.artifact import Artifact
from gnomon.artifact.folder import MOST_DOCUMENT_BYTES
from gnomon.artifact.manifest import CODE
from gnomon.errors import PackRefused

__all__ = ["chosen_code", "copy_code"]


def chosen_code(
    of_model: Artifact,
    model_imports: Collection[str],
    of_preprocessing: Artifact,
    preprocessing_imports: Collection[str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the top-level modules to take from the model's artifact, and from the other.

    Raises:
        PackRefused: both parts import a module of the same name, and it is not the same code.
    """
    shared = sorted({*model_imports} & {*preprocessing_imports})
    for top in shared:
        if of_model.manifest.code_of(top) != of_preprocessing.manifest.code_of(top):
            raise PackRefused(
                f"both the model of {of_model.tag} and the preprocessing of "
                f"{of_preprocessing.tag} import `{top}`, and its code is not the same: in one "
                "process one of them would run the other's",
                where=f"{CODE}/{top}",
                hint="keep what the model imports in a module of its own, and pack both again",
            )
    from_model = tuple(sorted({*model_imports}.difference(shared)))
    return from_model, tuple(sorted(preprocessing_imports))


def copy_code(artifact: Artifact, tops: Collection[str], folder: Path) -> None:
    """Copy top-level modules of an artifact into the folder of another, and check each file.

    Raises:
        ArtifactCorrupt: a file is not what was packed.
    """
    for top in tops:
        for file in artifact.manifest.code_of(top):
            target = folder / CODE / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(artifact.read(f"{CODE}/{file}", MOST_DOCUMENT_BYTES))
