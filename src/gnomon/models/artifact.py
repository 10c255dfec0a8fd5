"""Looking at an artifact without running anything of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from gnomon.errors import ArtifactCorrupt, ContractError, UntrustedTypes
from gnomon.models import store
from gnomon.models.manifest import (
    CHECKS,
    CONTRACT,
    GOLDEN,
    PROFILE,
    Manifest,
    check_hash,
    read_file,
)
from gnomon.models.serialization import named_types
from gnomon.preprocessing.contract import Contract

if TYPE_CHECKING:
    from gnomon.preprocessing.leakage import LeakageReport

__all__ = ["Artifact", "inspect"]


@dataclass(frozen=True)
class Artifact:
    """One immutable, versioned unit of preprocessing, model, contract and evidence.

    Attributes:
        path: its folder.
        digest: SHA-256 of its manifest, which holds the hash of every other file.
        manifest: what it says of itself.
        contract: what it takes and what it answers.
    """

    path: Path
    digest: str
    manifest: Manifest
    contract: Contract

    @property
    def name(self) -> str:
        """The name that all versions share."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The version, unique under the name."""
        return self.manifest.version

    @property
    def tag(self) -> str:
        """``name:version``."""
        return f"{self.name}:{self.version}"

    def golden(self) -> pa.Table:
        """The golden rows: ``input/…``, ``step/…`` and ``output/…`` columns."""
        return self._table(GOLDEN)

    def profile(self) -> pa.Table:
        """The training profile: one row for each raw feature, transformed feature and output."""
        return self._table(PROFILE)

    def checks(self) -> LeakageReport | None:
        """What packing looked for in the training data and found; None if it did not look.

        Raises:
            NewerFormat: a newer version of Gnomon wrote them.
            UnreadableFile, ArtifactCorrupt: the file is not what was packed.
        """
        if CHECKS not in self.manifest.files:
            return None
        from gnomon.preprocessing.leakage.finding import LeakageReport

        return LeakageReport.from_json(self.read(CHECKS), str(self.path / CHECKS))

    def read(self, name: str) -> bytes:
        """The bytes of one file, checked against its hash.

        Raises:
            ArtifactCorrupt: they are not what was packed.
        """
        content = read_file(self.path, name)
        check_hash(content, self.manifest.files[name], self.path / name)
        return content

    def _table(self, name: str) -> pa.Table:
        return pa.ipc.open_file(pa.BufferReader(self.read(name))).read_all()


def inspect(which: str | Path) -> Artifact:
    """Check an artifact and say what it is. Nothing of it is executed or imported.

    Its manifest, the hash of every file, the types its pipeline names, and whether this process
    has the Python and scikit-learn it was packed under.

    Args:
        which: ``name:version``, ``name:latest``, ``name``, or the path of its folder.

    Raises:
        UnknownArtifact: there is none.
        ArtifactCorrupt: a file is missing, altered or was added; ``where`` names it.
        UntrustedTypes: the pipeline names a type that its manifest does not.
        ArtifactIncompatible: another minor version of Python or scikit-learn, or a newer format.
        NewerFormat: a contract of a newer format.
    """
    path = store.resolve(which)
    manifest, digest = Manifest.read(path)
    manifest.check_files(path)
    types = named_types(read_file(path, manifest.pipeline_file), manifest.serializer)
    unknown = sorted(set(types) - set(manifest.types))
    if unknown:
        raise UntrustedTypes(
            f"the pipeline names types that its manifest does not: {', '.join(unknown)}",
            where=str(path / manifest.pipeline_file),
            hint="do not load it; find out who changed it",
        )
    manifest.environment.check(str(path))
    try:
        contract = Contract.read(path / CONTRACT)
    except ContractError as error:
        raise ArtifactCorrupt(error.message, where=str(path / CONTRACT)) from None
    return Artifact(path=path, digest=digest, manifest=manifest, contract=contract)
