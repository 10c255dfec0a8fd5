"""Vectorised checks of one column, by the rules that a server applies to requests.

Most values are obviously valid, which a few passes over the column find out. Each distinct value of
the rest is read by the feature's :func:`~gnomon.contract.json_values.reader`, as in a server's
decoder: the rules are written only there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract.check.contract_report import Level, Rule
from gnomon.contract.check.plain_columns import Column, Distinct, distinct, is_number
from gnomon.contract.feature import Feature
from gnomon.contract.json_values import (
    EXACT,
    Bounds,
    Value,
    float_limit,
    inside,
    integer_limits,
    is_bounded,
    reader,
    shown,
    years,
)
from gnomon.errors import Breach, InvalidRequest

__all__ = ["MOST_EXAMPLES", "MOST_GOT", "BrokenRule", "Judge", "Judged", "Times"]

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

MOST_EXAMPLES = 5
MOST_GOT = 100
"""How many distinct values of a finding are counted separately."""


class BrokenRule(NamedTuple):
    """The rows that break one rule.

    Attributes:
        rule, expected, level: as in a :class:`~gnomon.contract.check.contract_report.CheckFinding`.
        places: the rows, in order.
        got: the most frequent values with their numbers of rows, up to :data:`MOST_GOT`.
        examples: the values of the first rows.
    """

    rule: Rule
    expected: str
    level: Level
    places: Places
    got: dict[str, int]
    examples: list[str]


class Times(NamedTuple):
    """A column of timestamps as microseconds since 1970, and which rows have one."""

    micros: Places
    known: Mask


class Judged(NamedTuple):
    """The result of checking a column.

    Attributes:
        hits: the rows that break a rule, for each rule.
        numbers: the finite values, if the feature is a number.
        times: the values, if the feature is a timestamp.
    """

    hits: list[BrokenRule]
    numbers: npt.NDArray[np.float64] | None = None
    times: Times | None = None


class _Read(NamedTuple):
    """One distinct value: as the feature reads it, and how it violates the contract, if it does."""

    value: Value
    breach: Breach | None = None
    level: Level = "broken"


class Judge:
    """A check of columns against one feature.

    Args:
        feature: the feature.
        text: whether the columns come from a source without types, such as a CSV file: ``3`` may
            be a number in a column of text.
    """

    def __init__(self, feature: Feature, *, text: bool = False) -> None:
        untyped = text and feature.type in ("integer", "float", "boolean")
        self.feature = msgspec.structs.replace(feature, coerce=True) if untyped else feature
        self._read = reader(self.feature)
        self._bounds = Bounds(feature) if is_bounded(feature) else None
        self._clean = _CLEAN[feature.type]
        if feature.domain is not None and feature.type in ("integer", "float", "boolean"):
            self._clean = _clean_none

    def __call__(self, column: Column) -> Judged:
        """Judge one column."""
        if isinstance(column, list):
            rest, unclean = np.arange(len(column)), distinct(column)
        else:
            rest = np.flatnonzero(~self._clean(column, self.feature, self._bounds))
            unclean = distinct(column.take(pa.array(rest)))
        read = [self._judge(value) for value in unclean.values]
        hits = _hits(rest, unclean.codes, read)
        if self.feature.type == "timestamp":
            return Judged(hits, times=_times(column, rest, unclean, read))
        if self.feature.type in ("integer", "float"):
            return Judged(hits, numbers=_numbers(column))
        return Judged(hits)

    def _judge(self, value: Any) -> _Read:
        try:
            decoded = self._read(value)
        except InvalidRequest as error:
            return _Read(None, error.breach)
        if self._bounds is not None and self._bounds.outside([decoded]):
            breach = Breach(self._bounds.rule, inside(self.feature), shown(value))
            return _Read(decoded, breach, "allowed")
        return _Read(decoded)


def _hits(rest: Places, codes: Places, read: Sequence[_Read]) -> list[BrokenRule]:
    """Group the rows ``rest`` by the rule they break; ``codes`` are their indices in ``read``."""
    groups: dict[tuple[Rule, str, Level], list[int]] = defaultdict(list)
    for code, (_, breach, level) in enumerate(read):
        if breach is not None:
            groups[breach.rule, breach.expected, level].append(code)
    group_of = np.full(len(read), -1)
    for group, members in enumerate(groups.values()):
        group_of[members] = group
    rows = np.bincount(codes, minlength=len(read))
    hits = []
    for group, (key, members) in enumerate(groups.items()):
        places = np.flatnonzero(group_of[codes] == group)
        frequent = sorted(members, key=lambda code: -rows[code])
        counts: dict[str, int] = defaultdict(int)
        for code in islice(frequent, MOST_GOT):
            counts[_got(read[code])] += int(rows[code])
        examples = [_got(read[code]) for code in codes[places[:MOST_EXAMPLES]]]
        hits.append(BrokenRule(*key, rest[places], counts, examples))
    return hits


def _got(read: _Read) -> str:
    return read.breach.got if read.breach is not None else ""


def _times(column: Column, rest: Places, unclean: Distinct, read: Sequence[_Read]) -> Times:
    micros = np.zeros(len(column), dtype=np.int64)
    known = np.zeros(len(column), dtype=bool)
    if not isinstance(column, list) and pa.types.is_timestamp(column.type):
        known = _valid(column).copy()
        micros = column.cast(pa.int64()).fill_null(0).to_numpy().copy()
    values = pa.array([result.value for result in read], pa.timestamp("us", "UTC"))
    micros[rest] = values.cast(pa.int64()).fill_null(0).to_numpy()[unclean.codes]
    known[rest] = _valid(values)[unclean.codes]
    return Times(micros, known)


def _numbers(column: Column) -> npt.NDArray[np.float64]:
    if isinstance(column, list) or not is_number(column.type):
        return np.empty(0)
    numbers = pc.cast(column.drop_null(), pa.float64(), safe=False).to_numpy()
    return numbers[np.isfinite(numbers)]  # type: ignore[no-any-return]


def _clean_number(column: pa.Array, feature: Feature, bounds: Bounds | None) -> Mask:
    if not is_number(column.type):
        return _none(column)
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    clean: Mask = _valid(column) & (values >= -EXACT) & (values <= EXACT)
    if feature.type == "integer":
        low, high = map(float, integer_limits(feature.dtype))
        clean &= values == np.floor(values)
    else:
        high = float_limit(feature.dtype)
        low = -high
    if bounds is not None:
        low, high = max(low, bounds.low), min(high, bounds.high)
    clean &= (values >= low) & (values <= high)
    return clean


def _clean_boolean(column: pa.Array, feature: Feature, bounds: Bounds | None) -> Mask:
    return _valid(column) if pa.types.is_boolean(column.type) else _none(column)


def _clean_text(column: pa.Array, feature: Feature, bounds: Bounds | None) -> Mask:
    if not pa.types.is_string(column.type):
        return _none(column)
    if bounds is None or bounds.known is None:
        return _valid(column)
    return np.asarray(pc.is_in(column, pa.array(sorted(bounds.known), pa.string())))


def _clean_timestamp(column: pa.Array, feature: Feature, bounds: Bounds | None) -> Mask:
    if not pa.types.is_timestamp(column.type) or column.type.tz is None:
        return _none(column)
    first, last = years(feature.dtype)
    year = pc.year(column).fill_null(first - 1).to_numpy(zero_copy_only=False)
    return np.asarray((year >= first) & (year <= last)) & _in_zone(column, feature)


def _clean_none(column: pa.Array, feature: Feature, bounds: Bounds | None) -> Mask:
    """Call no value obviously valid: each distinct value goes to the feature's reader."""
    return _none(column)


_CLEAN: dict[str, Callable[[pa.Array, Feature, Bounds | None], Mask]] = {
    "integer": _clean_number,
    "float": _clean_number,
    "boolean": _clean_boolean,
    "string": _clean_text,
    "category": _clean_text,
    "timestamp": _clean_timestamp,
    "date": _clean_none,
    "decimal": _clean_none,
    "list": _clean_none,
}


def _none(column: pa.Array) -> Mask:
    return np.zeros(len(column), dtype=bool)


def _valid(column: pa.Array) -> Mask:
    return np.asarray(column.is_valid(), dtype=bool)


def _in_zone(column: pa.Array, feature: Feature) -> Mask:
    """Return which timestamps have the offset of the feature's zone, or any if any is accepted."""
    if not feature.own_offset_only:
        return _valid(column)
    home = column.cast(pa.timestamp("us", feature.timezone or "UTC"))
    sent, expected = (pc.local_timestamp(times).cast(pa.int64()) for times in (column, home))
    return np.asarray(pc.equal(sent, expected).fill_null(False), dtype=bool)
