"""The contract as a whole, and as a file."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given

from gnomon.contract import Contract, Feature, Output
from gnomon.errors import ContractError, NewerFormat
from tests.contract.strategies import contracts

PREDICTION = Output(name="prediction", type="boolean")
LATE = Contract(
    task="classification",
    features=(
        Feature(name="distance", type="integer", dtype="int64", unit="miles"),
        Feature(name="tail", type="string", dtype="str"),
        Feature(name="at", type="timestamp", dtype="datetime64[us, UTC]", timezone="UTC"),
    ),
    outputs=(
        PREDICTION,
        Output(name="probability_false", type="float"),
        Output(name="probability_true", type="float"),
    ),
    classes=(False, True),
    entity_key=("tail", "at"),
    event_time="at",
)


def changed(**changes: Any) -> Contract:
    """The contract with some of its fields changed."""
    return msgspec.structs.replace(LATE, **changes)


def feature(name: str = "x", **options: Any) -> Feature:
    """A float feature."""
    return Feature(**({"name": name, "type": "float", "dtype": "float64"} | options))


def output(name: str, **options: Any) -> Output:
    """An output that is a float."""
    return Output(name=name, type="float", **options)


def written(path: Path, **changes: Any) -> Path:
    """The contract as a file, with some of its keys changed; None takes a key out."""
    LATE.write(path)
    content = json.loads(path.read_bytes()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    return path


def test_a_contract_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """Writing and reading changes nothing, and the file is one key a line."""
    path = tmp_path / "contract.json"
    LATE.write(path)
    assert Contract.read(path) == LATE
    assert path.read_text().splitlines()[1] == '  "format": 3,'


@given(contracts())
def test_any_contract_reads_back_from_its_own_json(contract: Contract) -> None:
    """No name, zone or domain is lost in JSON, and the digest is that of the file."""
    contract.check()
    again = msgspec.json.decode(msgspec.json.encode(contract), type=Contract)
    assert again == contract
    assert again.digest == contract.digest


def test_the_digest_is_of_what_the_file_says() -> None:
    """A limit given as 1 or as 1.0 is the same contract; another limit is another."""
    one, same, other = (
        changed(features=(feature(minimum=m),), entity_key=(), event_time=None)
        for m in (1, 1.0, 2.0)
    )
    assert one.digest == same.digest
    assert one.digest != other.digest


def test_schemas_follow_features_and_outputs() -> None:
    """Batches have one column for each feature, answers one for each output, in order."""
    assert LATE.input_schema == pa.schema(
        {"distance": pa.int64(), "tail": pa.string(), "at": pa.timestamp("us", "UTC")}
    )
    assert LATE.output_schema.names == ["prediction", "probability_false", "probability_true"]
    assert LATE.probability_columns == ("probability_false", "probability_true")


def test_an_output_says_what_it_is_or_its_name_does() -> None:
    """Outputs of a kind, their class as an answer has it, and what two of them compare as."""
    assert [output.role for output in LATE.outputs] == ["prediction", "probability", "probability"]
    assert [output.key for output in LATE.outputs[1:]] == ["false", "true"]
    assert LATE.compared_as["probability_true"] == "probability"
    assert LATE.compared_as["prediction"] == "label"
    assert LATE.classes_of(PREDICTION) == (False, True)
    assert LATE.classes_of(LATE.outputs[1]) == ()
    rain = output("probability_of_rain", kind="value")
    assert (rain.role, rain.key) == ("value", "probability_of_rain")


def test_a_contract_may_have_several_targets() -> None:
    """Each with its own prediction, classes and probabilities."""
    several = changed(
        classes=(),
        outputs=(
            Output(name="prediction_a", type="integer", target="a", classes=(0, 1)),
            Output(name="prediction_b", type="string", target="b", classes=("x", "y")),
            output("probability_a_1", target="a", label=1),
            output("score_b", kind="score", target="b"),
        ),
    )
    several.check()
    assert several.targets == ("a", "b")
    assert several.classes_of(several.outputs[1]) == ("x", "y")
    assert several.compared_as == {
        "prediction_a": "label",
        "prediction_b": "label",
        "probability_a_1": "probability",
        "score_b": "number",
    }
    assert several.learned is None
    assert LATE.learned == "classification"


def test_an_unknown_feature_is_answered_with_the_known() -> None:
    """Asking for a feature that is not there lists those that are."""
    assert LATE.feature("tail").type == "string"
    with pytest.raises(ContractError, match="distance, tail, at"):
        LATE.feature("tial")


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"format": 4}, "$.format", "this contract has format 4; this version of gnomon"),
        ({"format": 0}, "$.format", "expected a format of 1 to 3, got 0"),
        ({"features": ()}, "$.features", "at least one feature"),
        ({"features": (feature(), feature())}, "$.features", "`x` is named twice"),
        ({"features": (feature(""),)}, "$.features", "cannot be called ''"),
        ({"features": (feature('a"b'),)}, "$.features", "cannot be called"),
        ({"features": (feature(minimum=2, maximum=1),)}, "$.features[0]", "feature `x`: "),
        (
            {"features": (feature(), feature("y", missing="default", default="1"))},
            "$.features[1].default",
            'feature `y`: expected float, got "1"',
        ),
        ({"entity_key": ("tial",)}, "$.entity_key[0]", "no feature `tial`"),
        ({"entity_key": "tail"}, "$.entity_key", "expected a tuple of feature names"),
        ({"entity_key": ("tail", "tail")}, "$.entity_key", "`tail` is named twice"),
        ({"event_time": "when"}, "$.event_time", "no feature `when`"),
        ({"event_time": "tail"}, "$.event_time", "expected a timestamp, but `tail` is a string"),
        ({"outputs": ()}, "$.outputs", "at least one output"),
        ({"outputs": (PREDICTION, output("late"))}, "$.outputs", "one prediction for a target"),
        ({"outputs": (*LATE.outputs, output('a"b'))}, "$.outputs[3].name", "cannot be called"),
        (
            {"outputs": (output("s", kind="score"), PREDICTION, output("t", kind="score"))},
            "$.outputs",
            "outputs of one kind to be consecutive",
        ),
        (
            {"outputs": (output("a", target="a"), output("b", target="b"))},
            "$.classes",
            "the classes of several targets are those of their predictions",
        ),
        ({"outputs": (PREDICTION, PREDICTION)}, "$.outputs", "`prediction` is named twice"),
        ({"outputs": LATE.outputs[:2]}, "$.outputs", "one for each of the 2 classes, got 1"),
        ({"task": "regression"}, "$.classes", "a regression has no classes"),
        ({"format": 2, "task": "clustering"}, "$.task", "of format 2 has no `clustering`"),
        ({"format": 2, "layout": "rows"}, "$.layout", "of format 2 has no `layout`"),
        (
            {"format": 2, "outputs": (PREDICTION, output("s", kind="score"))},
            "$.outputs[1].kind",
            "of format 2 has no `kind`",
        ),
    ],
)
def test_a_contradiction_is_refused_with_its_place(
    changes: dict[str, Any], where: str, message: str
) -> None:
    """A contract that contradicts itself names the key and what is wrong."""
    with pytest.raises((ContractError, NewerFormat)) as caught:
        changed(**changes).check()
    assert caught.value.where == where
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"format": 4}, "$.format", "has format 4; this"),
        ({"format": 4, "new": 1}, "$.format", "has format 4; this"),
        ({"format": None}, None, "expected the key `format`, which is missing"),
        ({"extra": 1}, None, "unknown field `extra`"),
        ({"task": "ranking"}, "$.task", "ranking"),
        ({"features": [{"name": "x", "type": "float"}]}, "$.features[0]", "`dtype`"),
        ({"features": [{"name": "x", "type": "complex"}]}, "$.features[0].type", "complex"),
        ({"event_time": "tail"}, "$.event_time", "expected a timestamp"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(
    tmp_path: Path, changes: dict[str, Any], where: str | None, message: str
) -> None:
    """A file with a wrong key says which file, which key and what is wrong; newer formats too."""
    path = written(tmp_path / "contract.json", **changes)
    with pytest.raises((ContractError, NewerFormat)) as caught:
        Contract.read(path)
    assert caught.value.where == (f"{path}: {where}" if where else str(path))
    assert message in caught.value.message


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"task: regression"])
def test_a_file_that_is_no_contract_is_refused(tmp_path: Path, content: bytes) -> None:
    """Anything that is not JSON of a contract is refused by name."""
    path = tmp_path / "contract.json"
    path.write_bytes(content)
    with pytest.raises(ContractError) as caught:
        Contract.read(path)
    assert caught.value.where == str(path)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is a contract error, not a traceback."""
    with pytest.raises(ContractError, match="No such file"):
        Contract.read(tmp_path / "contract.json")


def test_an_age_needs_format_2(tmp_path: Path) -> None:
    """Releases that read format 1 would refuse it; as a file has it, it is an ISO 8601 duration."""
    seen = feature(
        "seen", type="timestamp", dtype="datetime64[us, UTC]", max_age=timedelta(hours=6)
    )
    aged = msgspec.structs.replace(LATE, features=(*LATE.features, seen))
    aged.write(tmp_path / "contract.json")
    assert '"max_age": "PT21600S"' in (tmp_path / "contract.json").read_text()
    assert Contract.read(tmp_path / "contract.json") == aged
    with pytest.raises(ContractError, match="of format 1 has no `max_age`") as caught:
        msgspec.structs.replace(aged, format=1).check()
    assert caught.value.hint == 'set "format" to 2'
