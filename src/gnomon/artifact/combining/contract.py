"""The contract of a combined artifact."""

from __future__ import annotations

from msgspec.structs import replace

from gnomon.contract.contract import Contract

__all__ = ["combined_contract"]


def combined_contract(of_model: Contract, of_preprocessing: Contract) -> Contract:
    """Return the contract with the inputs of one artifact and the outputs of the other.

    Raises:
        ContractError: together they contradict each other.
    """
    contract = replace(
        of_preprocessing,
        format=max(of_model.format, of_preprocessing.format),
        task=of_model.task,
        outputs=of_model.outputs,
        classes=of_model.classes,
    )
    contract.check()
    return contract
