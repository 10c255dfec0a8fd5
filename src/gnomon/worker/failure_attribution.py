"""The attribution of a row's failure: to the pipeline, or to a value in the row.

A contract accepts every value that the training dtype holds, but a pipeline may compute in a
narrower type: a forest in 32-bit floats, a parser in nanoseconds since 1970. An encoder may raise
on categories that training did not have. Such values are suspects. A suspect is to blame if the
pipeline scores the row with an ordinary value in its place: confirmed by intervention, not guessed
from the message.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from gnomon.contract import Contract, Feature
from gnomon.contract.json_values import EXACT, inside, key_path, shown

__all__ = ["blamed", "row_error"]

INVALID = "invalid value at"
"""The beginning of the error of a row with a value to blame."""
_BLAME = re.compile(rf"{INVALID} (\S+): (.*)", re.DOTALL)

FLOAT32_LARGEST = 3.4028234663852886e38
NANOSECOND_YEARS = (1678, 2261)
"""The first and last whole year in 64 bits of nanoseconds since 1970."""
ORDINARY_TIME = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def blamed(
    row: pa.RecordBatch,
    contract: Contract,
    scores: Callable[[pa.RecordBatch], bool],
    place: str = "the pipeline",
) -> str | None:
    """Return the error of a row that failed, if a value in it is to blame; see :func:`row_error`.

    Args:
        row: one decoded row.
        contract: the artifact's.
        scores: returns whether the pipeline scores a changed row.
        place: where the error was raised, such as a step.
    """
    suspects = [f for f in contract.features if _expected(f, row.column(f.name)[0].as_py())]
    if not suspects or not scores(_with_typical_values(row, contract, suspects)):
        return None
    culprits = (
        f
        for f in suspects
        if len(suspects) > 1 and scores(_with_typical_values(row, contract, [f]))
    )
    feature = next(culprits, suspects[0])
    value = row.column(feature.name)[0].as_py()
    path = key_path(feature.name).replace(" ", "\\u0020")
    expected = _expected(feature, value, place)
    return f"{INVALID} {path}: expected {expected}, got {shown(_plain(value))}"


def row_error(error: str) -> tuple[str, str] | None:
    """Return the path within the row, such as ``.dep_delay``, and the message of a blamed value.

    None if the error blames no value.
    """
    match = _BLAME.fullmatch(error)
    return None if match is None else (match[1], match[2])


def _expected(feature: Feature, value: Any, place: str = "the pipeline") -> str | None:
    """Return what the pipeline may need instead of this value; None for an ordinary value."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, dt.datetime):
        first, last = NANOSECOND_YEARS
        if not first <= value.year <= last:
            return f"a timestamp in the years {first} to {last}, as {place} raises beyond them"
    elif feature.type == "float" and abs(value) > FLOAT32_LARGEST:
        return f"a number within ±{FLOAT32_LARGEST:.8g}, as {place} raises beyond it"
    elif feature.type == "integer" and abs(value) > EXACT:
        return f"an integer within ±{EXACT}, as {place} raises beyond it"
    elif feature.domain and value not in feature.domain:
        return f"{inside(feature)}, as {place} raises on any other"
    return None


def _with_typical_values(
    row: pa.RecordBatch, contract: Contract, features: list[Feature]
) -> pa.RecordBatch:
    """Return the row with an ordinary value for each of these features."""
    for feature in features:
        at = row.schema.get_field_index(feature.name)
        kind = row.schema.field(at).type
        row = row.set_column(at, row.schema.field(at), pa.array([_typical_value(feature)], kind))
    return row


def _typical_value(feature: Feature) -> Any:
    """Return a value from the middle of the training values, as far as the contract gives them."""
    if feature.type == "timestamp":
        return ORDINARY_TIME
    if feature.domain:
        return feature.domain[0]
    limits = [edge for edge in (feature.minimum, feature.maximum) if edge is not None]
    middle = sum(edge / len(limits) for edge in limits) if limits else 1.0
    return int(middle) if feature.type == "integer" else middle


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value
