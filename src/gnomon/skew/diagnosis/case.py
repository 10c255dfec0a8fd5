"""One column on both sides, its context, and the proposals that causes make for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.offline.shifts import Shift
from gnomon.skew.diagnosis.replaced_inputs import numbers
from gnomon.tolerances import close

__all__ = [
    "CONFIRMED",
    "Case",
    "Mask",
    "Proposal",
    "RowContext",
    "Version",
    "is_numeric",
    "spread",
]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

CONFIRMED = 0.99
"""The share of rows whose mismatch must disappear. It is below 1 because some rows may differ for a
second reason; the report names those."""

FEWEST_ROWS = 8
"""With fewer differing rows, any pattern may be chance."""

FEWEST_VALUES = 3
"""With fewer distinct values, "always 1 higher" says no more than "different"."""


@dataclass(frozen=True, slots=True)
class Version:
    """The right side's values of a column as of a time shifted from each row's time.

    Attributes:
        shift: the shift in time.
        values: the value for each row; null where there is no such version.
        known: the time from which each value was known, in hours since 1970.
    """

    shift: Shift
    values: pa.Array
    known: Floats


@dataclass(frozen=True, slots=True)
class RowContext:
    """What is known about the rows of a case in addition to the column itself.

    Attributes:
        row_times: the time of each row, in hours since 1970: the event time, or the arrival where
            there is none.
        feature_times: each timestamp feature as it was online, in hours since 1970.
        zones: time zones that the contract names.
        outputs: the online answers as numbers; a label with two classes is 0 or 1.
        groups: groupings by which a row may have a history, most specific first: a name, and a code
            for each row.
        domains: the values of text features that training saw.
        label: the label (ground truth), as a number; None where it is unknown.
        known: when the right side's value was known, in hours since 1970; None where it is unknown.
        versions: returns a column's earlier and later values, the likeliest first.
    """

    row_times: Floats
    feature_times: Mapping[str, Floats] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    outputs: Mapping[str, Floats] = field(default_factory=dict)
    groups: Sequence[tuple[str, Places]] = ()
    domains: Mapping[str, frozenset[str]] = field(default_factory=dict)
    label: Floats | None = None
    known: Floats | None = None
    versions: Callable[[str], Iterable[Version]] = lambda _: ()


@dataclass(frozen=True)
class Case:
    """One column to be explained, with the means to test causes on it.

    Attributes:
        column: its name.
        kind: ``feature`` (as decoded), ``step`` or ``output``.
        left: its values on the left.
        right: its values on the right, for the same rows.
        differs: the rows to be explained.
        agrees: rows on which the two sides agree.
        seen: the rows that parameters may be fitted on; None for all. A cause must hold on the
            others too.
        agree: the tolerance for numbers: a function of two arrays that returns a mask.
        context: the context of the rows.
        names: the names of the two sides.
        moved: runs the left side's code again with a timestamp feature replaced on the given rows,
            and returns their values of the column. None where there is no code to run.
        raw_null: rows on which an input of the column's step is null.
    """

    column: str
    kind: Literal["feature", "step", "output"]
    left: pa.Array
    right: pa.Array
    differs: Mask
    agrees: Mask
    agree: Callable[[Floats, Floats], Mask]
    context: RowContext
    names: tuple[str, str] = ("online", "offline")
    moved: Callable[[str, Places, Floats], Floats] | None = None
    raw_null: Mask | None = None
    seen: Mask | None = None

    @cached_property
    def left_numbers(self) -> Floats:
        """The left side as numbers; null is NaN, and so is text."""
        return _floats(self.left)

    @cached_property
    def right_numbers(self) -> Floats:
        """The right side as numbers."""
        return _floats(self.right)

    @cached_property
    def left_null(self) -> Mask:
        """Rows without a value on the left."""
        return _nulls(self.left)

    @cached_property
    def right_null(self) -> Mask:
        """Rows without a value on the right."""
        return _nulls(self.right)

    @cached_property
    def finite(self) -> Mask:
        """Rows that are finite numbers on both sides, whether they differ or not."""
        finite: Mask = np.isfinite(self.left_numbers) & np.isfinite(self.right_numbers)
        return finite

    @cached_property
    def both(self) -> Mask:
        """Rows to be explained that are finite numbers on both sides."""
        return self.differs & self.finite

    @cached_property
    def fitted(self) -> Mask:
        """Those of :attr:`differs` that parameters may be fitted on."""
        return self.differs if self.seen is None else self.differs & self.seen

    @property
    def is_numeric(self) -> bool:
        """Whether both sides are numbers."""
        return is_numeric(self.left.type) and is_numeric(self.right.type)

    @property
    def is_timestamp(self) -> bool:
        """Whether the column is a point in time."""
        return bool(
            pa.types.is_timestamp(self.left.type) and pa.types.is_timestamp(self.right.type)
        )

    @property
    def is_text(self) -> bool:
        """Whether the column is text."""
        return _is_text(self.left.type) and _is_text(self.right.type)

    @property
    def enough(self) -> float:
        """How many rows a cause must explain at least: a pattern on fewer may be chance."""
        return max(FEWEST_ROWS, 0.2 * int(self.differs.sum()))

    def is_enough(self, holds: Mask) -> bool:
        """Whether a relation that holds on these rows explains so many that differ."""
        return bool((holds & self.differs).sum() >= self.enough)

    def of(self, differs: Mask, seen: Mask | None = None) -> Case:
        """Return the same case with fewer rows to explain, or to fit parameters on."""
        return replace(self, differs=differs, seen=seen)

    def exchanged(self) -> Case:
        """Return the case with the right values of differing rows exchanged between them.

        What holds then, too, says nothing of the values of one row.
        """
        rows = np.flatnonzero(self.differs)
        places = np.arange(len(self.differs))
        places[rows] = np.random.default_rng(1).permutation(rows)
        return replace(self, right=self.right.take(pa.array(places)))

    def has_pattern(self, among: Mask, *, values: int = FEWEST_VALUES) -> bool:
        """Whether there are enough rows and distinct values for a pattern to be significant."""
        among = among & self.differs
        left, right = self.left_numbers[among], self.right_numbers[among]
        distinct = max(len(np.unique(left)), len(np.unique(right)))
        return len(left) >= FEWEST_ROWS and distinct >= values

    def near(self, left: Floats, right: Floats) -> Mask:
        """Compare numbers with the tolerance, or with that of rounding errors if it is wider."""
        return self.agree(left, right) | close(left, right)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A recognised cause: a relation between the two sides, and the rows on which it holds.

    Attributes:
        cause: the name of the cause.
        finding: text about the difference; follows the left side's name and the column's.
        undone: text on how it was undone; begins a sentence.
        action: what to do about it.
        holds: rows that agree once it is undone, whether they differ or not. A row that agrees and
            would not is one that the cause left alone.
        parameters: how many numbers or labels were fitted to the rows.
        of_one_side: the right value of a row does not occur in it, so that exchanging these values
            between rows says nothing.
        is_named: whether it is a cause; else it describes the relation, and the cause is unknown.
        needs_all: it is believed only if it explains all rows: on a part of them it may be chance.
        moved: the timestamp feature that was replaced, and its new values.
        second: a second cause on the same rows, undone after this one.
    """

    cause: str
    finding: str
    undone: str
    action: str
    holds: Mask
    parameters: int = 1
    of_one_side: bool = False
    is_named: bool = True
    needs_all: bool = False
    moved: tuple[str, Floats] | None = None
    second: Proposal | None = None


def is_numeric(type_: pa.DataType) -> bool:
    """Whether a type is an integer, a float, a decimal or a boolean."""
    types = pa.types
    return bool(
        types.is_integer(type_)
        or types.is_floating(type_)
        or types.is_boolean(type_)
        or types.is_decimal(type_)
    )


def _is_text(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_string_view(type_)
    )


def _floats(values: pa.Array) -> Floats:
    if is_numeric(values.type) or pa.types.is_timestamp(values.type):
        return numbers(values)
    return np.full(len(values), np.nan)


def _nulls(values: pa.Array) -> Mask:
    nulls: Mask = pc.is_null(values, nan_is_null=True).to_numpy(zero_copy_only=False)
    return nulls


def spread(mask: Mask, most: int) -> Places:
    """Return the rows of a mask; if there are more than ``most``, that many, evenly spaced."""
    rows = np.flatnonzero(mask)
    if len(rows) <= most:
        return rows
    chosen: Places = rows[np.linspace(0, len(rows) - 1, most).astype(int)]
    return chosen
