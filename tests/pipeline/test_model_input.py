"""Whether a model can take what another preprocessing gives."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gnomon.pipeline.model_input import ModelInput, mismatch

FITTED = ModelInput(
    kind="DataFrame", width=3, names=("a", "b", "c"), dtypes=("float64", "int64", "bool")
)
ARRAY = ModelInput(kind="ndarray", width=3, names=None, dtypes=("float64",))


def changed(form: ModelInput, **changes: Any) -> ModelInput:
    return msgspec.structs.replace(form, **changes)


def test_the_same_form_fits() -> None:
    """Named or not."""
    assert mismatch(FITTED, FITTED) is None
    assert mismatch(ARRAY, ARRAY) is None


def test_columns_without_names_are_matched_by_place() -> None:
    """If one side names them and the other cannot, there is nothing to compare."""
    assert mismatch(changed(ARRAY, names=("a", "b", "c")), ARRAY) is None


@pytest.mark.parametrize(
    ("given", "expected", "why"),
    [
        (changed(FITTED, kind="ndarray"), FITTED, "gives a ndarray, .* fitted on a DataFrame"),
        (
            changed(FITTED, names=("a", "d", "c")),
            FITTED,
            "does not give `b`, which the model needs; it gives `d`, which the model does not know",
        ),
        (
            changed(FITTED, names=("a", "c", "b")),
            FITTED,
            "another order: column 1 is `c`, where the model was fitted with `b`",
        ),
        (changed(ARRAY, width=4), ARRAY, "gives 4 columns, and the model was fitted on 3"),
        (
            changed(FITTED, dtypes=("float64", "float64", "bool")),
            FITTED,
            "`b` is float64, and the model was fitted on int64",
        ),
        (changed(ARRAY, dtypes=("float32",)), ARRAY, "its output is float32, .* on float64"),
    ],
)
def test_the_first_thing_that_does_not_fit_is_named(
    given: ModelInput, expected: ModelInput, why: str
) -> None:
    """A column by its name, or what else differs."""
    with pytest.raises(ValueError, match=why):
        raise ValueError(mismatch(given, expected))
