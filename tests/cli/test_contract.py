"""Showing, editing and applying a contract."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.running import Shell
from tests.packing import Pack, times


def test_a_contract_is_changed_without_training(shell: Shell, pack: Pack) -> None:
    """Shown, edited, applied; what it means for clients is said, and the new version loads."""
    tag = pack(times(2))
    contract = shell("contract", "show", tag).json
    assert [feature["name"] for feature in contract["features"]] == ["x", "id"]
    contract["features"][0] |= {"outside": "error", "unit": "km"}
    file = shell.folder / "contract.json"
    file.write_text(json.dumps(contract))
    result = shell("contract", "apply", tag, str(file), "--version", "strict", "--json").json
    assert (result["artifact"], result["from"]) == ("toy:strict", tag)
    assert {change["where"] for change in result["changes"]} == {"x"}
    assert "km" in shell("inspect", "toy:strict").out
    again = shell("contract", "apply", "toy:strict", str(file))
    assert again.out.startswith("Nothing to do")
    sed = "sed -i s/km/mi/"
    edited = shell("contract", "edit", "toy:strict", "--version", "miles", EDITOR=sed, VISUAL="")
    assert "toy:miles is toy:strict with this contract" in edited.out
    assert "`x` unit: km -> mi" in edited.out


def test_a_field_that_the_pipeline_was_fitted_on_cannot_be_changed(
    shell: Shell, pack: Pack
) -> None:
    """The error names the place and what may be changed; no artifact is made."""
    tag = pack(times(2))
    file = shell.folder / "contract.json"
    for change, place in (
        ({"name": "y"}, "$.features"),
        ({"type": "string", "dtype": "str", "minimum": None, "maximum": None}, "$.features[0]."),
    ):
        contract = shell("contract", "show", tag).json
        contract["features"][0] |= change
        file.write_text(json.dumps(contract))
        refused = shell("contract", "apply", tag, str(file), expect=2).err
        assert place in refused
        assert "train and pack again" in refused
    file.write_text("{}")
    assert "contract.json" in shell("contract", "apply", tag, str(file), expect=2).err
    assert len(shell("artifacts", "toy", "--json").json) == 1
    failed = shell("contract", "edit", tag, EDITOR="false", VISUAL="", expect=2).err
    assert "nothing was changed" in failed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"nullable": True}, ("accept null of `x`", "the model raises ValueError", "`nullable`")),
        (
            {"missing": "default", "default": -1.0},
            (
                "accept -1.0 of `x`",
                "step `times` (Times) raises ValueError: negative x",
                "`default`",
            ),
        ),
    ],
)
def test_a_contract_is_refused_if_the_pipeline_fails_on_what_it_accepts(
    shell: Shell, pack: Pack, change: dict[str, Any], says: tuple[str, ...]
) -> None:
    """Otherwise such requests would fail although they satisfy the contract."""
    tag = pack(times(2))
    contract = shell("contract", "show", tag).json
    contract["features"][0] |= change
    file = shell.folder / "contract.json"
    file.write_text(json.dumps(contract))
    refused = shell("contract", "apply", tag, str(file), expect=2).err
    for words in says:
        assert words in refused
    assert len(shell("artifacts", "toy", "--json").json) == 1
    contract["features"][0] = contract["features"][0] | {"missing": "default", "default": 3.0}
    contract["features"][0]["nullable"] = False
    file.write_text(json.dumps(contract))
    shell("contract", "apply", tag, str(file), "--version", "filled")
