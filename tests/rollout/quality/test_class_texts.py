from __future__ import annotations

import pyarrow as pa
import pytest
from msgspec import structs

from gnomon.contract.contract import Output
from gnomon.rollout.quality.class_texts import class_text, class_texts, output_class
from tests.rollout.quality.rows import CLASSIFIER


@pytest.mark.parametrize(
    ("label", "text"),
    [(1, "1"), (1.0, "1"), (-0.0, "0"), (2e10, "20000000000"), (0.5, "0.5"), (True, "true"),
     ("1.0", "1.0")],
)  # fmt: skip
def test_a_whole_float_is_written_as_the_integer(label: float | str, text: str) -> None:
    """Text stays what it is, also if it looks like a number."""
    assert class_text(label) == text


def test_what_is_not_finite_is_no_integer() -> None:
    """An answer may be so; a null stays null."""
    values = pa.array([float("inf"), float("nan"), None, 1e300, 3.0])
    assert class_texts(values).to_pylist() == ["inf", "nan", None, "1e+300", "3"]


def test_the_class_of_an_output_is_found_by_its_label_or_its_name() -> None:
    """`probability_0.0` is that of the class 0."""
    named = Output(name="probability_0.0", type="float")
    contract = structs.replace(CLASSIFIER, classes=(0.0, 1.0))
    assert output_class(contract, named) == "0"
    assert output_class(structs.replace(CLASSIFIER, classes=("0.0", "1")), named) == "0.0"
    labelled = Output(name="p", type="float", kind="probability", label=1.0)
    assert output_class(contract, labelled) == "1"
