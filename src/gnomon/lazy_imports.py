"""Names of a package that are imported on first use, so that importing the package is fast."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

__all__ = ["lazy"]


def lazy(
    package: str, homes: Mapping[str, str], *, renamed: Mapping[str, str] = MappingProxyType({})
) -> Callable[[str], Any]:
    """Return a package's ``__getattr__`` (PEP 562).

    Args:
        package: its ``__name__``.
        homes: the submodule that defines each name.
        renamed: by former name, the present one; using the former one warns (``FutureWarning``).
    """

    def get(name: str) -> Any:
        if name in renamed:
            warnings.warn(
                f"{package}.{name} is now called {package}.{renamed[name]}",
                FutureWarning,
                stacklevel=2,
            )
            name = renamed[name]
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return get
