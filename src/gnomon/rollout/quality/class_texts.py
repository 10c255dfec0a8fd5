"""Class labels as text: one text for one class, whether it is an integer or a whole float."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract import Contract
from gnomon.contract.feature import Output, Scalar, label_text

__all__ = ["class_text", "class_texts", "output_class"]

_LARGEST_WHOLE = 2.0**53
"""Up to here a float holds every integer exactly."""


def class_texts(values: pa.Array) -> pa.Array:
    """Return each value as text: a whole float like the integer, null where it is null."""
    texts = pc.cast(values, pa.string())
    if not pa.types.is_floating(values.type):
        return texts
    whole = pc.and_(
        pc.equal(values, pc.floor(values)), pc.less_equal(pc.abs(values), _LARGEST_WHOLE)
    )
    integers = pc.cast(pc.if_else(whole, values, None), pa.int64())
    return pc.coalesce(pc.cast(integers, pa.string()), texts)


def class_text(label: Scalar) -> str:
    """Return the text of one class."""
    text: str = class_texts(pa.array([label]))[0].as_py()
    return text


def output_class(contract: Contract, output: Output) -> str:
    """Return the text of the class whose probability or score an output is.

    Args:
        contract: the contract with the output.
        output: one that belongs to a class.
    """
    if output.label is not None:
        return class_text(output.label)
    named = {label_text(label): class_text(label) for label in contract.classes}
    return named.get(output.key, output.key)
