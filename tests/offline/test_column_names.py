"""Features, steps, outputs and keys in one table have distinct names."""

from __future__ import annotations

from pathlib import Path

from gnomon.contract import Contract, Feature, Output
from gnomon.offline.column_names import joint_contract, own_name
from gnomon.offline.offline_table import OfflineTable


def contract(*names: str, keys: tuple[str, ...] = ()) -> Contract:
    """A regression with such features."""
    return Contract(
        task="regression",
        features=tuple(Feature(name=name, type="float", dtype="float64") for name in names),
        outputs=(Output(name="prediction", type="float"),),
        entity_key=keys,
    )


def test_a_contract_without_clashes_is_left_as_it_is() -> None:
    """No name changes, and the same object is returned."""
    given = contract("x", "y")
    assert joint_contract(given, ["scale/x"]) is given


def test_a_feature_gives_way_to_an_output_a_key_and_a_step() -> None:
    """Two never get one name, and keys follow the features they name."""
    given = contract("prediction", "row", "input/row", "scale/x", "x", keys=("row",))
    joint = joint_contract(given, ["scale/x"])
    names = [feature.name for feature in joint.features]
    expected = ["input/prediction", "input/input/row", "input/row", "input/scale/x", "x"]
    assert names == expected
    assert joint.entity_key == ("input/input/row",)
    assert own_name("input/prediction") == "prediction"


def test_an_entity_key_is_found_in_a_file_by_its_own_name(tmp_path: Path) -> None:
    """A feature called as a column of the log is, in a user's file, what the user calls it."""
    path = tmp_path / "offline.csv"
    path.write_text("error,client_id,prediction\n1,1.5,0.5\n2,2.5,0.25\n")
    joint = joint_contract(contract("client_id", "error", keys=("client_id",)))
    assert joint.entity_key == ("input/client_id",)
    table = OfflineTable.read(path, on=joint.entity_key, contract=joint, steps=[])
    assert table.on == ("input/client_id",)
    assert table.used == {"prediction": "prediction", "error": "error"}
