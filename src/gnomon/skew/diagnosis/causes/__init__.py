"""Named causes: each examines one column and, if it applies, proposes how to undo it.

A cause is a function from :class:`~gnomon.skew.diagnosis.case.Case` to any number of
:class:`~gnomon.skew.diagnosis.case.Proposal`. To add one, write it and put it into
:data:`CAUSES` at its place in the order of parsimony: the cause that assumes least comes first.
It must fit its parameters on :attr:`Case.fitted` alone, and say for all rows whether it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gnomon.skew.diagnosis.case import Case, Proposal
from gnomon.skew.diagnosis.causes.as_of import feedback, leakage, stale
from gnomon.skew.diagnosis.causes.categories import code_order, form, text_cut, unknown_category
from gnomon.skew.diagnosis.causes.clocks import UNTOLD, day_and_month, time_zone
from gnomon.skew.diagnosis.causes.foldings import (
    constant,
    empty_beyond,
    overflow,
    renamed,
    without_sign,
)
from gnomon.skew.diagnosis.causes.histories import of_history
from gnomon.skew.diagnosis.causes.instants import cut_to_unit, epoch_unit, shift
from gnomon.skew.diagnosis.causes.missing import filled, imputation, missing
from gnomon.skew.diagnosis.causes.numeric import float32, float_noise, rounding, truncation
from gnomon.skew.diagnosis.causes.shapes import (
    LOOSE,
    OF_A_CURVE,
    added_noise,
    bounded,
    merged_labels,
    of_other_rows,
    on_a_grid,
    one_for_one,
    per_group,
)
from gnomon.skew.diagnosis.causes.units import affine, decimal_comma, offset, unit, unit_and_digits

__all__ = ["CAUSES", "LOOSE", "OF_A_CURVE", "SHAPES", "SLOW", "UNTOLD", "Cause"]

Cause = Callable[[Case], Iterator[Proposal]]

CAUSES: tuple[Cause, ...] = (
    leakage,
    float32,
    rounding,
    truncation,
    float_noise,
    decimal_comma,
    time_zone,
    day_and_month,
    shift,
    cut_to_unit,
    epoch_unit,
    unit,
    form,
    text_cut,
    unknown_category,
    filled,
    imputation,
    missing,
    code_order,
    offset,
    affine,
    unit_and_digits,
    feedback,
    stale,
)
"""In order of parsimony: the cause that assumes least about the data comes first."""

SLOW: frozenset[Cause] = frozenset((time_zone, day_and_month, feedback, stale))
"""Causes that run code or look up other times; left out once one explains all rows."""

SHAPES: tuple[Cause, ...] = (
    without_sign,
    bounded,
    overflow,
    empty_beyond,
    constant,
    on_a_grid,
    merged_labels,
    renamed,
    per_group,
    of_history,
    of_other_rows,
    one_for_one,
    added_noise,
)
"""What describes the relation of the two sides where no cause says why rows agree."""
