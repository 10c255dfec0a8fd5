"""Importing vendored code, and nothing else under its names.

Two versions of a user's ``preprocessing.py`` in one process silently run the first one's code
twice. So the modules of an artifact come from its ``code/`` folder alone, whatever else is on the
path, and only with the bytes that were hashed; no compiled copy is read or written.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from gnomon.errors import ArtifactError
from gnomon.models.manifest import CODE, Manifest, check_hash

__all__ = ["VendoredCode"]


class VendoredCode(MetaPathFinder):
    """Finds the vendored modules of one artifact, before any other finder is asked."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder / CODE
        self._manifest = manifest

    def install(self) -> None:
        """Take the vendored names in this process.

        Raises:
            ArtifactError: one of them is already imported from another place, or belongs to
                another artifact loaded here.
        """
        self.check()
        others = [finder for finder in sys.meta_path if isinstance(finder, VendoredCode)]
        if any(other._folder == self._folder for other in others):
            return
        for other in others:
            for name in sorted(other._manifest.modules.keys() & self._manifest.modules.keys()):
                raise self._taken(name, other._folder)
        sys.meta_path.insert(0, self)

    def check(self) -> None:
        """See that every vendored module that is imported came from ``code/``.

        Raises:
            ArtifactError: one came from another place.
        """
        for name, file in self._manifest.modules.items():
            module = sys.modules.get(name)
            if module is not None and _place(module) != self._folder / file:
                raise self._taken(name, _place(module))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a vendored module, or None for every other name."""
        file = self._manifest.modules.get(fullname)
        if file is None:
            return None
        place = self._folder / file
        if file.endswith("/"):
            namespace = ModuleSpec(fullname, None, origin=str(place), is_package=True)
            namespace.submodule_search_locations = [str(place)]
            return namespace
        loader = _HashedLoader(fullname, str(place), self._manifest.files[f"{CODE}/{file}"])
        folders = [str(place.parent)] if place.name == "__init__.py" else None
        return spec_from_file_location(
            fullname, place, loader=loader, submodule_search_locations=folders
        )

    def _taken(self, name: str, place: Path | None) -> ArtifactError:
        return ArtifactError(
            f"the module `{name}` is already taken in this process, by {place}, "
            "so the artifact's own copy could not run",
            where=str(self._folder / self._manifest.modules[name]),
            hint="load it in a fresh process, or let a worker run it: gnomon.worker.WorkerClient",
        )


class _HashedLoader(SourceFileLoader):
    """Compiles a source file after checking that it is the one that was packed."""

    def __init__(self, fullname: str, path: str, expected: str) -> None:
        super().__init__(fullname, path)
        self._expected = expected

    def get_code(self, fullname: str) -> CodeType:
        """The code of the module, from its source and never from a cache."""
        source = self.get_data(self.path)
        check_hash(source, self._expected, Path(self.path))
        return self.source_to_code(source, self.path)


def _place(module: ModuleType) -> Path | None:
    """The file a module was imported from; the folder of a namespace package."""
    if file := getattr(module, "__file__", None):
        return Path(file)
    folders = list(getattr(module, "__path__", ()))
    return Path(folders[0]) if folders else None
