"""The manifest: what an artifact says of itself, and the hash of every file in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from gnomon.errors import ArtifactCorrupt, ArtifactIncompatible
from gnomon.formats import Format, decode
from gnomon.models.environment import Environment

__all__ = ["FORMAT", "Lineage", "Manifest", "Serializer", "sha256"]

FORMAT = 1

CHECKS = "checks.json"
CODE = "code"
CONTRACT = "contract.json"
GOLDEN = "golden.arrow"
MANIFEST = "manifest.json"
MODEL_YAML = "model.yaml"
PROFILE = "profile.arrow"
REQUIREMENTS = "requirements.txt"
SEAL = "manifest.sha256"
PIPELINE = {"skops": "pipeline.skops", "pickle": "pipeline.pkl"}

Serializer = Literal["skops", "pickle"]


_KIND = Format(
    "manifest",
    FORMAT,
    hint="pack again, or restore the folder from a copy",
    damaged=ArtifactCorrupt,
    newer=ArtifactIncompatible,
)


class Lineage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an artifact comes from.

    Attributes:
        rows: rows of the training frame.
        columns: columns of the training frame.
        data: SHA-256 over the training frame's columns, types and values, and over the target.
        commit: the git commit of the folder the vendored code came from, if it is in a repository.
        dirty: whether that repository had uncommitted changes.
        given: what the caller of ``pack`` said.
    """

    rows: int
    columns: int
    data: str
    commit: str | None = None
    dirty: bool | None = None
    given: dict[str, Any] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of ``manifest.json``.

    Attributes:
        format: the version of the artifact format; see ``docs/formats.md`` before changing it.
        created: when it was packed, UTC.
        serializer: how the pipeline is stored. ``pickle`` runs whatever it holds when loaded.
        types: every type and function the serialized pipeline names.
        trusted: those of ``types`` that skops does not trust by itself and ``pack`` accepted.
        modules: vendored modules: the name and its file under ``code/``; a folder for a namespace
            package.
        files: SHA-256 of every file, but of the manifest and of its seal.
        seeds: random seeds the training used; null for a step that drew without one.
    """

    format: int = FORMAT
    name: str
    version: str
    created: datetime
    serializer: Serializer
    environment: Environment
    lineage: Lineage
    seeds: dict[str, Any]
    types: tuple[str, ...]
    trusted: tuple[str, ...]
    modules: dict[str, str]
    files: dict[str, str]

    @property
    def pipeline_file(self) -> str:
        """The file that holds the serialized pipeline."""
        return PIPELINE[self.serializer]

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``, and its seal beside it."""
        content = msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"
        (folder / MANIFEST).write_bytes(content)
        (folder / SEAL).write_text(f"{sha256(content)}  {MANIFEST}\n")

    @classmethod
    def read(cls, folder: Path) -> tuple[Manifest, str]:
        """The manifest of an artifact's folder, and the SHA-256 of its bytes.

        Raises:
            ArtifactCorrupt: the manifest is missing, unreadable or not the one that was sealed.
            ArtifactIncompatible: a format this version does not know.
        """
        content = read_file(folder, MANIFEST)
        digest = sha256(content)
        if read_file(folder, SEAL) != f"{digest}  {MANIFEST}\n".encode():
            raise ArtifactCorrupt(
                f"{MANIFEST} and its hash in {SEAL} do not belong together",
                where=str(folder / MANIFEST),
                hint="pack again, or restore the folder from a copy",
            )
        return decode(content, cls, _KIND, str(folder / MANIFEST)), digest

    def check_files(self, folder: Path) -> None:
        """Compare every file of the folder with its recorded hash.

        Raises:
            ArtifactCorrupt: a file is missing, altered, or was added; ``where`` names it.
        """
        for name, expected in self.files.items():
            check_hash(read_file(folder, name), expected, folder / name)
        unknown = files_below(folder) - self.files.keys() - {MANIFEST, SEAL}
        for name in sorted(unknown):
            raise ArtifactCorrupt(
                f"`{name}` is not one of the artifact's files",
                where=str(folder / name),
                hint="remove it, or pack again with it",
            )


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def read_file(folder: Path, name: str) -> bytes:
    """One file of an artifact.

    Raises:
        ArtifactCorrupt: it cannot be read.
    """
    path = folder / name
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactCorrupt(
            f"cannot read {name}: {error.strerror}",
            where=str(path),
            hint="pack again, or restore the folder from a copy",
        ) from None


def check_hash(content: bytes, expected: str, path: Path) -> None:
    """Refuse content that is not what was recorded.

    Raises:
        ArtifactCorrupt: the hashes differ.
    """
    found = sha256(content)
    if found != expected:
        raise ArtifactCorrupt(
            f"{path.name} is not the file that was packed: expected sha256 {expected[:12]}, "
            f"got {found[:12]}",
            where=str(path),
            hint="pack again, or restore the folder from a copy",
        )


def files_below(folder: Path) -> set[str]:
    """Every file under a folder, as a path relative to it."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def hash_files(folder: Path) -> Mapping[str, str]:
    """The SHA-256 of every file under a folder."""
    return {name: sha256((folder / name).read_bytes()) for name in sorted(files_below(folder))}
