"""What a model's labels may be: the values that its contract allows for each target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract.contract import Contract
from gnomon.contract.feature import Output, Scalar, label_text
from gnomon.contract.json_values import shown
from gnomon.errors import Breach, InvalidRequest
from gnomon.name_lists import did_you_mean

__all__ = ["Target", "targets_of", "values_of"]

_MOST_SHOWN = 10
_WORDS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Target:
    """One target of a model.

    Attributes:
        name: its name; None for the only target of a model.
        output: the model's prediction of it.
        classes: the labels that the model knows; empty for a number, and where they are not stated.
        is_number: whether it is a number, as in a regression.
    """

    name: str | None
    output: Output
    classes: tuple[Scalar, ...]
    is_number: bool

    @property
    def column(self) -> str:
        """The column of joined rows with its label."""
        return "label" if self.name is None else f"label_{self.name}"

    @property
    def arrow(self) -> pa.DataType:
        """The type of that column."""
        return pa.float64() if self.is_number else self.output.arrow.type

    def text(self, value: object) -> str:
        """Return a label as it is stored: a number as Python writes a float, a class as it is.

        Raises:
            InvalidRequest: it is no value of this target, without ``where``.
        """
        if self.is_number:
            return repr(_number(value))
        if self.classes:
            return label_text(self._class(value))
        if isinstance(value, str | int | bool) and _kind(value) == _OF_TYPE[self.output.type]:
            text = label_text(value)
            if values_of(pa.array([text]), self.arrow).null_count == 0:
                return text
        raise InvalidRequest.of(Breach("type", self.output.type, shown(value)))

    def parsed(self, text: str) -> object:
        """Return the value that a text of a file stands for; the text itself if it is none."""
        known = {label_text(label): label for label in self.classes}
        if text in known:
            return known[text]
        if not self.is_number and self.output.type == "string":
            return text
        if self.output.type == "boolean" and text.lower() in _WORDS:
            return _WORDS[text.lower()]
        try:
            number = float(text)
        except ValueError:
            return text
        return int(number) if not self.is_number and number.is_integer() else number

    def _class(self, value: object) -> Scalar:
        known = {(_kind(label), label): label for label in self.classes}
        if isinstance(value, str | int | float) and (_kind(value), value) in known:
            return known[_kind(value), value]
        listed = ", ".join(shown(label) for label in self.classes[:_MOST_SHOWN])
        more = len(self.classes) - _MOST_SHOWN
        rest = f" and {more} more" if more > 0 else ""
        breach = Breach("domain", f"one of {listed}{rest}", shown(value))
        raise InvalidRequest.of(breach, _hint_of_class(value, self.classes))


def values_of(texts: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """Return stored labels in the type of a target.

    One that is no such value is null: an earlier contract allowed it.
    """
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        distinct = pc.unique(texts)
        values = pa.chunked_array([_value_of(text, kind) for text in distinct], kind)
        return values.combine_chunks().take(pc.index_in(texts, distinct))


def _value_of(text: pa.Scalar, kind: pa.DataType) -> pa.Array:
    try:
        return pa.array([text.as_py()], pa.string()).cast(kind)
    except pa.ArrowInvalid:
        return pa.nulls(1, kind)


_OF_TYPE = {"string": "text", "boolean": "boolean", "integer": "number", "float": "number"}


def targets_of(contract: Contract, others: Sequence[Contract] = ()) -> tuple[Target, ...]:
    """Return the targets of a model.

    Args:
        contract: the contract of the live artifact.
        others: those of artifacts that answered before, or answer as shadows: labels may be of
            their classes too, where they predict a target in the same type.

    Raises:
        InvalidRequest: the model predicts nothing that could turn out to be true or false.
    """
    if contract.task not in ("classification", "regression", "outlier_detection"):
        raise InvalidRequest(
            f"a model for {contract.task.replace('_', ' ')} has no labels",
            hint="labels are for classification, regression and outlier detection",
        )
    return tuple(
        Target(
            output.target,
            output,
            _classes(output, contract, others),
            is_number=contract.task == "regression",
        )
        for output in contract.outputs_of("prediction")
    )


def _classes(output: Output, live: Contract, others: Sequence[Contract]) -> tuple[Scalar, ...]:
    """Return the classes of a target that any of the artifacts knows, those of live first."""
    classes = live.classes_of(output)
    if not classes:
        return ()
    more = (
        theirs.classes_of(same)
        for theirs in others
        if theirs.task == live.task
        for same in theirs.outputs_of("prediction")
        if (same.target, same.type) == (output.target, output.type)
    )
    return tuple(dict.fromkeys((*classes, *(label for found in more for label in found))))


def _kind(value: Scalar) -> str:
    """Return how a value is compared: 1 and 1.0 are equal, but neither equals true or "1"."""
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise InvalidRequest.of(Breach("type", "finite number", shown(value)), _hint_of_number(value))


def _hint_of_class(value: object, classes: tuple[Scalar, ...]) -> str | None:
    names = [label for label in classes if isinstance(label, str)]
    if len(names) == len(classes) and value in (0, 1, "0", "1"):
        return "write the name of the class: nothing says which of these 0 and 1 are"
    return did_you_mean(value, names, '"{}"') if isinstance(value, str) else None


def _hint_of_number(value: object) -> str | None:
    if not isinstance(value, str) or not any(letter.isdigit() for letter in value):
        return None
    try:
        float(value)
    except ValueError:
        return (
            "write numbers with a decimal point and without separators of thousands, such as 1234.5"
        )
    return None
