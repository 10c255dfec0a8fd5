"""What a label may be, by the contract's outputs."""

from __future__ import annotations

import math
from typing import Any

import pytest
from msgspec import structs

from gnomon.contract.contract import Contract, Output
from gnomon.errors import InvalidRequest
from gnomon.labels.targets import Target, targets_of
from tests.labels.labelled_log import CONTRACT, TWO_TARGETS


def only(task: str = "classification", kind: str = "string", *classes: Any) -> Target:
    output = Output(name="prediction", type=kind)  # type: ignore[arg-type]
    contract = structs.replace(CONTRACT, task=task, outputs=(output,), classes=classes)
    [target] = targets_of(contract)
    return target


NUMBER = only("regression", "float")


def test_a_class_is_allowed_that_another_artifact_knows() -> None:
    """Those of live come first; another type or task is not the same target."""

    def of(kind: str, *classes: Any, task: str = "classification") -> Contract:
        output = Output(name="prediction", type=kind)  # type: ignore[arg-type]
        return structs.replace(CONTRACT, task=task, outputs=(output,), classes=classes)

    others = [
        of("string", "maybe", "yes"),
        of("integer", 1, 2),
        of("string", "odd", task="outlier_detection"),
    ]
    [target] = targets_of(of("string", "no", "yes"), others)
    assert target.classes == ("no", "yes", "maybe")
    with pytest.raises(InvalidRequest, match='one of "no", "yes", "maybe", got "odd"'):
        target.text("odd")
    [free] = targets_of(of("string"), others)
    assert free.text("anything") == "anything"


@pytest.mark.parametrize(
    ("target", "value", "text"),
    [
        (only("classification", "string", "no", "yes"), "no", "no"),
        (only("classification", "integer", 0, 1), 1, "1"),
        (only("classification", "integer", 0, 1), 1.0, "1"),
        (only("classification", "boolean", False, True), True, "true"),
        (only("classification", "float", 1.0, 2.5), 1, "1.0"),
        (only("outlier_detection", "integer", -1, 1), -1, "-1"),
        (only("classification", "string"), "anything", "anything"),
        (NUMBER, 12, "12.0"),
        (NUMBER, 0.1, "0.1"),
    ],
)
def test_a_value_is_stored_as_text(target: Target, value: Any, text: str) -> None:
    """Equal values are equal texts, and the text can be read again."""
    assert target.text(value) == text
    assert target.text(target.parsed(text)) == text


@pytest.mark.parametrize(
    ("target", "value", "says"),
    [
        (only("classification", "string", "no", "yes"), "No", 'one of "no", "yes", got "No"'),
        (only("classification", "integer", 0, 1), True, "expected one of 0, 1, got true"),
        (only("classification", "boolean", False, True), 1, "expected one of false, true, got 1"),
        (only("classification", "integer", 0, 1), "1", 'expected one of 0, 1, got "1"'),
        (only("classification", "string", *"abcdefghijkl"), "z", '"j" and 2 more, got "z"'),
        (only("classification", "string"), 7, "expected string, got 7"),
        (only("classification", "integer"), 2**70, "expected integer, got 1180591620717411303424"),
        (only("classification", "integer"), -(2**63) - 1, "expected integer, got -922337203685477"),
        (NUMBER, "12", 'expected finite number, got "12"'),
        (NUMBER, True, "expected finite number, got true"),
        (NUMBER, math.nan, "expected finite number, got NaN"),
        (NUMBER, 10**400, "expected finite number"),
        (NUMBER, [1], "expected finite number, got an array"),
    ],
)  # fmt: skip
def test_another_value_is_refused_with_those_that_are_expected(
    target: Target, value: Any, says: str
) -> None:
    """A label of another type never equals a class by chance."""
    with pytest.raises(InvalidRequest) as caught:
        target.text(value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("target", "text", "value"),
    [
        (only("classification", "boolean", False, True), "True", True),
        (only("classification", "integer", 0, 1), "1.0", 1),
        (only("classification", "integer", 0, 1), "one", "one"),
        (only("classification", "string", "0", "1"), "1", "1"),
        (only("classification", "string"), "1", "1"),
        (NUMBER, "1e3", 1000.0),
        (NUMBER, "late", "late"),
    ],
)
def test_the_text_of_a_file_is_read_by_the_contract(target: Target, text: str, value: Any) -> None:
    """What cannot be read stays text, so that the refusal quotes it."""
    found = target.parsed(text)
    assert (found, type(found)) == (value, type(value))


def test_each_of_several_targets_has_a_column() -> None:
    """In the type of its classes."""
    late, gate = targets_of(TWO_TARGETS)
    assert (late.column, str(late.arrow)) == ("label_late", "string")
    assert (gate.column, str(gate.arrow)) == ("label_gate", "int64")
    assert (NUMBER.column, str(NUMBER.arrow)) == ("label", "double")


def test_a_model_that_predicts_nothing_to_be_known_has_no_labels() -> None:
    """A cluster is never true or false."""
    contract: Contract = structs.replace(CONTRACT, task="clustering", classes=())
    with pytest.raises(InvalidRequest, match="a model for clustering has no labels"):
        targets_of(contract)


@pytest.mark.parametrize(
    ("target", "value", "hint"),
    [
        (only("classification", "string", "default", "repaid"), "0", "which of these 0 and 1 are"),
        (only("classification", "string", "default", "repaid"), 1, "which of these 0 and 1 are"),
        (only("classification", "string", "default", "repaid"), False, "0 and 1 are"),
        (only("classification", "string", "default", "repaid"), "Repaid", 'did you mean "repaid"?'),
        (only("classification", "integer", 0, 1), 2, None),
        (NUMBER, "1500,50", "with a decimal point and without separators of thousands"),
        (NUMBER, "1'500", "such as 1234.5"),
        (NUMBER, "12", None),
        (NUMBER, "late", None),
    ],
)
def test_a_hint_says_what_to_write_instead(target: Target, value: Any, hint: str | None) -> None:
    """Where a usual mistake explains the value."""
    with pytest.raises(InvalidRequest) as caught:
        target.text(value)
    assert (hint is None) == (caught.value.hint is None)
    assert (hint or "") in (caught.value.hint or "")
