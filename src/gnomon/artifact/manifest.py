"""The manifest: an artifact's description, and the hash of every file in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from gnomon.artifact.environment import Environment
from gnomon.artifact.folder import (
    MOST_DOCUMENT_BYTES,
    MOST_PIPELINE_BYTES,
    MOST_SMALL_BYTES,
    RESTORE,
    ArtifactFolder,
    parsing,
    sha256,
)
from gnomon.errors import ArtifactCorrupt, ArtifactIncompatible
from gnomon.formats import Format, decode
from gnomon.printable import printable

__all__ = [
    "FORMAT",
    "TAG_PART",
    "Combination",
    "GivenTag",
    "Lineage",
    "Manifest",
    "Part",
    "Serializer",
    "decode_manifest",
    "sha256",
]

FORMAT = 2
"""1: the first format. 2: added ``allowed`` and ``combination``."""

CHECKS = "checks.json"
CODE = "code"
CONTRACT = "contract.json"
GOLDEN = "golden.arrow"
MANIFEST = "manifest.json"
MODEL_YAML = "model.yaml"
PROFILE = "profile.arrow"
REQUIREMENTS = "requirements.txt"
SEAL = "manifest.sha256"
SIGNATURES = "signatures.json"
PIPELINE = {"skops": "pipeline.skops", "pickle": "pipeline.pkl"}

UNHASHED = frozenset({MANIFEST, SEAL, SIGNATURES})
"""Files that the manifest does not list: itself, its hash, and the signatures of that hash."""

_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.+!_-]*")

Serializer = Literal["skops", "pickle"]
TAG_PART = r"[a-z0-9]([-._a-z0-9]{0,61}[a-z0-9])?"
TagPart = Annotated[str, msgspec.Meta(pattern=rf"\A{TAG_PART}\Z")]
"""A name or a version: files and folders are named after it, also in the storage root."""
GivenTag = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{TAG_PART}(:{TAG_PART})?$(?!\n)",
        extra={
            "expected": "the tag of an artifact, NAME:VERSION or NAME, in lower-case letters, "
            "digits, `-`, `_` and `.`"
        },
    ),
]
"""An artifact in a request: a tag, or a model's name for its newest version."""


_KIND = Format(
    "manifest",
    FORMAT,
    hint=RESTORE,
    damaged=ArtifactCorrupt,
    newer=ArtifactIncompatible,
)


class Lineage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an artifact comes from.

    Attributes:
        rows: rows of the training frame.
        columns: columns of the training frame.
        data: SHA-256 of the training frame's columns, types and values, and of the target.
        commit: the git commit of the folder that the vendored code came from, if it is in a
            repository.
        dirty: whether that repository had uncommitted changes.
        given: what the caller of ``pack`` gave as ``lineage``.
    """

    rows: int
    columns: int
    data: str
    commit: str | None = None
    dirty: bool | None = None
    given: dict[str, Any] = {}


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An artifact of which a combined one has a part.

    Attributes:
        tag: that artifact.
        digest: of its manifest.
    """

    tag: str
    digest: str


class Combination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a combined artifact was made of: it is for debugging, and never becomes live.

    Attributes:
        model: the artifact with its last step, the model.
        preprocessing: the artifact with the steps before it.
    """

    model: Part
    preprocessing: Part


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of ``manifest.json``.

    Attributes:
        format: the version of the artifact format; see ``docs/formats.md`` before changing it.
        created: when it was packed, UTC.
        serializer: how the pipeline is stored. ``pickle`` runs any code in it when loaded.
        types: every type and function that the serialized pipeline names.
        trusted: those of ``types`` that skops does not trust by itself and ``pack`` accepted.
        modules: vendored modules: the name and its file under ``code/``; a folder for a namespace
            package.
        files: SHA-256 of every file except the manifest, its seal and the signatures.
        seeds: random seeds of the training; null for a step that drew without a seed.
        allowed: by name, what packing found and would have refused, but was told to allow; see
            :data:`gnomon.artifact.checks.allowances.Allowed`.
        combination: what it was made of, if it is the model of one artifact on the preprocessing of
            another.
    """

    format: int = FORMAT
    name: TagPart
    version: TagPart
    created: Annotated[datetime, msgspec.Meta(tz=True)]
    serializer: Serializer
    environment: Environment
    lineage: Lineage
    seeds: dict[str, Any]
    types: tuple[str, ...]
    trusted: tuple[str, ...]
    modules: dict[str, str]
    files: dict[str, str]
    allowed: dict[str, str] = {}
    combination: Combination | None = None

    @property
    def pipeline_file(self) -> str:
        """The file with the serialized pipeline."""
        return PIPELINE[self.serializer]

    @property
    def accepted(self) -> frozenset[str]:
        """The names that its packer trusted: for a pickle, all that it names."""
        return frozenset(self.types if self.serializer == "pickle" else self.trusted)

    def code_of(self, top: str) -> dict[str, str]:
        """The vendored files of a top-level module, below ``code/``, and their hashes."""
        start = f"{CODE}/{top}"
        return {
            file.removeprefix(f"{CODE}/"): digest
            for file, digest in self.files.items()
            if file.startswith(f"{start}/") or file == f"{start}.py"
        }

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``, and its seal next to it."""
        content = msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"
        (folder / MANIFEST).write_bytes(content)
        (folder / SEAL).write_text(f"{sha256(content)}  {MANIFEST}\n")

    @classmethod
    def read(cls, folder: Path) -> tuple[Manifest, str]:
        """Read the manifest of an artifact's folder; return it and the SHA-256 of its bytes.

        Raises:
            ArtifactCorrupt: the manifest is missing, unreadable or not the one that was sealed.
            ArtifactIncompatible: it has a format that this version does not support.
        """
        return cls.of(ArtifactFolder(folder))

    @classmethod
    def of(cls, folder: ArtifactFolder) -> tuple[Manifest, str]:
        """Read the manifest, as :meth:`read`, of a folder that was already walked."""
        content = folder.read(MANIFEST)
        digest = sha256(content)
        place = folder.path / MANIFEST
        if folder.read(SEAL, MOST_SMALL_BYTES) != f"{digest}  {MANIFEST}\n".encode():
            raise ArtifactCorrupt(
                f"{MANIFEST} does not match its hash in {SEAL}",
                where=str(place),
                hint=RESTORE,
            )
        with parsing(MANIFEST, place):
            return decode(content, cls, _KIND, str(place)), digest

    def check_files(self, folder: ArtifactFolder) -> None:
        """Compare every file of the folder with its recorded hash.

        Raises:
            ArtifactCorrupt: a file is missing, altered, or was added; ``where`` names it.
        """
        for name, expected in self.files.items():
            most = MOST_PIPELINE_BYTES if name == self.pipeline_file else MOST_DOCUMENT_BYTES
            folder.check_hash(name, expected, most)
        for name in sorted(folder.sizes.keys() - self.files.keys() - UNHASHED):
            raise ArtifactCorrupt(
                f"`{printable(name)}` is not one of the artifact's files",
                where=printable(str(folder.path / name)),
                hint="remove it, or pack again with it",
            )
        for name in (self.pipeline_file, CONTRACT, GOLDEN, PROFILE, REQUIREMENTS, MODEL_YAML):
            if name not in self.files:
                raise ArtifactCorrupt(
                    f"{MANIFEST} does not list {name}, which every artifact has",
                    where=str(folder.path / MANIFEST),
                    hint=RESTORE,
                )
        self._check_requirements(folder)

    def _check_requirements(self, folder: ArtifactFolder) -> None:
        """Accept only pinned names: ``pip install -r`` runs what a requirements file refers to."""
        content = folder.read_checked(REQUIREMENTS, self.files[REQUIREMENTS], 2**20)
        for line in content.decode(errors="replace").splitlines():
            if not _PINNED.fullmatch(line):
                raise ArtifactCorrupt(
                    f"expected `name==version` on each line, got {printable(line)[:80]!r}",
                    where=str(folder.path / REQUIREMENTS),
                    hint="do not install it; find out who changed it",
                )


def decode_manifest(content: bytes, where: str) -> Manifest:
    """Return the manifest in these bytes, of an artifact that need not be here.

    Raises:
        ArtifactCorrupt: it is not a manifest.
        ArtifactIncompatible: it has a format that this version does not support.
    """
    with parsing(MANIFEST, where):
        return decode(content, Manifest, _KIND, where)


def hash_files(folder: Path) -> Mapping[str, str]:
    """Return the SHA-256 of every file under a folder."""
    found = ArtifactFolder(folder)
    return {name: found.sha256(name) for name in sorted(found.sizes)}
