"""What pyarrow imports by itself."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

import pyarrow as pa

__all__ = ["leave_pandas_out"]


def leave_pandas_out() -> None:
    """Keep pyarrow from importing pandas in this process, which never needs it.

    To tell whether it was given a series, pyarrow imports pandas as it makes the first array: half
    a second on the gateway's event loop, and 45 MB. It tries once, and takes pandas for not
    installed when that fails. Afterwards arrays cannot be converted to pandas in this process,
    though pandas itself can be imported. Does nothing where pandas is imported already. Seen in
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
    """As if pandas were not installed."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out", name=fullname)
        return None
