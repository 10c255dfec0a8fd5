"""Private parts of skops that Gnomon uses.

In addition, :mod:`gnomon.artifact.serialization.skops_file` reads skops's files without skops, so
it contains the names of skops's loaders. ``tests/compat/test_skops.py`` checks both with the
installed release.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Container
from dataclasses import dataclass
from types import TracebackType
from typing import Any, cast
from zipfile import ZipFile

__all__ = [
    "import_without_estimators",
    "is_stored_by_state",
    "load_here",
    "values_on_the_way",
    "write",
]


def import_without_estimators() -> None:
    """Import skops without its list of the estimators that it trusts by default.

    To make the list skops imports all of scikit-learn: a seventh of a worker's start, and 11 MB.
    skops has no option for it. So ``sklearn.utils.all_estimators``, which skops calls when it is
    imported, is replaced during the import. Seen in skops 0.13 to 0.16. If skops calls another
    function, the list is made: that takes longer and changes nothing else.
    """
    import sklearn.utils

    all_estimators = sklearn.utils.all_estimators
    sklearn.utils.all_estimators = list
    try:
        import skops.io  # noqa: F401
    finally:
        sklearn.utils.all_estimators = all_estimators


def write(obj: Any, check: Callable[[Any], None]) -> bytes:
    """Return an object as ``skops.io.dumps`` writes it, in time linear in its size.

    skops searches for every array in the list of all members of the archive, and makes that list
    again each time. It treats NumPy scalars as arrays: the vocabulary of a ``TfidfVectorizer`` has
    one for each word, and 50,000 words took minutes.

    Args:
        obj: the object to write.
        check: called with every object inside ``obj`` before that is written; it may raise.
    """
    import skops
    from pandas import NA, CategoricalDtype, Index, Series
    from skops.io._utils import SaveContext, _get_state, get_state

    for kind in (type(NA), Index, Series, CategoricalDtype):
        _get_state.register(kind, _state_by_call)

    @dataclass(frozen=True)
    class Checked(SaveContext):  # type: ignore[misc]
        def memoize(self, obj: Any) -> int:
            check(obj)
            return cast(int, super().memoize(obj))

    buffer = io.BytesIO()
    with _Archive(buffer, "w") as archive:
        context = Checked(zip_file=archive)
        state = get_state(obj, context)
        context.clear_memo()
        state["protocol"] = context.protocol
        state["_skops_version"] = skops.__version__
        archive.writestr("schema.json", json.dumps(state))
    return buffer.getvalue()


def _state_by_call(value: Any, context: Any) -> dict[str, Any]:
    """Return a value of pandas as a call of its type; see :func:`_arguments`.

    skops would store its state: it cannot load that of ``NA``, and loads arrays of text as
    something else. Values of other kinds, such as an index of times, are left to it. Seen in 0.13
    to 0.16.
    """
    from skops.io._general import object_get_state

    arguments = _arguments(value)
    if arguments is None:
        state: dict[str, Any] = object_get_state(value, context)
        return state
    return _call(value, arguments, context)


def _arguments(value: Any) -> tuple[Any, ...] | None:
    """Return the arguments with which its type makes a value of pandas again; else None."""
    import pandas as pd

    if value is pd.NA:
        return ()
    if type(value) is pd.CategoricalDtype:
        known = value.categories is None or _arguments(value.categories) is not None
        return (value.categories, value.ordered) if known else None
    if not isinstance(value.name, str | int | None):
        return None
    if type(value) is pd.RangeIndex:
        return range(value.start, value.stop, value.step), None, None, None, False, value.name
    if type(value) not in (pd.Index, pd.Series) or isinstance(value.dtype, pd.CategoricalDtype):
        return None
    dtype = str(value.dtype)
    if value.dtype.kind not in "biufO" or pd.api.types.pandas_dtype(dtype) != value.dtype:
        return None
    if type(value) is pd.Index:
        if any(isinstance(label, tuple) for label in value):
            return None  # The call would make an index of several levels.
        return value.tolist(), dtype, False, value.name
    if value.attrs or _arguments(value.index) is None:
        return None
    is_numeric = value.dtype in ("bool", "int64", "float64")
    content = value.to_numpy() if is_numeric else value.tolist()
    return content, value.index, dtype, value.name


def _call(value: Any, arguments: tuple[Any, ...], context: Any) -> dict[str, Any]:
    """Return the node that makes a value again by calling its type."""
    from skops.io._utils import get_module, get_state

    return {
        "__class__": type(value).__name__,
        "__module__": get_module(type(value)),
        "__loader__": "ConstructorFromReduceNode",
        "content": get_state(arguments, context),
    }


def is_stored_by_state(value: Any) -> bool:
    """Return whether skops stores an object by its state alone, as it does for any other class.

    Uses ``_get_state``, a ``functools.singledispatch`` that ends at ``object_get_state``. Seen in
    0.13 to 0.16.
    """
    from skops.io._general import object_get_state
    from skops.io._utils import _get_state

    handler = _get_state.dispatch(type(value))
    if handler is _state_by_call:
        return _arguments(value) is None
    return handler is object_get_state


def load_here(content: bytes) -> Any:
    """Load what :func:`write` made in this process, which already has everything that it names."""
    from skops.io import get_untrusted_types, loads

    return loads(content, trusted=get_untrusted_types(data=content))


def values_on_the_way(traceback: TracebackType | None) -> list[Any]:
    """Return the objects that skops was writing when it raised, each inside the one before it."""
    from skops.io import _utils

    values = []
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code is _utils.get_state.__code__:
            values.append(frame.f_locals["value"])
        traceback = traceback.tb_next
    return values


class _Archive(ZipFile):
    """An archive with a fast check for whether it has a member."""

    def namelist(self) -> list[str]:
        return _Names(self.NameToInfo)


class _Names(list[str]):
    """A list of names that supports only ``in``."""

    def __init__(self, known: Container[object]) -> None:
        super().__init__()
        self._known = known

    def __contains__(self, name: object) -> bool:
        return name in self._known
