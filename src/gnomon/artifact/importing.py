"""The import of vendored code, which prevents other modules under its names.

With two versions of a user's ``preprocessing.py`` in one process, the first one's code would
silently run for both. So the modules of an artifact come only from its ``code/`` folder, whatever
else is on the path. Their source is exactly the bytes that were hashed, which are kept in memory;
no compiled copy is read or written.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from gnomon.artifact.folder import MOST_DOCUMENT_BYTES, ArtifactFolder
from gnomon.artifact.manifest import CODE, Manifest
from gnomon.errors import ArtifactCorrupt, ArtifactError
from gnomon.printable import printable

__all__ = ["VendoredCode", "check_modules"]

_TAKEN = frozenset(
    {
        *("gnomon", "sitecustomize", "usercustomize", "__main__"),
        *("numpy", "scipy", "sklearn", "pandas", "pyarrow", "skops", "joblib", "threadpoolctl"),
        *("msgspec", "dateutil", "tzdata", "bentoml", "_bentoml_sdk", "_bentoml_impl"),
        *("cryptography", "cffi"),
    }
)
"""Packages that run in every worker in addition to the standard library: code under these names
would run instead of the trusted packages."""


def check_modules(manifest: Manifest, where: str) -> None:
    """Refuse vendored modules whose names are misleading.

    Raises:
        ArtifactCorrupt: one has the name of another package, or its file is another module's.
    """
    for name, file in manifest.modules.items():
        top = name.partition(".")[0]
        if top in _TAKEN or top in sys.stdlib_module_names or top in sys.builtin_module_names:
            raise ArtifactCorrupt(
                f"its own code has a module `{printable(name)}`, which would run instead of "
                f"the package `{top}`",
                where=where,
                hint="do not load it; find out who changed it. If it is your own, rename it",
            )
        if not _belongs(name, file, manifest):
            raise ArtifactCorrupt(
                f"the module `{printable(name)}` is not the file {printable(file)!r}",
                where=where,
                hint="do not load it; find out who changed it",
            )


def _belongs(name: str, file: str, manifest: Manifest) -> bool:
    path = name.replace(".", "/")
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    if file == f"{path}/":  # a namespace package
        return any(listed.startswith(f"{CODE}/{file}") for listed in manifest.files)
    return file in (f"{path}.py", f"{path}/__init__.py") and f"{CODE}/{file}" in manifest.files


class VendoredCode(MetaPathFinder):
    """A finder of the vendored modules of one artifact that precedes all other finders.

    It reads and hashes their source once, when it is created.

    Raises:
        ArtifactCorrupt: a file is not the one that was packed.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        check_modules(manifest, str(folder))
        self.folder = folder / CODE
        self.manifest = manifest
        self._tops = {name.partition(".")[0] for name in manifest.modules}
        found = ArtifactFolder(folder)
        self._sources = {
            file: found.read_checked(
                f"{CODE}/{file}", manifest.files[f"{CODE}/{file}"], MOST_DOCUMENT_BYTES
            )
            for file in manifest.modules.values()
            if not file.endswith("/")
        }

    def install(self) -> None:
        """Reserve the vendored names in this process.

        Raises:
            ArtifactError: one of them is already imported from another place, or belongs to
                another artifact that is loaded here.
        """
        self.check()
        others = [finder for finder in sys.meta_path if isinstance(finder, VendoredCode)]
        if any(other.folder == self.folder for other in others):
            return
        for other in others:
            for name in sorted(other.manifest.modules.keys() & self.manifest.modules.keys()):
                raise self._taken(name, other.folder)
        sys.meta_path.insert(0, self)

    def check(self) -> None:
        """Check that every imported vendored module came from ``code/``.

        Raises:
            ArtifactError: one came from another place.
        """
        for name, file in self.manifest.modules.items():
            module = sys.modules.get(name)
            if module is not None and _place(module) != self.folder / file:
                raise self._taken(name, _place(module))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a vendored module; None for a name of another package.

        Raises:
            ModuleNotFoundError: the package is vendored, but has no such module. Another finder
                would look into its folder, and find a file put there after the check.
        """
        file = self.manifest.modules.get(fullname)
        if file is None:
            if fullname.partition(".")[0] in self._tops:
                raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
            return None
        place = self.folder / file
        if file.endswith("/"):
            namespace = ModuleSpec(fullname, None, origin=str(place), is_package=True)
            namespace.submodule_search_locations = [str(place)]
            return namespace
        loader = _KeptLoader(fullname, str(place), self._sources[file])
        folders = [str(place.parent)] if place.name == "__init__.py" else None
        return spec_from_file_location(
            fullname, place, loader=loader, submodule_search_locations=folders
        )

    def _taken(self, name: str, place: Path | None) -> ArtifactError:
        return ArtifactError(
            f"the module `{name}` is already imported in this process, from {place}, "
            "so the artifact's own copy could not run",
            where=str(self.folder / self.manifest.modules[name]),
            hint="load it in a fresh process, or let a worker run it: gnomon.worker.WorkerClient",
        )


class _KeptLoader(SourceFileLoader):
    """A loader that compiles the source that was checked, even if the file has changed since."""

    def __init__(self, fullname: str, path: str, source: bytes) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_data(self, path: str) -> bytes:
        """Return the kept source of the module; read other files of its package from disk."""
        return self._source if path == self.path else super().get_data(path)

    def get_code(self, fullname: str) -> CodeType:
        """Compile the module from its source, never from a cache."""
        return self.source_to_code(self._source, self.path)


def _place(module: ModuleType) -> Path | None:
    """Return the file that a module was imported from; the folder of a namespace package."""
    if file := getattr(module, "__file__", None):
        return Path(file)
    folders = list(getattr(module, "__path__", ()))
    return Path(folders[0]) if folders else None
