"""Lists of names: as callers write them, and as messages do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice

__all__ = ["as_names", "did_you_mean", "listed"]

MOST_LISTED = 20

MOST_COMPARED = 500
"""Names that one is compared with: each takes some 10 µs, and a server answers others meanwhile."""

LONGEST_COMPARED = 60


def as_names(given: str | Iterable[str]) -> tuple[str, ...]:
    """The names as a tuple; a single string is one name.

    A string is a sequence of strings to Python, so that without this ``entity_key="trip"`` would
    mean the columns ``t``, ``r``, ``i`` and ``p``.

    >>> as_names("trip"), as_names(["carrier", "flight"])
    (('trip',), ('carrier', 'flight'))
    """
    return (given,) if isinstance(given, str) else tuple(given)


def closest(name: str, names: Iterable[str]) -> str | None:
    """The one of some names that a name was probably meant to be, if one is near.

    >>> closest("Carrier", ["carrier", "flight"]), closest("depDelay", ["dep_delay"])
    ('carrier', 'dep_delay')
    """
    if len(name) > LONGEST_COMPARED:
        return None
    return _closest(name, tuple(islice(names, MOST_COMPARED)))


@lru_cache(maxsize=1024)  # a file may have one mistake in a million rows
def _closest(name: str, names: tuple[str, ...]) -> str | None:
    by_text = {
        _bare(known): known for known in names if abs(len(known) - len(name)) <= 2 + len(name) // 3
    }
    near = get_close_matches(_bare(name), by_text, n=1, cutoff=0.7)
    return by_text[near[0]] if near else None


def did_you_mean(name: str, names: Iterable[str], form: str) -> str | None:
    """The question, if one of the names is near; ``form`` is how one is written: ``"`{}`"``.

    >>> did_you_mean("nullabel", ["name", "nullable"], "`{}`")
    'did you mean `nullable`?'
    """
    near = closest(name, names)
    return None if near is None else f"did you mean {form.format(near)}?"


def listed(names: Sequence[str], most: int = MOST_LISTED, form: str = "{}") -> str:
    """Names in a message: the first, and how many more there are; ``form`` is how one is written.

    >>> listed(["a", "b", "c"], 2, "`{}`")
    '`a`, `b` and 1 more'
    """
    more = len(names) - most
    shown = ", ".join(map(form.format, names[:most]))
    return shown + (f" and {more:,} more" if more > 0 else "")


def _bare(name: str) -> str:
    """A name as it is compared: ``depDelay``, ``DEP_DELAY`` and ``dep-delay`` are one."""
    return "".join(letter for letter in name.casefold() if letter.isalnum()) or name
