"""An artifact with another contract: what requests may contain changes without new training."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from msgspec import structs

from gnomon.artifact import store
from gnomon.artifact.artifact import Artifact, examine, inspect
from gnomon.artifact.checks.newly_accepted_values import newly_accepted
from gnomon.artifact.folder import RESTORE
from gnomon.artifact.fresh_process import accepted_in_fresh_process, in_fresh_process
from gnomon.artifact.manifest import CONTRACT, MODEL_YAML, UNHASHED, Manifest, hash_files
from gnomon.contract.contract import Contract
from gnomon.contract.feature import Feature, Output
from gnomon.errors import ArtifactCorrupt, ContractError

__all__ = ["with_contract"]

OPEN = (
    "nullable", "missing", "default", "minimum", "maximum", "outside", "max_age", "unit",
    "description", "source", "coerce",
)  # fmt: skip
"""What may be changed of a feature; the pipeline was fitted with the rest."""

LINEAGE = "contract_changed_from"


def with_contract(which: str | Path, contract: Contract, *, version: str | None = None) -> Artifact:
    """Put a copy of an artifact with another contract into the store, as a new version.

    Pipeline, code, golden rows and profile are copied, and the golden rows are verified in a
    separate process. Signatures are not copied: they are valid only for the original.

    Args:
        which: the artifact, as for :func:`gnomon.inspect`.
        contract: the new one.
        version: a name for the new version; by default a time stamp and six random digits.

    Raises:
        ContractError: it contradicts itself, changes what the pipeline was fitted with, or accepts
            null, a value or a default that the pipeline does not; the message or ``where`` names
            it.
        ArtifactError: the artifact does not pass inspection.
        PackRefused: the copy does not work with it.
    """
    contract.check()
    old, created = inspect(which), datetime.now(UTC)
    for where in _fixed(old.contract, contract):
        raise ContractError(
            "the pipeline was fitted with this part of the contract, so it cannot be changed",
            where=where,
            hint="may be changed: entity_key, event_time, units and descriptions, and of a feature "
            + ", ".join(OPEN)
            + "; for anything else train and pack again",
        )
    version = version or store.new_version(created)
    store.check_name(old.name, version)
    with store.staging() as folder:
        shutil.copytree(
            old.path, folder, ignore=lambda _, names: UNHASHED & {*names}, dirs_exist_ok=True
        )
        _check_copy(old, folder)
        contract.write(folder / CONTRACT)
        environment = old.manifest.environment
        (folder / MODEL_YAML).write_text(store.model_yaml(old.name, version, created, environment))
        _manifest(old, version, created, folder).write(folder)
        in_fresh_process(folder)
        if values := newly_accepted(old.contract, contract):
            accepted_in_fresh_process(folder, values)
        path = store.publish(folder, old.name, version, created)
    return examine(path, keys=None)  # it cannot be signed yet


def _manifest(old: Artifact, version: str, created: datetime, folder: Path) -> Manifest:
    given = {**old.manifest.lineage.given, LINEAGE: old.tag}
    return structs.replace(
        old.manifest,
        version=version,
        created=created,
        lineage=structs.replace(old.manifest.lineage, given=given),
        files=dict(hash_files(folder)),
    )


def _check_copy(old: Artifact, folder: Path) -> None:
    """Check that the copied files are those that were inspected.

    Raises:
        ArtifactCorrupt: a file was changed meanwhile.
    """
    copied = hash_files(folder)
    for name, expected in old.manifest.files.items():
        if copied.get(name) != expected:
            raise ArtifactCorrupt(
                f"`{name}` was changed while it was copied", where=str(old.path), hint=RESTORE
            )


def _fixed(old: Contract, new: Contract) -> Iterator[str]:
    """Yield the places where the two contracts differ but must not."""
    if [f.name for f in old.features] != [f.name for f in new.features]:
        yield "$.features"
        return
    for i, (before, after) in enumerate(zip(old.features, new.features, strict=True)):
        for key in Feature.__struct_fields__:
            is_open = key in OPEN or (key == "domain" and not before.dtype.startswith("category"))
            if not is_open and getattr(before, key) != getattr(after, key):
                yield f"$.features[{i}].{key}"
    if [*map(_bare, old.outputs)] != [*map(_bare, new.outputs)]:
        yield "$.outputs"
    for key in set(Contract.__struct_fields__) - {
        "format", "features", "outputs", "entity_key", "event_time"
    }:  # fmt: skip
        if getattr(old, key) != getattr(new, key):
            yield f"$.{key}"


def _bare(output: Output) -> Output:
    """Return an output without its unit and description."""
    return structs.replace(output, unit=None, description=None)
