"""The folders of installed packages, to distinguish them from the user's own code."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from functools import lru_cache
from importlib import metadata
from pathlib import Path

__all__ = ["holds_packages", "in_packages", "package_folders"]

_NAMES = ("site-packages", "dist-packages")
"""The names of such folders, also in another environment, which a ``.pth`` file or ``PYTHONPATH``
may put on the path."""


def package_folders() -> list[str]:
    """Return the standard library's folders and those that contain only installed packages."""
    folders = [sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    folders += [path for path in sys.path if Path(path).name in _NAMES]
    return list(dict.fromkeys(folder for folder in folders if folder))


def in_packages(place: Path) -> bool:
    """Return whether a module's file or folder belongs to an installed package.

    It does in the folders of packages, and in any other folder where an installer has recorded the
    module (``pip install --target``). An editable install records a link, not the code.
    """
    # Some installers put links to a cache there: neither link nor target is the user's own code.
    places = (place.absolute(), place.resolve())
    folders = [Path(folder).resolve() for folder in package_folders()]
    if any(at.is_relative_to(folder) for folder in folders for at in places):
        return True
    return any(
        at.is_relative_to(path) and at.relative_to(path).parts[:1] in _recorded(str(path))
        for path in map(Path, map(os.path.abspath, sys.path))
        for at in places
    )


def holds_packages(path: str) -> bool:
    """Return whether an installer has put packages into this entry of ``sys.path``."""
    return Path(path).name in _NAMES or bool(_recorded(os.path.abspath(path)))


@lru_cache(maxsize=64)
def _recorded(folder: str) -> frozenset[tuple[str, ...]]:
    """Return the modules and packages that installers recorded in a folder, by first path part."""
    return frozenset(
        file.parts[:1]
        for one in metadata.distributions(path=[folder])
        if one.read_text("RECORD")
        for file in one.files or ()
        if file.parts[0] != ".."
    )
