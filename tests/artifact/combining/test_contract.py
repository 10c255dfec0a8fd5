"""The contract of a combined artifact."""

from __future__ import annotations

from gnomon.artifact.combining.contract import combined_contract
from gnomon.contract import Contract, Feature, Output


def contract(feature: str, output: str, **more: object) -> Contract:
    return Contract(
        task="regression",
        features=(Feature(name=feature, type="float", dtype="float64"),),
        outputs=(Output(name=output, type="float"),),
        **more,  # type: ignore[arg-type]
    )


def test_inputs_are_of_the_one_and_outputs_of_the_other() -> None:
    """The key is the preprocessing's, as it reads the rows."""
    made = combined_contract(
        contract("a", "prediction"), contract("b", "answer", entity_key=("b",))
    )
    assert [feature.name for feature in made.features] == ["b"]
    assert [output.name for output in made.outputs] == ["prediction"]
    assert made.entity_key == ("b",)
