"""Every kind of feature and key of a contract file: the error says what is wrong and how
to fix it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pandas as pd
import pytest

from gnomon.contract import Contract, Feature, check_frame
from gnomon.contract.feature import FeatureType
from gnomon.errors import ContractError
from tests.contract.flight import OWN_OFFSET, decoded_value, refusal, value_refusal
from tests.contract.strategies import contract

KINDS: dict[str, Feature] = {
    "integer": Feature(name="x", type="integer", dtype="int64"),
    "float": Feature(name="x", type="float", dtype="float64"),
    "boolean": Feature(name="x", type="boolean", dtype="bool"),
    "string": Feature(name="x", type="string", dtype="str"),
    "category": Feature(name="x", type="category", dtype="str", domain=("AA", "United")),
    "timestamp": Feature(name="x", type="timestamp", dtype="datetime64[us, UTC]"),
    "date": Feature(name="x", type="date", dtype="object"),
    "decimal": Feature(name="x", type="decimal", dtype="object", scale=2),
    "list": Feature(name="x", type="list", dtype="list", items="float", length=2),
}
COERCE = '"coerce": true in the contract'


def feature_with(kind: str, **changes: Any) -> Feature:
    """A feature of a kind with some keys changed."""
    feature = msgspec.structs.replace(KINDS[kind], **changes)
    feature.check()
    return feature


def test_there_is_a_feature_of_every_kind() -> None:
    """A new kind gets its rows below."""
    assert set(KINDS) == set(get_args(FeatureType))


@pytest.mark.parametrize("kind", KINDS)
def test_null_and_a_field_left_out_name_the_keys(kind: str) -> None:
    """`nullable` where the column can hold null, and `missing`; what may be sent, where it may."""
    null = value_refusal(KINDS[kind], None).hint
    able = kind not in ("integer", "boolean")
    expected = '"nullable": true in the contract' if able else "cannot hold null"
    assert expected in (null or "")
    left_out = refusal(b"{}", contract(KINDS[kind]))
    assert left_out.where == "$.x"
    assert '"missing": "default" in the contract' in (left_out.hint or "")
    if able:
        nullable = refusal(b"{}", contract(feature_with(kind, nullable=True))).hint or ""
        assert "send null" in nullable
        assert '"missing": "impute" in the contract' in nullable


@pytest.mark.parametrize(
    ("feature", "value", "says"),
    [
        (feature_with("integer"), "12", ("send 12 without quotes", COERCE)),
        (feature_with("integer"), 1.5, ("send a whole number",)),
        (feature_with("integer"), True, ("send a whole number",)),
        (feature_with("integer", dtype="int8"), 300, ("a whole number",)),
        (feature_with("float"), "12.5", ("send 12.5 without quotes", COERCE)),
        (feature_with("float"), "twelve", ("send a number",)),
        (feature_with("float"), "NaN", ('"nullable": true',)),
        (feature_with("float", nullable=True), "nan", ("send null",)),
        (feature_with("float", nullable=True), "", ("send null",)),
        (feature_with("float", coerce=True), "twelve", ("send a number",)),
        (feature_with("boolean"), 1, ("send true", COERCE)),
        (feature_with("boolean"), "false", ("send false", COERCE)),
        (feature_with("boolean"), "yes", ("send true or false",)),
        (feature_with("string"), 5, ("send text",)),
        (feature_with("category"), 5, ("send text",)),
        (feature_with("category", outside="error"), "united", ('"United"?', '"outside": "allow"')),
        (feature_with("category", outside="error"), "ZZ", ('"outside": "allow"',)),
        (feature_with("integer", maximum=9.0, outside="error"), 10, ('"outside": "allow"',)),
        (feature_with("float", minimum=0.0, outside="error"), -1.0, ('"outside": "allow"',)),
        (feature_with("timestamp"), 5, ("ISO 8601",)),
        (feature_with("timestamp"), "May", ("ISO 8601",)),
        (feature_with("timestamp"), "2013-04-01T05:15:00", ("2013-04-01T05:15:00+00:00",)),
        (OWN_OFFSET, "2013-04-01T09:15:00Z", ("05:15:00-04:00", '"outside": "allow"')),
        (feature_with("date"), "May", ("2013-01-31",)),
        (feature_with("decimal"), "x", ('"12.50"',)),
        (feature_with("decimal"), "1.234", ('"12.50"',)),
        (feature_with("list"), 5, ("send an array of 2 float items",)),
        (feature_with("list"), [1.0], ("send an array of 2 float items",)),
        (feature_with("list"), [1.0, "a"], ("send an array of 2 float items",)),
        (
            feature_with("float", missing="default", default=3.5),
            None,
            ("leave it out for the default 3.5",),
        ),
    ],
)
def test_a_refused_value_is_told_the_way_out(
    feature: Feature, value: Any, says: tuple[str, ...]
) -> None:
    """The error says what to send, and the contract key that would accept it, if there is one."""
    error = value_refusal(feature, value)
    assert error.message.startswith("expected ")
    assert "got " in error.message
    for words in says:
        assert words in (error.hint or ""), error


@pytest.mark.parametrize(
    ("feature", "value", "key"),
    [
        (feature_with("integer"), "12", {"coerce": True}),
        (feature_with("boolean"), 1, {"coerce": True}),
        (feature_with("float"), None, {"nullable": True}),
        (feature_with("category", outside="error"), "ZZ", {"outside": "allow"}),
        (feature_with("float", minimum=0.0, outside="error"), -1.0, {"outside": "allow"}),
        (OWN_OFFSET, "2013-04-01T09:15:00Z", {"outside": "allow"}),
    ],
)
def test_the_key_that_is_named_admits_the_value(
    feature: Feature, value: Any, key: dict[str, Any]
) -> None:
    """With the named key set, the same value is accepted."""
    ((name, setting),) = key.items()
    assert f'"{name}": {json.dumps(setting)} in the contract' in (
        value_refusal(feature, value).hint or ""
    )
    decoded_value(msgspec.structs.replace(feature, **key), value)


def test_a_misspelt_field_is_recognised() -> None:
    """`depDelay` is `dep_delay` as another language writes it."""
    feature = Feature(name="dep_delay", type="float", dtype="float64")
    error = refusal(b'{"depDelay": 3.5}', contract(feature))
    assert "is `depDelay` meant to be `dep_delay`?" in (error.hint or "")


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [{"x": 1.5}]}',
        b'{"inputs": [[1.5]]}',
        b'{"columns": ["x"], "data": [[1.5]]}',
        b'{"dataframe_split": {"columns": ["x"], "data": [[1.5]]}}',
    ],
)
def test_a_request_in_the_form_of_another_server_is_told_ours(body: bytes) -> None:
    """Requests come in the formats of TensorFlow Serving, KServe, MLServer and MLflow."""
    hint = refusal(body, contract(KINDS["float"])).hint or ""
    assert 'several records are sent as {"rows": [{…}, {…}]}' in hint
    assert "several records" not in (refusal(b'{"q": 1}', contract(KINDS["float"])).hint or "")


def test_a_check_names_the_way_out_once_a_finding() -> None:
    """`gnomon check` gives the same hint once for all rows."""
    by = contract(
        Feature(name="x", type="float", dtype="float64"),
        Feature(name="n", type="integer", dtype="int64"),
        Feature(name="tail", type="string", dtype="str"),
    )
    frame = pd.DataFrame({"x": [None, 1.0], "n": ["1", "2"], "Tail": ["a", "b"]})
    hints = {f.feature: f.hint or "" for f in check_frame(frame, by).findings}
    assert '"nullable": true' in hints["x"]
    assert COERCE in hints["n"]
    assert "is `Tail` meant to be `tail`?" in hints["tail"]


WRONG_VALUES: dict[str, tuple[Any, str, str]] = {
    "name": ('a"b', "cannot be called", "quote"),
    "type": ("flaot", 'expected one of "boolean", ', 'did you mean "float"?'),
    "dtype": ("flout64", "cannot be held in a column of dtype `flout64`", "docs/contract.md"),
    "nullable": ("yes", 'expected `bool`, got "yes"', ""),
    "missing": ("defualt", '"default", "error", "impute", got "defualt"', '"default"?'),
    "default": (3.5, "`default` is given", 'set `missing` to "default"'),
    "domain": ([1, 1], "takes a range, not a `domain`", "`minimum`"),
    "minimum": ("0", 'expected `float | null`, got "0"', ""),
    "maximum": ("9", 'expected `float | null`, got "9"', ""),
    "outside": ("allowed", 'one of "allow", "error"', 'did you mean "allow"?'),
    "timezone": ("UTC", "a float has no `timezone`", "only a timestamp"),
    "max_age": ("6h", "Invalid ISO8601 duration", "PT6H"),
    "unit": (3, "expected `str | null`, got 3", ""),
    "description": (3, "expected `str | null`, got 3", ""),
    "source": (3, "expected `str | null`, got 3", ""),
    "coerce": ("true", 'expected `bool`, got "true"', ""),
    "carried": (1, "expected `bool`, got 1", ""),
    "column": ("1", 'expected `int | null`, got "1"', ""),
    "items": ("floats", 'expected one of "boolean", "float"', 'did you mean "float"?'),
    "length": (2, "has a `length`", "leave `length` out"),
    "scale": (2, "only a decimal has it", "leave `scale` out"),
}
"""By key of a feature: a wrong value, what the message says, what the hint says."""


def written(path: Path, feature: dict[str, Any], **more: Any) -> Path:
    """A contract file of one feature."""
    outputs = [{"name": "prediction", "type": "float"}]
    usual = {"format": 3, "task": "regression", "features": [feature], "outputs": outputs}
    path.write_text(json.dumps(usual | more))
    return path


@pytest.mark.parametrize("key", Feature.__struct_fields__)
def test_a_wrong_value_of_any_key_is_named(tmp_path: Path, key: str) -> None:
    """The error has the file, the place, what a contract takes there, and the nearest of several
    keys.
    """
    value, message, hint = WRONG_VALUES[key]
    feature = {"name": "x", "type": "float", "dtype": "float64"} | {key: value}
    with pytest.raises(ContractError) as caught:
        Contract.read(written(tmp_path / "contract.json", feature))
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert "contract.json: $.features" in (caught.value.where or "")


@pytest.mark.parametrize("key", [*Feature.__struct_fields__, *Contract.__struct_fields__])
def test_a_misspelt_key_is_named_with_the_right_one(tmp_path: Path, key: str) -> None:
    """Two letters exchanged: the key that was meant, and all that there are."""
    typo = key[:-2] + key[-1] + key[-2]
    feature: dict[str, Any] = {"name": "x", "type": "float", "dtype": "float64"}
    more: dict[str, Any] = {}
    (feature if key in Feature.__struct_fields__ else more)[typo] = None
    with pytest.raises(ContractError) as caught:
        Contract.read(written(tmp_path / "contract.json", feature, **more))
    assert caught.value.message == f"unknown field `{typo}`"
    assert f"did you mean `{key}`? the keys here are " in (caught.value.hint or "")
