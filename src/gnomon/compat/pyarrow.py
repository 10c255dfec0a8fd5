"""The import of pandas that pyarrow makes by itself."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

import pyarrow as pa

__all__ = ["leave_pandas_out"]


def leave_pandas_out() -> None:
    """Prevent pyarrow from importing pandas in this process, which never needs it.

    To recognize a pandas series, pyarrow imports pandas when it makes the first array: that takes
    half a second on the gateway's event loop, and 45 MB. It tries once, and assumes that pandas is
    not installed if that fails. Afterwards arrays cannot be converted to pandas in this process,
    although pandas itself can be imported. Does nothing if pandas is already imported. Seen in
    pyarrow 25.
    """
    if "pandas" in sys.modules:
        return
    hidden = _WithoutPandas()
    sys.meta_path.insert(0, hidden)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(hidden)


class _WithoutPandas(MetaPathFinder):
    """An import hook that makes pandas appear not installed."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out", name=fullname)
        return None
