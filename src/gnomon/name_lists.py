"""Lists of names as callers write them."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["as_names"]


def as_names(given: str | Iterable[str]) -> tuple[str, ...]:
    """The names as a tuple; a single string is one name.

    A string is a sequence of strings to Python, so that without this ``entity_key="trip"`` would
    mean the columns ``t``, ``r``, ``i`` and ``p``.

    >>> as_names("trip"), as_names(["carrier", "flight"])
    (('trip',), ('carrier', 'flight'))
    """
    return (given,) if isinstance(given, str) else tuple(given)
