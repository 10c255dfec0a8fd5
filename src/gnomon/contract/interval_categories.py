"""Intervals of numbers, such as the categories of ``pandas.cut``, and their text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from gnomon.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["interval", "interval_spellings", "interval_text"]

_INTERVAL = re.compile(r"([\[(])(.+), (.+)([\])])")
_CLOSED: dict[str, Literal["left", "right", "both", "neither"]] = {
    "(]": "right",
    "[)": "left",
    "[]": "both",
    "()": "neither",
}


def interval_text(value: Any) -> str:
    """Return the text of an interval with all digits of its ends, which pandas may shorten.

    >>> import pandas as pd
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
    import pandas as pd  # not to read a request

    match = _INTERVAL.fullmatch(text)
    try:
        if match is not None:
            ends = float(match[2]), float(match[3])
            return pd.Interval(*ends, closed=_CLOSED[match[1] + match[4]])
    except ValueError:
        pass
    raise ContractError(f"`{text}` is not an interval such as (0.5, 1.0]")


def interval_spellings(domain: Sequence[str]) -> dict[str, str]:
    """Return other texts of intervals, with the text of a contract for each.

    pandas writes whole numbers without a point where the bins of ``pandas.cut`` are integers.

    >>> interval_spellings(["(0.0, 10.0]", "(10.0, 12.5]"])
    {'(0, 10]': '(0.0, 10.0]'}
    """
    spellings = {}
    for text in domain:
        if (match := _INTERVAL.fullmatch(text)) is not None:
            ends = float(match[2]), float(match[3])
            if all(end.is_integer() for end in ends):
                spellings[f"{match[1]}{int(ends[0])}, {int(ends[1])}{match[4]}"] = text
    return spellings
