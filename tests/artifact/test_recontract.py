"""A new version of an artifact with a changed contract; tests/cli/test_contract.py has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from gnomon.artifact import Artifact, inspect, load
from gnomon.artifact.recontract import LINEAGE, with_contract
from gnomon.contract import Contract
from gnomon.errors import ArtifactCorrupt, ContractError


def changed(contract: Contract, **changes: object) -> Contract:
    """The contract with another first feature."""
    first, *others = contract.features
    return structs.replace(contract, features=(structs.replace(first, **changes), *others))


@pytest.mark.slow
def test_the_copy_is_an_artifact_of_its_own(home: Path, packed: Artifact) -> None:
    """It says where it comes from, and everything but the contract is the same."""
    made = with_contract(packed.path, changed(packed.contract, description="miles flown"))
    assert made.tag != packed.tag
    assert made.contract.features[0].description == "miles flown"
    assert made.manifest.lineage.given[LINEAGE] == packed.tag
    assert load(made.tag).artifact.digest == inspect(made.tag).digest
    same = {name for name, digest in packed.manifest.files.items()}
    differ = {name for name in same if packed.manifest.files[name] != made.manifest.files[name]}
    assert differ == {"contract.json", "model.yaml"}


def test_a_contract_that_contradicts_itself_is_refused(home: Path, packed: Artifact) -> None:
    """The same contract in a file is refused too."""
    with pytest.raises(ContractError, match="impute"):
        with_contract(packed.path, changed(packed.contract, missing="impute", nullable=False))


def test_a_damaged_artifact_is_not_copied(home: Path, copied: Path, packed: Artifact) -> None:
    """Its new manifest would declare the damage valid."""
    (copied / "profile.arrow").write_bytes(b"damage")
    with pytest.raises(ArtifactCorrupt, match="profile"):
        with_contract(copied, changed(packed.contract, description="miles"))
