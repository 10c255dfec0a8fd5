"""Files and environment variables outside of an artifact that its code accesses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gnomon.artifact.vendored_code.installed_packages import in_packages, package_folders
from gnomon.compat.platform.system_folders import SYSTEM_FOLDERS

__all__ = ["OutsideReads", "watching"]

_CACHES = (".cache/matplotlib", ".config/matplotlib", ".cache/fontconfig")
"""Folders of the home directory that libraries create themselves when they are missing."""


@dataclass
class OutsideReads:
    """What was accessed; see :class:`gnomon.artifact.fresh_process.Seen`."""

    read: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)


@contextmanager
def watching(artifact: Path) -> Iterator[OutsideReads]:
    """Record the files and environment variables that the block accesses.

    Files are seen when Python opens them, by its audit hooks; files that a library opens in C are
    not seen. An audit hook cannot be removed, so this is for a process that ends soon.

    Args:
        artifact: the artifact's folder, whose files do not count.
    """
    seen = OutsideReads()
    known = _known_folders(artifact)
    written: set[str] = set()
    on = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if on and event in ("open", "sqlite3.connect"):
            path, flags = arguments[0], arguments[2] if event == "open" else 0
            if isinstance(path, str | bytes | os.PathLike):
                _note(os.fsdecode(path), flags or 0, known, written, seen)

    sys.addaudithook(hook)
    variables = os.environ
    os.environ = _Watched(variables, seen.variables)  # type: ignore[assignment]  # noqa: B003
    try:
        yield seen
    finally:
        on = False
        os.environ = variables  # noqa: B003
        # Not in the hook, because this itself reads files that installers wrote.
        seen.read = {path for path in seen.read if not in_packages(Path(path))}


def _note(
    name: str, flags: int, known: tuple[str, ...], written: set[str], seen: OutsideReads
) -> None:
    if os.path.abspath(name).startswith(known):  # Packages may be links to a tool's cache.
        return
    path = os.path.realpath(name)
    if path.startswith(known) or path in written:
        return
    if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        written.add(path)
    elif not os.path.lexists(path):
        seen.missing.add(name)
    elif os.path.isfile(path):
        seen.read.add(path)


def _known_folders(artifact: Path) -> tuple[str, ...]:
    """Return the folders of the artifact, Python, installed packages and the system."""
    installed = package_folders()
    ours = Path(__file__).parents[2]
    caches = [Path.home() / name for name in _CACHES]
    folders = [artifact, ours, sys.prefix, sys.base_prefix, *installed, *caches, *SYSTEM_FOLDERS]
    named = [os.path.abspath(str(folder)) for folder in folders if folder]
    found = {*named, *map(os.path.realpath, named)}
    return tuple(folder.rstrip(os.sep) + os.sep for folder in found if folder != os.sep)


class _Watched:
    """The environment, which records the names that are looked up and not set."""

    def __init__(self, variables: Any, missing: set[str]) -> None:
        self._variables, self._missing = variables, missing

    def __getitem__(self, name: str) -> str:
        self._ask(name)
        return str(self._variables[name])

    def __contains__(self, name: object) -> bool:
        self._ask(name)
        return name in self._variables

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, as :meth:`dict.get` does."""
        self._ask(name)
        return self._variables.get(name, default)

    def _ask(self, name: object) -> None:
        if isinstance(name, str) and name not in self._variables:
            self._missing.add(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._variables, name)

    def __setitem__(self, name: str, value: str) -> None:
        self._variables[name] = value

    def __delitem__(self, name: str) -> None:
        del self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)
