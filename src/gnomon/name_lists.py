"""Lists of names, in arguments and in messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice

__all__ = ["as_names", "did_you_mean", "listed"]

MOST_LISTED = 20

MOST_COMPARED = 500
"""How many names one is compared with: each takes about 10 µs, while other requests wait."""

LONGEST_COMPARED = 60


def as_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names as a tuple; a single string is one name.

    To Python a string is a sequence of strings: without this function ``entity_key="trip"`` would
    mean the columns ``t``, ``r``, ``i`` and ``p``.

    >>> as_names("trip"), as_names(["carrier", "flight"])
    (('trip',), ('carrier', 'flight'))
    """
    return (names,) if isinstance(names, str) else tuple(names)


def closest(name: str, names: Iterable[str]) -> str | None:
    """Return the known name that a misspelt one probably means, if one is close enough.

    >>> closest("Carrier", ["carrier", "flight"]), closest("depDelay", ["dep_delay"])
    ('carrier', 'dep_delay')
    """
    if len(name) > LONGEST_COMPARED:
        return None
    return _closest(name, tuple(islice(names, MOST_COMPARED)))


@lru_cache(maxsize=1024)  # a file may have the same mistake in a million rows
def _closest(name: str, names: tuple[str, ...]) -> str | None:
    by_text = {
        _bare(known): known for known in names if abs(len(known) - len(name)) <= 2 + len(name) // 3
    }
    matches = get_close_matches(_bare(name), by_text, n=1, cutoff=0.7)
    return by_text[matches[0]] if matches else None


def did_you_mean(name: str, names: Iterable[str], form: str) -> str | None:
    """Return the question if a name is close; ``form`` is how it is written: ``"`{}`"``.

    >>> did_you_mean("nullabel", ["name", "nullable"], "`{}`")
    'did you mean `nullable`?'
    """
    suggestion = closest(name, names)
    return None if suggestion is None else f"did you mean {form.format(suggestion)}?"


def listed(names: Sequence[str], most: int = MOST_LISTED, form: str = "{}") -> str:
    """Join names for a message: the first ``most``, then how many more; each written as ``form``.

    >>> listed(["a", "b", "c"], 2, "`{}`")
    '`a`, `b` and 1 more'
    """
    more = len(names) - most
    text = ", ".join(map(form.format, names[:most]))
    return text + (f" and {more:,} more" if more > 0 else "")


def _bare(name: str) -> str:
    """Normalise a name: ``depDelay``, ``DEP_DELAY`` and ``dep-delay`` become the same."""
    return "".join(letter for letter in name.casefold() if letter.isalnum()) or name
