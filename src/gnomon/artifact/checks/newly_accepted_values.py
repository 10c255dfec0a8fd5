"""Values that a changed contract accepts and the old one did not, tried on the pipeline."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from gnomon.artifact.golden import inputs
from gnomon.contract.contract import Contract
from gnomon.contract.feature import Feature
from gnomon.contract.frames import to_input
from gnomon.contract.json_values import reader
from gnomon.contract.unusual_rows import NEVER_SEEN
from gnomon.pipeline.failing_step import failing_step
from gnomon.pipeline.predicting import outputs

__all__ = ["NewValue", "first_refused", "in_words", "newly_accepted"]

_TEXT = ("category", "string")


class NewValue(msgspec.Struct, frozen=True):
    """A JSON value that requests may now have for a feature."""

    feature: str
    value: Any
    key: str
    """The key of the contract that accepts it."""


def newly_accepted(old: Contract, new: Contract) -> list[NewValue]:
    """Return one newly accepted value of each kind: null, a text not in training, a default."""
    found: list[NewValue] = []
    for before, after in zip(old.features, new.features, strict=True):
        if after.carried:
            continue
        if after.nullable and not before.nullable:
            found.append(NewValue(after.name, None, "nullable"))
        if after.type in _TEXT and not _is_closed(after) and _is_closed(before):
            found.append(NewValue(after.name, NEVER_SEEN, "outside"))
        if after.missing == "default" and after.default != before.default:
            found.append(NewValue(after.name, after.default, "default"))
    return found


def first_refused(
    pipeline: Any, golden: pa.Table, contract: Contract, values: list[NewValue]
) -> tuple[NewValue, str] | None:
    """Return the first value that the pipeline does not accept, and why; None if it accepts all.

    Each value is put into the golden row with the fewest nulls.
    """
    rows = inputs(golden, contract).to_pylist()
    row = min(rows, key=lambda one: sum(value is None for value in one.values()))
    for one in values:
        read = reader(contract.feature(one.feature))
        changed = row | {one.feature: read(one.value)}
        given = to_input(
            pa.RecordBatch.from_pylist([changed], schema=contract.input_schema), contract
        )
        try:
            answered = outputs(pipeline, given, contract)
        except Exception as error:  # the user's code
            return one, f"{failing_step(pipeline, given) or 'the model'} raises {_said(error)}"
        for name, column in zip(answered.schema.names, answered.columns, strict=True):
            if pa.types.is_floating(column.type) and not np.isfinite(column.to_numpy(False)).all():
                return one, f"`{name}` is then NaN or infinite, which JSON cannot represent"
    return None


def in_words(value: NewValue) -> str:
    """Describe a value, such as ``null of `dep_delay```."""
    return f"{json.dumps(value.value)} of `{value.feature}`"


def _is_closed(feature: Feature) -> bool:
    return feature.outside == "error" and feature.domain is not None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
