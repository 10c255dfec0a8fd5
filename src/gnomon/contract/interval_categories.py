"""Intervals of numbers, such as the categories of ``pandas.cut``, and their text."""

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


def interval_text(value: Any) -> str:
    """Return the text of an interval with all digits of its ends, which pandas may shorten.

    >>> interval_text(pd.Interval(0.1, 1.0))
    '(0.1, 1.0]'
    """
    opens = "[" if value.closed in ("left", "both") else "("
    closes = "]" if value.closed in ("right", "both") else ")"
    return f"{opens}{float(value.left)!r}, {float(value.right)!r}{closes}"


def interval(text: str) -> pd.Interval[Any]:
    """Parse the text of an interval.

    Raises:
        ContractError: it is not an interval.

    >>> interval("(0.1, 1.0]")
    Interval(0.1, 1.0, closed='right')
    """
    match = _INTERVAL.fullmatch(text)
    try:
        if match is not None:
            ends = float(match[2]), float(match[3])
            return pd.Interval(*ends, closed=_CLOSED[match[1] + match[4]])
    except ValueError:
        pass
    raise ContractError(f"`{text}` is not an interval such as (0.5, 1.0]")
