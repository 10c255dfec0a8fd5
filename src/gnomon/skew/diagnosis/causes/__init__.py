"""Named causes: each examines one column and, if it applies, proposes how to undo it.

A cause is a function from :class:`~gnomon.skew.diagnosis.case.Case` to any number of
:class:`~gnomon.skew.diagnosis.case.Proposal`. To add one, write it and put it into
:data:`CAUSES` at its place in the order of parsimony: the cause that assumes least comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gnomon.skew.diagnosis.case import Case, Proposal
from gnomon.skew.diagnosis.causes.as_of import feedback, leakage, stale
from gnomon.skew.diagnosis.causes.categories import code_order, form, text_cut, unknown_category
from gnomon.skew.diagnosis.causes.clocks import day_and_month, time_zone
from gnomon.skew.diagnosis.causes.missing import imputation, missing
from gnomon.skew.diagnosis.causes.numeric import float32, float_noise, rounding, truncation
from gnomon.skew.diagnosis.causes.units import affine, decimal_comma, offset, unit, unit_and_digits

__all__ = ["CAUSES", "Cause"]

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
    unit,
    form,
    text_cut,
    unknown_category,
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
