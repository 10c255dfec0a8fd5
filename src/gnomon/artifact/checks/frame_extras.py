"""What a pipeline reads from a frame in addition to its columns; requests do not bring it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from gnomon.errors import PackRefused
from gnomon.name_lists import listed

__all__ = ["changed_rows", "made_of", "reads_frame_extras"]

_SHOWN = 5


def reads_frame_extras(
    rows: pd.DataFrame, differs: Callable[[pd.DataFrame], bool]
) -> PackRefused | None:
    """Refuse a pipeline whose answers depend on the frame's class, its ``attrs`` or its index.

    Args:
        rows: rows of the training frame.
        differs: whether the answers for a frame of the same columns differ, or it raises.

    Returns:
        The refusal; None if the answers depend on none of them.
    """
    for plain, message, hint in _without(rows):
        if differs(plain):
            return PackRefused(message, where="X", hint=hint)
    return None


def made_of(X: Any) -> str:  # noqa: N803
    """Return what to do about a frame of another class than pandas' own; empty for pandas' own."""
    kind = type(X)
    if not isinstance(X, pd.DataFrame) or kind is pd.DataFrame:
        return ""
    return (
        f"X is a {kind.__module__}.{kind.__qualname__}, and requests become a pandas.DataFrame: "
        "convert it in the first step, and fit the pipeline on a pandas.DataFrame"
    )


def changed_rows(call: Callable[[Any], Any], given: Any) -> PackRefused | None:
    """Refuse a pipeline that modifies the rows it is given; None if it does not."""
    before = given.copy()
    call(given)
    if isinstance(given, pd.DataFrame):
        others = (n for n in given if n not in before or not given[n].equals(before[n]))
        changed = [str(name) for name in (*others, *(n for n in before if n not in given))]
        what = f"column {listed(changed, _SHOWN, '`{}`')}" if changed else ""
    else:
        same = (
            given.equals(before) if isinstance(given, pd.Series) else np.array_equal(given, before)
        )
        what = "" if same else "the array"
    if not what:
        return None
    return PackRefused(
        "the pipeline modifies the rows it is given, so it answers them differently the second "
        "time",
        where=what,
        hint="let the step that does it work on a copy: X = X.copy()",
    )


def _without(rows: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, str, str]]:
    """Yield the rows without one more extra each time, with the message and hint if it matters."""
    plain = rows
    if made := made_of(rows):
        plain = pd.DataFrame(plain)
        yield plain, "the pipeline uses more of the frame than its columns: its class", made
    if rows.attrs:
        plain = plain.copy()
        plain.attrs = {}
        yield (
            plain,
            f"the pipeline reads {listed([*map(str, rows.attrs)], _SHOWN, '`{}`')} of `X.attrs`, "
            "which requests do not bring",
            "keep it in an attribute of the step when it is fitted",
        )
    if not isinstance(rows.index, pd.RangeIndex):
        plain = plain.reset_index(drop=True)
        yield (
            plain,
            "the pipeline reads the index of X, which requests do not bring",
            "make a column of it, and read that: X = X.reset_index()",
        )
