"""Inspection of an artifact, without running any of its code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from gnomon.artifact import store
from gnomon.artifact.folder import (
    MOST_DOCUMENT_BYTES,
    MOST_PIPELINE_BYTES,
    RESTORE,
    ArtifactFolder,
    parsing,
)
from gnomon.artifact.manifest import CHECKS, CONTRACT, GOLDEN, PROFILE, Manifest
from gnomon.artifact.serialization.pipeline_bytes import named
from gnomon.artifact.serialization.trust import NameReference, TrustedName, judge
from gnomon.artifact.signing import PublicKey, Signer, check_signature, trusted_keys
from gnomon.artifact.tables import read_table
from gnomon.artifact.vendored_code.importing import check_modules
from gnomon.contract.contract import Contract
from gnomon.errors import (
    ArtifactCorrupt,
    ArtifactError,
    ContractError,
    UnknownArtifact,
    UnreadableFile,
    UntrustedTypes,
)
from gnomon.printable import printable

if TYPE_CHECKING:
    from gnomon.leakage import LeakageReport

__all__ = ["Artifact", "examine", "inspect"]


@dataclass(frozen=True)
class Artifact:
    """One immutable, versioned unit of preprocessing, model, contract and evidence.

    Attributes:
        path: its folder.
        digest: SHA-256 of its manifest, which contains the hash of every other file.
        manifest: its parsed manifest.
        contract: its inputs and outputs.
        runs: the code that loading it runs and that only its packer trusted. Incomplete for a
            pickle.
        signers: who signed it; with ``GNOMON_TRUSTED_KEYS``, one of them is trusted.
    """

    path: Path
    digest: str
    manifest: Manifest
    contract: Contract
    runs: tuple[TrustedName, ...] = ()
    signers: tuple[Signer, ...] = ()

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
        """Return the golden rows: ``input/…``, ``step/…`` and ``output/…`` columns.

        Raises:
            ArtifactCorrupt: the file does not contain rows that fit the contract.
        """
        table, contract = self._table(GOLDEN), self.contract
        for kind, schema in (("input", contract.input_schema), ("output", contract.output_schema)):
            for field in schema:
                self._check_column(table, GOLDEN, field.with_name(f"{kind}/{field.name}"))
        if not table.num_rows:
            raise ArtifactCorrupt("expected at least one golden row", where=str(self.path / GOLDEN))
        return table

    def profile(self) -> pa.Table:
        """Return the training profile: a row for each raw feature, transformed feature and output.

        Raises:
            ArtifactCorrupt: the file is not such a table, or its bins and counts are inconsistent.
        """
        from gnomon.artifact.profile import SCHEMA, check

        table = self._table(PROFILE)
        for field in SCHEMA:
            self._check_column(table, PROFILE, field)
        with parsing(PROFILE, self.path / PROFILE):
            check(table)
        return table

    def checks(self) -> LeakageReport | None:
        """Return the leakage report on the training data from packing; None if checks were off.

        Raises:
            NewerFormat: a newer version of Gnomon wrote it.
            UnreadableFile, ArtifactCorrupt: the file is not what was packed.
        """
        if CHECKS not in self.manifest.files:
            return None
        from gnomon.leakage.finding import LeakageReport

        with parsing(CHECKS, self.path / CHECKS):
            content = self.read(CHECKS, MOST_DOCUMENT_BYTES)
            return LeakageReport.from_json(content, str(self.path / CHECKS))

    def read(self, name: str, most: int = MOST_PIPELINE_BYTES) -> bytes:
        """Return the bytes of one file of the artifact, and check their hash.

        Raises:
            ArtifactCorrupt: they are not what was packed, or more than ``most`` bytes.
        """
        return ArtifactFolder(self.path).read_checked(name, self.manifest.files[name], most)

    def _check_column(self, table: pa.Table, name: str, expected: pa.Field) -> None:
        index = table.schema.get_field_index(expected.name)
        found = "none" if index < 0 else str(table.schema.field(index).type)
        if found != str(expected.type):
            raise ArtifactCorrupt(
                f"{name}: expected one column `{printable(expected.name)}` of {expected.type}, "
                f"got {found}",
                where=str(self.path / name),
                hint=RESTORE,
            )

    def _table(self, name: str) -> pa.Table:
        return read_table(self.read(name, MOST_DOCUMENT_BYTES), str(self.path / name))


def inspect(which: str | Path | Artifact) -> Artifact:
    """Check an artifact and describe it, without executing or importing any of its code.

    Checked are its manifest, its signature, the hash of every file, the types that its pipeline
    names, and whether this process has the Python and scikit-learn that it was packed with.

    Args:
        which: ``name:version``, ``name:latest`` or ``name`` (the newest version), the path of its
            folder, or the artifact itself, whose folder is then checked again.

    Raises:
        UnknownArtifact: there is none.
        ArtifactCorrupt: a file is missing, altered or was added; ``where`` names it.
        UntrustedSignature: ``GNOMON_TRUSTED_KEYS`` is set, and no such key signed it.
        UntrustedTypes: the pipeline names a type that its manifest does not list, that neither
            skops nor the manifest trusts, or that is always forbidden.
        ArtifactIncompatible: it was packed with another minor version of Python or scikit-learn,
            or has a newer format.
        NewerFormat: its contract has a newer format.
    """
    path = which.path if isinstance(which, Artifact) else store.resolve(which)
    return examine(path, trusted_keys())


def examine(path: Path, keys: Sequence[PublicKey] | None, *, to_be_loaded: bool = True) -> Artifact:
    """Inspect the artifact in a folder, as :func:`inspect` does, with given trusted keys.

    Args:
        path: the folder.
        keys: one of them must have signed it; None: no signature is needed.
        to_be_loaded: whether this process must have the Python and scikit-learn for it.
    """
    folder = ArtifactFolder(path)
    manifest, digest = Manifest.of(folder)
    store.check_tag(path, manifest.name, manifest.version)
    signers = check_signature(folder, f"{manifest.name}:{manifest.version}", digest, keys)
    manifest.check_files(folder)
    check_modules(manifest, str(path))
    runs = _runs(folder, manifest)
    if to_be_loaded:
        manifest.environment.check(str(path))
    return Artifact(
        path=path,
        digest=digest,
        manifest=manifest,
        contract=_contract(folder, manifest),
        runs=runs,
        signers=signers,
    )


def contracts_of(tags: Iterable[str]) -> list[Contract]:
    """Read the contracts of artifacts; one that is gone, or is not as it was packed, is left out.

    Of each only the manifest, its signature and the contract are checked: nothing can be loaded by
    what this returns.
    """
    found = []
    for tag in tags:
        with contextlib.suppress(ArtifactError, UnknownArtifact, UnreadableFile):
            found.append(_contract_of(store.resolve(tag)))
    return found


def _contract_of(path: Path) -> Contract:
    folder = ArtifactFolder(path)
    manifest, digest = Manifest.of(folder)
    check_signature(folder, f"{manifest.name}:{manifest.version}", digest, trusted_keys())
    return _contract(folder, manifest)


def _runs(folder: ArtifactFolder, manifest: Manifest) -> tuple[TrustedName, ...]:
    where = str(folder.path / manifest.pipeline_file)
    with (
        parsing(f"the pipeline as {manifest.serializer}", where),
        folder.open(manifest.pipeline_file) as file,
    ):
        found = named(file, manifest.serializer)
    _check_listed(found, manifest, where)
    return judge(found, manifest.accepted, manifest.modules, where)


def _check_listed(found: list[NameReference], manifest: Manifest, where: str) -> None:
    """Refuse types that the manifest does not list: a person must be able to read them there."""
    types = {one.full for one in found if one.use != "method"}
    unknown = sorted(types - set(manifest.types))
    if unknown:
        raise UntrustedTypes(
            "the pipeline names types that its manifest does not: " + printable(", ".join(unknown)),
            where=where,
            hint="do not load it; find out who changed it",
        )


def _contract(folder: ArtifactFolder, manifest: Manifest) -> Contract:
    place = folder.path / CONTRACT
    content = folder.read_checked(CONTRACT, manifest.files[CONTRACT], MOST_DOCUMENT_BYTES)
    with parsing(CONTRACT, place):
        try:
            return Contract.of(content, place)
        except ContractError as error:
            raise ArtifactCorrupt(printable(error.message), where=str(place)) from None
