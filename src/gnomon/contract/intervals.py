"""Intervals of numbers, as ``pandas.cut`` makes categories of them, and as text."""

from __future__ import annotations

import re
from typing import Any, Literal

import pandas as pd

from gnomon.errors import ContractError

__all__ = ["interval", "interval_text"]

_INTERVAL = re.compile(r"([\[(])(.+), (.+)([\])])")
_CLOSED: dict[str, Literal["left", "right", "both", "neither"]] = {
    "(]": "right",
    "[)": "left",
    "[]": "both",
    "()": "neither",
}


def interval_text(given: Any) -> str:
    """An interval with its ends in full, where pandas may shorten them.

    >>> interval_text(pd.Interval(0.1, 1.0))
    '(0.1, 1.0]'
    """
    opens = "[" if given.closed in ("left", "both") else "("
    closes = "]" if given.closed in ("right", "both") else ")"
    return f"{opens}{float(given.left)!r}, {float(given.right)!r}{closes}"


def interval(text: str) -> pd.Interval[Any]:
    """The interval that a text is.

    Raises:
        ContractError: it is none.

    >>> interval("(0.1, 1.0]")
    Interval(0.1, 1.0, closed='right')
    """
    found = _INTERVAL.fullmatch(text)
    try:
        if found is not None:
            ends = float(found[2]), float(found[3])
            return pd.Interval(*ends, closed=_CLOSED[found[1] + found[4]])
    except ValueError:
        pass
    raise ContractError(f"`{text}` is no interval such as (0.5, 1.0]")
