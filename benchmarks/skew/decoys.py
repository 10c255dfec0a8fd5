"""Differences that do no harm, and none at all: nothing may be blamed.

In a *decoy* the table keeps its features in another form than they were used in, and the answers
differ for a real reason besides: only that may be named. A *control* has no fault; its requests
come in small batches, as they do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.skew.faults import FAULTS
from benchmarks.skew.truth import Fault, NotApplicable, Sides, Truth

__all__ = ["CONTROLS"]

REAL = ("offset", "unit", "power of ten", "look-up fails", "label form", "clipped above")
"""What really makes the answers differ in a decoy, one of them."""


def _nothing(_: Sides) -> list[Truth]:
    """Both sides are the same."""
    return []


def _last_bits(sides: Sides) -> list[Truth]:
    """The answers differ within the tolerance."""
    sides.noise = 1e-13
    return []


def _stored(change: Callable[[pd.Series], pd.Series]) -> Callable[[Sides], list[Truth]]:
    def put(sides: Sides) -> list[Truth]:
        """Store every number in another form, once the offline answers are computed."""
        for name in [*sides.data.numbers, *sides.data.unused]:
            new = change(sides.offline[name])
            if not new.equals(sides.offline[name]):
                sides.stored[name] = new
        if not sides.stored:
            raise NotApplicable
        for at in sides.rng.permutation(len(REAL)):
            try:
                return FAULTS[REAL[int(at)]].put(sides)
            except NotApplicable:
                continue
        raise NotApplicable

    return put


def _float32(values: pd.Series) -> pd.Series:
    return values.astype(np.float32).astype(float)


def _rounded(values: pd.Series) -> pd.Series:
    size = float(values.abs().median()) or 1.0
    return values.round(int(np.clip(3 - np.floor(np.log10(size)), 0, 6)))


def _ignored(sides: Sides) -> list[Truth]:
    """Both sides have a column that the model ignores, one of them with other values."""
    for name in sides.data.unused:
        sides.online[name] = sides.online[name].round(-2)
    if not sides.data.unused:
        raise NotApplicable
    return FAULTS["offset"].put(sides)


CONTROLS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("healthy", True, _nothing, ("whole",), "healthy"),
        Fault("healthy, last bits", True, _last_bits, ("whole",), "healthy"),
        Fault("table in float32", True, _stored(_float32), ("whole", "since"), "decoy"),
        Fault("table rounded", True, _stored(_rounded), ("whole", "since"), "decoy"),
        Fault("table filled", True, _stored(lambda v: v.fillna(0.0)), ("whole", "since"), "decoy"),
        Fault("ignored column", True, _ignored, ("whole", "since"), "decoy"),
    )
}
"""Controls and decoys."""
