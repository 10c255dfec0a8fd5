"""The import of vendored code, which prevents other modules under its names.

With two versions of a user's ``preprocessing.py`` in one process, the first one's code would
silently run for both. So the modules of an artifact come only from its ``code/`` folder, whatever
else is on the path. Their source is exactly the bytes that were hashed, which are kept in memory;
no compiled copy is read or written.
The one exception is the very same code, already imported: see :mod:`.imported_code`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from gnomon.artifact.folder import MOST_DOCUMENT_BYTES, ArtifactFolder
from gnomon.artifact.manifest import CODE, Manifest
from gnomon.artifact.vendored_code.imported_code import (
    changed_since_import,
    codes_of,
    edited_since_import,
    place_of,
)
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

    Their source is read and hashed once, here. Where this process has imported the same code
    from another place, as a notebook has that packed it, that is used.

    Attributes:
        folder: the artifact's ``code/``.
        manifest: of the artifact.
        tops: the top-level modules that it finds.
        shared: those of them that were imported from another place, and the folder they are in.

    Raises:
        ArtifactCorrupt: a file is not the one that was packed.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        check_modules(manifest, str(folder))
        self.folder = folder / CODE
        self.manifest = manifest
        self.tops = {name.partition(".")[0] for name in manifest.modules}
        self.shared: dict[str, Path] = {}
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
            ArtifactError: other code has one of these names here, imported from another place, or
                of another artifact.
        """
        others = [finder for finder in sys.meta_path if isinstance(finder, VendoredCode)]
        if any(other.folder == self.folder and other.tops >= self.tops for other in others):
            return
        for other in others:
            for top in sorted(other.tops & self.tops - other.shared.keys()):
                if other.manifest.code_of(top) != self.manifest.code_of(top):
                    raise self._taken(top, f"from the artifact in {other.folder.parent}")
        self.check()
        for other in others:
            other.tops -= self.tops & self.shared.keys()
            self.tops -= other.tops
        sys.meta_path.insert(0, self)

    def check(self) -> None:
        """See that every vendored module that is imported runs the source in ``code/``.

        Raises:
            ArtifactError: one runs another.
        """
        for name, file in self.manifest.modules.items():
            module = sys.modules.get(name)
            if module is None or place_of(module) == self.folder / file:
                continue
            if reason := self._differs(module, file):
                raise self._taken(name, reason)
        for top, folder in self.shared.items():
            for file, digest in self.manifest.code_of(top).items():
                if file not in self._sources and _digest(folder / file) != digest:
                    raise self._taken(top, f"with {folder / file}, which differs from it")

    def check_memory(self) -> None:
        """See that the modules that are used from another place are still the same code.

        Raises:
            ArtifactError: one was edited and imported again since.
        """
        for name, file in self.manifest.modules.items():
            module = sys.modules.get(name)
            if module is None or name.partition(".")[0] not in self.shared:
                continue
            if edited := self._edited(module, file):
                raise self._taken(name, edited)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a vendored module; None for a name of another package.

        Raises:
            ModuleNotFoundError: the package is vendored, but has no such module. Another finder
                would look into its folder, and take what was put there after the check.
            ImportError: the package was imported from another place, and its module there is not
                the artifact's.
        """
        top = fullname.partition(".")[0]
        if top not in self.tops:
            return None
        file, shared = self.manifest.modules.get(fullname), self.shared.get(top)
        if shared is not None and (file is None or target is not None):
            return None  # the user's own package: a new module, or one imported again
        if file is None:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        place = (shared or self.folder) / file
        if file.endswith("/"):
            namespace = ModuleSpec(fullname, None, origin=str(place), is_package=True)
            namespace.submodule_search_locations = [str(place)]
            return namespace
        if shared is not None and _read(place) != self._sources[file]:
            reason = self._taken(fullname, f"with {place}, which differs from it")
            raise ImportError(str(reason), name=fullname)
        loader = _KeptLoader(fullname, str(place), self._sources[file])
        folders = [str(place.parent)] if place.name == "__init__.py" else None
        return spec_from_file_location(
            fullname, place, loader=loader, submodule_search_locations=folders
        )

    def _differs(self, module: ModuleType, file: str) -> str | None:
        """Where a module is from that runs other code than the artifact's; None if it is the same
        code, which is noted as shared."""
        place = place_of(module)
        top = module.__name__.partition(".")[0]
        loader = getattr(module.__spec__, "loader", None)
        if file.endswith("/"):
            if place is None or getattr(module, "__file__", None):
                return f"from {place}, which is no namespace package"
            folder = place
        elif isinstance(loader, _KeptLoader):  # of another artifact, and what it runs is known
            return None if loader.source == self._sources[file] else f"from {place}"
        elif place is None or _read(place) != self._sources[file]:
            return f"from {place}, which differs from it"
        elif edited := self._edited(module, file):
            return edited
        else:
            folder = place
        self.shared[top] = folder.parents[len(Path(file).parts) - 1]
        return None

    def _edited(self, module: ModuleType, file: str) -> str | None:
        if file.endswith("/"):
            return None
        codes = codes_of(self._sources[file], file)
        name = edited_since_import(module, codes)
        place = place_of(module)
        if name is not None:
            return f"from {place}, and its `{name}` is not the artifact's: it was edited"
        name = changed_since_import(module, self._sources[file], codes)
        return name and f"from {place}, and its `{name}` was replaced in this process"

    def _taken(self, name: str, reason: str) -> ArtifactError:
        return ArtifactError(
            f"the module `{name}` is already imported in this process {reason}, "
            "so the artifact's own copy could not run",
            where=str(self.folder / self.manifest.modules[name]),
            hint="load it in a fresh process, such as a restarted notebook, before that module is "
            "imported; or score a file with `gnomon score`, which has a worker of its own",
        )


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _digest(file: Path) -> str | None:
    content = _read(file)
    return None if content is None else sha256(content).hexdigest()


class _KeptLoader(SourceFileLoader):
    """A loader that compiles the source that was checked, even if the file has changed since."""

    def __init__(self, fullname: str, path: str, source: bytes) -> None:
        super().__init__(fullname, path)
        self.source = source

    def get_data(self, path: str) -> bytes:
        """The kept source of the module itself; other files of its package from disk."""
        return self.source if path == self.path else super().get_data(path)

    def get_code(self, fullname: str) -> CodeType:
        """The code of the module, from its source and never from a cache."""
        return self.source_to_code(self.source, self.path)
