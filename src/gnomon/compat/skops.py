"""Private parts of skops that Gnomon uses.

Beside this, :mod:`gnomon.artifact.skops_file` reads skops's files by itself, and so knows the names
that skops gives its loaders. ``tests/compat/test_skops.py`` holds both to the installed release.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Container
from dataclasses import dataclass
from types import TracebackType
from typing import Any, cast
from zipfile import ZipFile

__all__ = ["import_without_estimators", "values_on_the_way", "write"]


def import_without_estimators() -> None:
    """Import skops without the list of the estimators that it trusts by itself.

    To make the list it imports the whole of scikit-learn: a seventh of a worker's start, and 11 MB.
    skops has no option for it, so ``sklearn.utils.all_estimators``, which it calls when it is
    imported, is another function meanwhile. Seen in skops 0.13 to 0.16. If skops asks elsewhere,
    the list is made: that takes longer and changes nothing else.
    """
    import sklearn.utils

    all_estimators = sklearn.utils.all_estimators
    sklearn.utils.all_estimators = list
    try:
        import skops.io  # noqa: F401
    finally:
        sklearn.utils.all_estimators = all_estimators


def write(obj: Any, check: Callable[[Any], None]) -> bytes:
    """An object as ``skops.io.dumps`` writes it, in time that grows with its size.

    skops looks for every array in the list of all members of the archive, which is made anew each
    time. Numbers of NumPy are arrays to it: the vocabulary of a ``TfidfVectorizer`` has one for
    each word, and 50,000 words took minutes.

    Args:
        obj: what to write.
        check: is called with every object inside it before that is written, and may raise.
    """
    import skops
    from skops.io._utils import SaveContext, get_state

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


def values_on_the_way(traceback: TracebackType | None) -> list[Any]:
    """The objects that skops was writing when it raised, each inside the one before it."""
    from skops.io import _utils

    found = []
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code is _utils.get_state.__code__:
            found.append(frame.f_locals["value"])
        traceback = traceback.tb_next
    return found


class _Archive(ZipFile):
    """Knows quickly whether it has a member."""

    def namelist(self) -> list[str]:
        return _Names(self.NameToInfo)


class _Names(list[str]):
    """Names of which only whether one is among them is asked."""

    def __init__(self, known: Container[object]) -> None:
        super().__init__()
        self._known = known

    def __contains__(self, name: object) -> bool:
        return name in self._known
