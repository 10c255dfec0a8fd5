"""Distortions that may have happened to a request's features, each as rows to run again.

Where the other side has only answers, a distortion of the inputs is not visible, but it can be
tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.contract import Contract
from gnomon.quantities import number
from gnomon.skew.diagnosis.causes.categories import FORMS, spelled
from gnomon.skew.diagnosis.causes.clocks import swapped, zone_offsets
from gnomon.skew.diagnosis.causes.units import conversions
from gnomon.skew.diagnosis.replaced_inputs import hours, numbers, with_feature, with_hours

__all__ = ["Candidate", "candidates"]

Floats = npt.NDArray[np.float64]

_MOST_PAIRS = 300


@dataclass(frozen=True, slots=True)
class Candidate:
    """One distortion of the features as they were online.

    Attributes:
        cause: the name of the cause.
        features: the features it changes.
        finding: text that follows "online" and the feature's name.
        action: what to do about it.
        rows: the features after the distortion, or after undoing it.
    """

    cause: str
    features: tuple[str, ...]
    finding: str
    action: str
    rows: pa.RecordBatch


def candidates(
    rows: pa.RecordBatch, contract: Contract, zones: Sequence[str] = ()
) -> Iterator[Candidate]:
    """Yield every distortion of one feature, and every exchange of two, that changes some row."""
    for feature in contract.features:
        if feature.carried:
            continue
        column = rows.column(feature.name)
        if feature.type in ("float", "integer"):
            distortions = _numbers(numbers(column), feature.type == "integer")
        elif feature.type in ("string", "category"):
            distortions = _labels(column.to_pylist(), sorted(map(str, feature.domain or ())))
        elif feature.type == "timestamp":
            yield from _times(rows, feature.name, hours(column), zones)
            continue
        else:
            continue
        for cause, finding, action, values in distortions:
            changed = _with_values(rows, feature.name, values)
            if changed is not None and not changed.column(feature.name).equals(column):
                yield Candidate(cause, (feature.name,), finding, action, changed)
        if feature.nullable and column.null_count < len(column):
            emptied = _with_values(rows, feature.name, [None] * len(column))
            if emptied is not None:
                yield Candidate(
                    "missing feature",
                    (feature.name,),
                    "has a value where the other side had none",
                    "Find out why one side lacks it.",
                    emptied,
                )
    yield from _exchanges(rows, contract)


Made = Iterator[tuple[str, str, str, Any]]

_UNIT = "State the unit in the contract, and send the feature in that unit."
_DIGITS = "Write all digits on both sides, or let the policy's tolerance say how many are enough."
_IMPUTE = "Keep the imputer in the pipeline, and let both sides send null."
_ORDER = "Take the encoder's categories from the artifact, in its order, on both sides."
_FORM = "Write labels the same way on both sides before the pipeline sees them."


def _numbers(values: Floats, is_whole: bool) -> Made:
    known = np.isfinite(values)
    if not known.any():
        return
    with np.errstate(all="ignore"):
        single = values.astype(np.float32)
        yield "float32", "went through 32-bit floats on one side", _DIGITS, single.astype(float)
        shortest = [float(str(x)) if np.isfinite(x) else np.nan for x in single]
        if (single.astype(float) == values)[known].all():
            yield "float32", "went through 32-bit floats online", _DIGITS, np.array(shortest)
        for digits in range(5, -4, -1):
            text = f"was rounded to {digits} decimals on one side"
            yield "rounding", text, _DIGITS, np.round(values, digits)
        yield "truncation", "was truncated to whole numbers on one side", _DIGITS, np.trunc(values)
        for name, slope, shift in conversions():
            conversion = "" if name.startswith("a factor") else f", as between {name}"
            finding = f"is in another unit on one side, by {number(slope)}{conversion}"
            yield "unit change", finding, _UNIT, values * slope + shift
        joined = np.array([_without_point(x) for x in values.tolist()])
        yield "locale", "was read with another decimal sign on one side", _DIGITS, joined
        thousand = np.where(np.abs(values) >= 1000, values / 1000, values)
        yield "locale", "was read with another decimal sign on one side", _DIGITS, thousand
        middle = (("its mean", np.mean), ("its median", np.median))
        stand_ins = (("0", 0.0), ("-1", -1.0), *((n, float(f(values[known]))) for n, f in middle))
        for name, stand_in in stand_ins if not known.all() else ():
            filled = np.where(known, values, stand_in)
            yield "imputation", f"is filled in with {name} on one side", _IMPUTE, filled
        for default in _frequent(values[known]):
            emptied = np.where(values == default, np.nan, values)
            yield "imputation", f"is {number(default)} where one side has none", _IMPUTE, emptied


def _frequent(values: Floats) -> list[float]:
    """Return the most frequent values, which may be defaults for missing ones."""
    distinct, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:2]
    return [float(distinct[i]) for i in order if 1 < counts[i] < len(values)]


def _without_point(x: float) -> float:
    """Read a number as a parser does that takes the decimal point for a thousands separator."""
    text = repr(x)
    return x if x != x or x % 1 == 0 or "e" in text else float(text.replace(".", ""))


def _labels(values: list[str | None], domain: list[str]) -> Made:
    for names in (*((name,) for name in FORMS), tuple(FORMS)[:4]):
        back = {spelled(text, names): text for text in domain}
        respelled = [None if v is None else back.get(spelled(v, names), v) for v in values]
        yield _spelling(" or ".join(names), respelled)
    changes = (("case", str.lower), ("case", str.upper), ("case", str.title))
    for name, change in (*changes, ("white space", str.strip)):
        yield _spelling(name, [None if v is None else change(v) for v in values])
    for first, second in combinations(domain, 2) if len(domain) <= 4 else ():
        exchange = {first: second, second: first}
        finding = f"has `{first}` and `{second}` exchanged on one side"
        yield (
            "category code order",
            finding,
            _ORDER,
            [None if v is None else exchange.get(v, v) for v in values],
        )


def _spelling(what: str, values: list[str | None]) -> tuple[str, str, str, Any]:
    return "category form", f"is spelled differently on one side, in its {what}", _FORM, values


def _times(
    rows: pa.RecordBatch, name: str, times: Floats, zones: Sequence[str]
) -> Iterator[Candidate]:
    zone = "Read the same time zone's clock on both sides, by name."
    offsets_tried: set[bytes] = set()
    for offset in zone_offsets(zones):
        shift = offset.hours(times)
        if not shift.any() or shift.tobytes() in offsets_tried:
            continue
        offsets_tried.add(shift.tobytes())
        yield Candidate(
            "time zone",
            (name,),
            f"is read in another time zone on one side: moved {offset.clock}, it agrees",
            zone,
            with_hours(rows, name, times + shift),
        )
    to = swapped(times)
    if np.isfinite(to).any():
        yield Candidate(
            "date format",
            (name,),
            "has day and month exchanged on one side",
            "Send ISO 8601 dates, and parse with an explicit format.",
            with_hours(rows, name, np.where(np.isfinite(to), to, times)),
        )


def _exchanges(rows: pa.RecordBatch, contract: Contract) -> Iterator[Candidate]:
    names = [f.name for f in contract.features if not (f.carried or f.name in contract.entity_key)]
    pairs = [
        (first, second)
        for i, first in enumerate(names)
        for second in names[i + 1 :]
        if rows.schema.field(first).type == rows.schema.field(second).type
        and not pa.types.is_timestamp(rows.schema.field(first).type)
    ]
    for first, second in pairs[:_MOST_PAIRS]:
        replaced = _with_values(rows, first, rows.column(second))
        exchanged = None if replaced is None else _with_values(replaced, second, rows.column(first))
        if exchanged is not None and not exchanged.equals(rows):
            yield Candidate(
                "column order",
                (first, second),
                f"has the values of `{second}` on one side, and the other way round",
                "Pass columns by name, never by position.",
                exchanged,
            )


def _with_values(rows: pa.RecordBatch, name: str, values: Any) -> pa.RecordBatch | None:
    """Replace a feature's values; None if the feature cannot have the new values."""
    type_ = rows.schema.field(name).type
    if isinstance(values, np.ndarray):
        nulls = ~np.isfinite(values)
        if pa.types.is_integer(type_) and (values[~nulls] % 1).any():
            return None
        values = pa.array(np.where(nulls, 0.0, values), mask=nulls)
    elif isinstance(values, list):
        values = pa.array(values, type_)
    try:
        return with_feature(rows, name, values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
