"""Attributes that skops cannot store: which step has one, and what to keep instead."""

from __future__ import annotations

import copyreg
import re
import sys
from collections import defaultdict
from enum import Enum
from logging import Logger
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from gnomon.artifact.vendored_code.installed_packages import in_packages
from gnomon.compat.skops import is_stored_by_state, load_here, values_on_the_way, write
from gnomon.errors import GnomonError, PackRefused

__all__ = ["cannot_store", "check_storable", "key_as_text"]

_PICKLE = 'or pack with serializer="pickle" if every place that loads the artifact may run its code'
_KEEP = {
    "Series": "as an array or a dictionary, `.to_numpy()` or `.to_dict()`",
    "DataFrame": 'as an array or a dictionary, `.to_numpy()` or `.to_dict("list")`',
    "CategoricalDtype": "as its categories, `.categories.tolist()`",
}
_TIMES = {
    "Timestamp": "keep its `.isoformat()`, and make it again where it is used: pd.Timestamp(text)",
    "Timedelta": "keep its `.total_seconds()`",
    "Period": "keep its text, `str(period)`, and make it again where it is used: pd.Period(text)",
    "NaTType": "keep None instead",
}
"""Of pandas: what to keep of them instead."""


_PLAIN: Any = object


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
    if isinstance(value, FunctionType) and _is_method(value):
        raise _NotStored(
            f"the method {value.__qualname__}, which skops cannot find by its name",
            f"call it in a function of your own module: def step(X): return X.{value.__name__}()",
        )
    if isinstance(value, Logger):
        raise _NotStored(f"{_a(value)}", "get it where it is used: logging.getLogger(__name__)")
    if _top(value) == "pandas" and _is_array_without_state(value):
        raise _NotStored(f"{_a(value)}, which skops does not load as it was", _instead(value))
    if _top(value) == "pandas" and type(value).__name__ in _KEEP and is_stored_by_state(value):
        raise _NotStored(_a(value), _instead(value))
    if isinstance(value, dict | list | set | tuple) and (lost := _lost_attribute(value)):
        raise _NotStored(
            f"{_a(value)} with an attribute of its own, `{lost}`, which skops loses",
            "keep that in an attribute of the step",
        )
    _check_keys(value)
    if _says_how_it_is_made(value):
        _check_comes_back(value)


def _lost_attribute(value: Any) -> str | None:
    """Return an attribute of a collection that an empty one of its class does not have like it.

    skops makes an empty one and fills it: a ``Bunch`` has its attributes again.
    """
    attributes: dict[str, Any] = getattr(value, "__dict__", {})
    if not attributes:
        return None
    try:
        made = vars(type(value)())
        return next((n for n, own in attributes.items() if n not in made or made[n] != own), None)
    except Exception:  # the user's code, or values that are compared one by one
        return next(iter(attributes))


def _is_method(function: FunctionType) -> bool:
    """Return whether a function is found in a class, not in a module, as ``DataFrame.abs`` is.

    skops stores the module and the last part of the name. What no name leads to, such as a lambda,
    is refused where its code is searched for.
    """
    named = function.__qualname__
    return (
        "." in named
        and "<" not in named
        and not hasattr(sys.modules.get(function.__module__), function.__name__)
    )


def _is_array_without_state(value: Any) -> bool:
    """Return whether a value is an array of pandas that skops does not fill again.

    Such as ``column.unique()`` of a column of text or categories: the categories come back without
    their type, and an array of Arrow ends the process that reads it. Those of numbers with nulls
    are two attributes, which skops stores.
    """
    kinds = {kind.__name__ for kind in type(value).__mro__}
    return "ExtensionArray" in kinds and "BaseMaskedArray" not in kinds


def _says_how_it_is_made(value: Any) -> bool:
    """Return whether an object is made again by a call, with items, or as another kind of array.

    skops stores the attributes of an object, and only some of these calls.
    """
    kind: Any = type(value)
    if isinstance(value, np.ndarray):
        return kind not in (np.ndarray, np.ma.MaskedArray)
    plain = kind.__reduce__ is _PLAIN.__reduce__ and kind.__reduce_ex__ is _PLAIN.__reduce_ex__
    simple = isinstance(value, str | int | float | None)
    plain = plain and kind not in copyreg.dispatch_table
    return not (plain or simple or isinstance(value, type)) and is_stored_by_state(value)


def _check_comes_back(value: Any) -> None:
    """See that an object is the same after skops stored and loaded it: a deque would be empty.

    See ``object.__reduce__``: it names a function, its arguments, a state, and items to add. skops
    stores the state, and the arguments only if the function is the object's class.
    """
    kind: Any = type(value)
    try:
        reduced = copyreg.dispatch_table.get(kind, kind.__reduce__)(value)
        made_by, arguments, *rest = reduced
        if made_by is kind and all(part is None for part in rest):
            return  # such as a date or a Decimal, of which there may be many
        content = write(value, lambda inner: None)
    except Exception:  # skops raises on it too, and says why
        return
    try:
        load_here(content)
    except Exception as error:
        raise _NotStored(
            f"{_a(value)}, which skops stores and cannot load ({error})", _instead(value)
        ) from error
    state, *items = rest or [None]
    added = any(part is not None for part in items)
    if not isinstance(value, np.ndarray) and (added or (state is None and len(arguments) > 1)):
        raise _NotStored(f"{_a(value)}, which skops stores without its content", _instead(value))


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
    what, hint = f"{_a(culprit)} ({error})", _instead(culprit)
    # A frame is what the user knows of; its index and blocks are inside it.
    if isinstance(error, _NotStored) and (culprit is inside[-1] or _top(culprit) != "pandas"):
        what, hint = str(error), error.hint
    if _is_learned_by_a_package(way[owner], name):
        hint = f"{type(way[owner]).__name__} keeps it; replace the step"
    return PackRefused(
        f"skops cannot store the attribute `{name}` of {type(way[owner]).__name__}: {what}",
        where=_step(pipeline, way[owner]),
        hint=f"{hint}, {_PICKLE}",
    )


def _is_learned_by_a_package(owner: Any, name: str) -> bool:
    """Return whether an attribute is neither of the user's own class nor a parameter they gave."""
    parameters: Any = getattr(owner, "get_params", dict)
    file = getattr(sys.modules.get(type(owner).__module__), "__file__", None)
    return file is not None and in_packages(Path(file)) and name not in parameters(deep=False)


def _top(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def _a(value: Any) -> str:
    kind, top = type(value), _top(value)
    return f"it contains {kind.__name__}" + ("" if top == "builtins" else f" of {top}")


def _instead(value: Any) -> str:
    kind = type(value)
    if isinstance(value, np.ndarray):
        return "keep it as a plain array, `np.array(...)`"
    if hasattr(value, "maxlen"):
        return "keep a list, `list(...)`"
    if isinstance(value, re.Pattern):
        return "keep its `.pattern`, and compile it where it is used: re.compile(text)"
    if _top(value) == "pandas":
        if getattr(getattr(value, "index", None), "nlevels", 1) > 1:
            return 'keep it as columns, `.reset_index().to_dict("list")`'
        other = "as a list, `.tolist()`" if hasattr(kind, "tolist") else "as text or numbers"
        return f"keep it {_KEEP.get(kind.__name__, other)}"
    return "keep arrays, numbers, text, lists and dictionaries in it"


def _step(pipeline: Any, owner: Any) -> str | None:
    from gnomon.pipeline.tracing import leaves  # scikit-learn, which a gateway does without.

    try:
        return next((path or None for path, step in leaves(pipeline) if step is owner), None)
    except GnomonError:
        return None
