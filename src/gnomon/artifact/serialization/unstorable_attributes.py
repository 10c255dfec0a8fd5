"""Attributes that skops cannot store: which step has one, and what to keep instead."""

from __future__ import annotations

from collections import defaultdict
from enum import Enum
from typing import Any

import numpy as np

from gnomon.compat.skops import values_on_the_way
from gnomon.errors import GnomonError, PackRefused

__all__ = ["cannot_store", "check_storable", "key_as_text"]

_PICKLE = 'or pack with serializer="pickle" if every place that loads the artifact may run its code'
_KEEP = {
    "Series": "as an array or a dictionary, `.to_numpy()` or `.to_dict()`",
    "DataFrame": 'as an array or a dictionary, `.to_numpy()` or `.to_dict("list")`',
}
_TIMES = {
    "Timestamp": "keep its `.isoformat()`, and make it again where it is used: pd.Timestamp(text)",
    "Timedelta": "keep its `.total_seconds()`",
    "Period": "keep its text, `str(period)`, and make it again where it is used: pd.Period(text)",
    "NaTType": "keep None instead",
    "NAType": "keep None instead",
}
"""Of pandas: what to keep of them instead."""


class _NotStored(Exception):
    """A value that would not come back, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def check_storable(value: Any) -> None:
    """See that a value of which skops says nothing comes back as it is.

    It stores a member of an enumeration and a time of pandas as objects that no call makes again;
    a member that is text or a number too comes back as that.
    """
    if (instead := _TIMES.get(type(value).__name__)) and _top(value) == "pandas":
        raise _NotStored(f"{_a(value)}, which skops cannot make again", instead)
    if isinstance(value, Enum) and not isinstance(value, str | int | float):
        raise _NotStored(
            f"a member of the enumeration {type(value).__name__}",
            "keep its `.value`, and make the member of it where it is used",
        )
    _check_keys(value)


def _check_keys(value: Any) -> None:
    """See that the keys of a dictionary come back as they are; anything else passes.

    skops stores keys as JSON names, and restores each by calling its type with the name. So two
    keys with the same name become one, and a key that is neither text nor a number has no name.
    """
    if not isinstance(value, dict) or all(type(key) is str for key in value):
        return
    if isinstance(value, defaultdict) and not all(isinstance(key, str) for key in value):
        raise _NotStored(
            "a defaultdict whose keys are not text",
            "keep a plain dictionary, `dict(...)`, and read it with `.get(key, default)`",
        )
    known: dict[str, Any] = {}
    for key in value:
        text = key_as_text(key)
        if text is None:
            raise _NotStored(
                f"a dictionary with the key {key!r}, which is not text, a number or a boolean",
                "convert the keys to text, or keep a list of keys and a list of values",
            )
        if text in known:
            raise _NotStored(
                f"a dictionary with the keys {known[text]!r} and {key!r}, which have the same name "
                "in JSON",
                "use keys of one type",
            )
        known[text] = key


def key_as_text(key: Any) -> str | None:
    """Return the name of a key in the file; None if the key cannot be restored from a name.

    A boolean is restored as ``bool(name)``, and only the empty name is false.
    """
    if isinstance(key, np.generic):
        key = key.item()
    if isinstance(key, bool):
        return "true" if key else ""
    if isinstance(key, str):
        return key
    return repr(key) if isinstance(key, int | float) else None


def cannot_store(pipeline: Any, error: Exception) -> PackRefused:
    """Return the refusal of a pipeline on which skops raised an error."""
    way = values_on_the_way(error.__traceback__)
    owner = max((i for i, value in enumerate(way) if hasattr(value, "fit")), default=0)
    attributes = way[owner + 1] if len(way) > owner + 2 else None
    if not isinstance(attributes, dict):
        return PackRefused(
            f"skops cannot store this pipeline: {error}", hint=f"replace the step, {_PICKLE}"
        )
    name = next(key for key, value in attributes.items() if value is way[owner + 2])
    inside = way[owner + 2 :]
    culprit = next((it for it in inside if not isinstance(it, dict | list | tuple)), inside[-1])
    what = str(error) if isinstance(error, _NotStored) else f"{_a(culprit)} ({error})"
    hint = error.hint if isinstance(error, _NotStored) else _instead(culprit)
    return PackRefused(
        f"skops cannot store the attribute `{name}` of {type(way[owner]).__name__}: {what}",
        where=_step(pipeline, way[owner]),
        hint=f"{hint}, {_PICKLE}",
    )


def _top(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def _a(value: Any) -> str:
    kind, top = type(value), _top(value)
    return f"it contains {kind.__name__}" + ("" if top == "builtins" else f" of {top}")


def _instead(value: Any) -> str:
    kind = type(value)
    if _top(value) == "pandas":
        other = "as a list, `.tolist()`" if hasattr(kind, "tolist") else "as text or numbers"
        return f"keep it {_KEEP.get(kind.__name__, other)}"
    return "keep arrays, numbers, text, lists and dictionaries in it"


def _step(pipeline: Any, owner: Any) -> str | None:
    from gnomon.pipeline.tracing import leaves  # scikit-learn, which a gateway does without.

    try:
        return next((path or None for path, step in leaves(pipeline) if step is owner), None)
    except GnomonError:
        return None
